// The operators by name: torch.ops.attn.attention and its kin, for C++ through the dispatcher and
// for Python by torch.ops.load_library. Gradients are operators too, so that what traces a graph
// (torch.compile, torch.export) sees forward and backward.
#include "libattn/ops/registration.h"

#include <torch/library.h>

#include "libattn/ops/attention_call.h"
#include "libattn/ops/linear_call.h"
#include "libattn/ops/merge_call.h"
#include "libattn/ops/pooling_call.h"

namespace attn::ops {
namespace {

constexpr const char* kAttentionArguments =
    "Tensor q, Tensor k, Tensor v, Tensor? bias=None, Tensor? key_padding_mask=None, "
    "Tensor? slopes=None, Tensor? sink=None, Tensor? q_offsets=None, Tensor? k_offsets=None, "
    "float? scale=None, str causal='none', str align='bottom_right', int window_left=-1, "
    "int window_right=-1, float softcap=0.0, float dropout=0.0, int dropout_seed=0, "
    "int dropout_offset=0, bool row_max=False, bool column_mass=False";

constexpr const char* kLinearArgumentsText =
    "Tensor q, Tensor k, Tensor v, Tensor? log_decay=None, Tensor? state=None, Tensor? norm=None, "
    "str map='identity', bool causal=True, bool normalise=False, float eps=1e-06, int chunk=0";

/// The kernel that the dispatcher calls for `body`.
template <class Signature, class Call, auto body>
constexpr auto kKernel = &Unpacked<Signature>::template kernel<Call, body>;

}  // namespace

void register_operators() {}

TORCH_LIBRARY(attn, m) {
  const auto define = [&](const std::string& schema) {
    m.def(torch::schema(schema.c_str()), {at::Tag::pt2_compliant_tag});
  };
  define(std::string("attention(") + kAttentionArguments +
         ") -> (Tensor out, Tensor lse, Tensor entropy, Tensor row_max, Tensor column_mass, "
         "Tensor lse_tail)");
  define(std::string("attention_backward(Tensor? dout, Tensor? dlse, Tensor? dentropy, "
                     "Tensor? dcolumn_mass, Tensor out, Tensor lse, Tensor lse_tail, "
                     "Tensor entropy, bool[6] wanted, ") +
         kAttentionArguments + ") -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  define(
      "merge_attention(Tensor[] out, Tensor[] lse, Tensor[] entropy, Tensor[] row_max, "
      "Tensor[] lse_tail) -> (Tensor out, Tensor lse, Tensor entropy, Tensor row_max, "
      "Tensor lse_tail)");
  define(
      "merge_attention_backward(Tensor? dout, Tensor? dlse, Tensor? dentropy, Tensor merged_out, "
      "Tensor merged_lse, Tensor merged_entropy, Tensor[] out, Tensor[] lse, Tensor[] entropy, "
      "Tensor[] lse_tail) -> Tensor[]");
  define(
      "attention_pool(Tensor scores, Tensor values, Tensor offsets) -> (Tensor out, Tensor lse, "
      "Tensor entropy, Tensor lse_tail)");
  define(
      "attention_pool_backward(Tensor? dout, Tensor? dlse, Tensor? dentropy, Tensor out, "
      "Tensor lse, Tensor lse_tail, Tensor entropy, bool[2] wanted, Tensor scores, Tensor values, "
      "Tensor offsets) -> (Tensor, Tensor)");
  define(std::string("linear_attention(") + kLinearArgumentsText +
         ") -> (Tensor out, Tensor state, Tensor norm, Tensor inverse)");
  define(std::string("linear_attention_backward(Tensor? dout, Tensor? dstate, Tensor? dnorm, "
                     "Tensor out, Tensor inverse, bool[6] wanted, ") +
         kLinearArgumentsText + ") -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}

// For every device, so that a tensor on a wrong one meets our sentence about it.
TORCH_LIBRARY_IMPL(attn, CompositeExplicitAutograd, m) {
  m.impl("attention", kKernel<AttentionSignature, AttentionCall, attention_kernel>);
  m.impl("attention_backward",
         kKernel<AttentionBackwardSignature, AttentionBackwardCall, attention_backward_kernel>);
  m.impl("merge_attention", kKernel<MergeSignature, MergeCall, merge_kernel>);
  m.impl("merge_attention_backward",
         kKernel<MergeBackwardSignature, MergeBackwardCall, merge_backward_kernel>);
  m.impl("attention_pool", kKernel<PoolSignature, PoolCall, pool_kernel>);
  m.impl("attention_pool_backward",
         kKernel<PoolBackwardSignature, PoolBackwardCall, pool_backward_kernel>);
  m.impl("linear_attention", kKernel<LinearSignature, LinearCall, linear_kernel>);
  m.impl("linear_attention_backward",
         kKernel<LinearBackwardSignature, LinearBackwardCall, linear_backward_kernel>);
}

TORCH_LIBRARY_IMPL(attn, Meta, m) {
  m.impl("attention", kKernel<AttentionSignature, AttentionCall, attention_shapes>);
  m.impl("attention_backward",
         kKernel<AttentionBackwardSignature, AttentionBackwardCall, attention_backward_shapes>);
  m.impl("merge_attention", kKernel<MergeSignature, MergeCall, merge_shapes>);
  m.impl("merge_attention_backward",
         kKernel<MergeBackwardSignature, MergeBackwardCall, merge_backward_shapes>);
  m.impl("attention_pool", kKernel<PoolSignature, PoolCall, pool_shapes>);
  m.impl("attention_pool_backward",
         kKernel<PoolBackwardSignature, PoolBackwardCall, pool_backward_shapes>);
  m.impl("linear_attention", kKernel<LinearSignature, LinearCall, linear_shapes>);
  m.impl("linear_attention_backward",
         kKernel<LinearBackwardSignature, LinearBackwardCall, linear_backward_shapes>);
}

TORCH_LIBRARY_IMPL(attn, Autograd, m) {
  m.impl("attention", kKernel<AttentionSignature, AttentionCall, attention_autograd>);
  m.impl("merge_attention", kKernel<MergeSignature, MergeCall, merge_autograd>);
  m.impl("attention_pool", kKernel<PoolSignature, PoolCall, pool_autograd>);
  m.impl("linear_attention", kKernel<LinearSignature, LinearCall, linear_autograd>);
}

TORCH_LIBRARY_IMPL(attn, AutocastCPU, m) {
  m.impl("attention", kKernel<AttentionSignature, AttentionCall, attention_autocast>);
  m.impl("attention_pool", kKernel<PoolSignature, PoolCall, pool_autocast>);
  m.impl("linear_attention", kKernel<LinearSignature, LinearCall, linear_autocast>);
}

}  // namespace attn::ops
