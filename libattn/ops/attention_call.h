// The attention operator as the dispatcher knows it: the arguments of its schema, and a call.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <string_view>
#include <tuple>

#include "attn/attention.h"
#include "libattn/ops/attention_problem.h"

namespace attn::ops {

/// The arguments of torch.ops.attn.attention, in the order of its schema; what they mean:
/// attn::AttentionOptions.
struct AttentionCall {
  at::Tensor q, k, v;
  std::optional<at::Tensor> bias, key_padding_mask, slopes, sink, q_offsets, k_offsets;
  std::optional<double> scale;
  std::string_view causal, align;  // names of Causal and Align
  int64_t window_left = -1, window_right = -1;
  double softcap = 0, dropout = 0;
  int64_t dropout_seed = 0, dropout_offset = 0;
  bool row_max = false, column_mass = false;
};

/// out, lse, entropy, row_max, column_mass, lse_tail; what was not asked for is an empty tensor.
using AttentionResults =
    std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using AttentionSignature = AttentionResults(
    const at::Tensor&, const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
    const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
    const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
    const std::optional<at::Tensor>&, std::optional<double>, std::string_view, std::string_view,
    int64_t, int64_t, double, double, int64_t, int64_t, bool, bool);

/// The arguments of torch.ops.attn.attention_backward, in the order of its schema.
struct AttentionBackwardCall {
  std::optional<at::Tensor> dout, dlse, dentropy, dcolumn_mass;
  at::Tensor out, lse, lse_tail, entropy;  // as forward gave them
  std::array<bool, kArguments> wanted{};   // of q, k, v, bias, slopes, sink
  AttentionCall forward;
};

/// Gradients of q, k, v, bias, slopes and sink; what is not wanted is an empty tensor.
using AttentionGradients =
    std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using AttentionBackwardSignature = AttentionGradients(
    const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
    const std::optional<at::Tensor>&, const std::optional<at::Tensor>&, const at::Tensor&,
    const at::Tensor&, const at::Tensor&, const at::Tensor&, std::array<bool, kArguments>,
    const at::Tensor&, const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
    const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
    const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
    const std::optional<at::Tensor>&, std::optional<double>, std::string_view, std::string_view,
    int64_t, int64_t, double, double, int64_t, int64_t, bool, bool);

AttentionCall call_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                      const AttentionOptions& options);
/// The options of a call, tensors as well. Throws attn::Error for a name or number that is none.
AttentionOptions options_of(const AttentionCall& call);

/// Through the dispatcher, with the key set of the calling thread.
AttentionResults dispatch_attention(const AttentionCall& call);
AttentionGradients dispatch_attention_backward(const AttentionBackwardCall& call);

/// The kernels behind them: on the CPU; of shapes alone; differentiable; under autocast.
AttentionResults attention_kernel(const AttentionCall& call);
AttentionResults attention_shapes(const AttentionCall& call);
AttentionResults attention_autograd(const AttentionCall& call);
AttentionResults attention_autocast(const AttentionCall& call);
AttentionGradients attention_backward_kernel(const AttentionBackwardCall& call);
AttentionGradients attention_backward_shapes(const AttentionBackwardCall& call);

}  // namespace attn::ops
