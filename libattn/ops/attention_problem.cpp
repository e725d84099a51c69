// Tensors to the kernels' views, and back.
#include "libattn/ops/attention_problem.h"

#include <ATen/ATen.h>

#include "libattn/ops/check.h"
#include "libattn/ops/layout.h"
#include "libattn/ops/probe_scope.h"
#include "libattn/ops/views.h"

namespace attn::ops {
namespace {

/// (H) or (B,H).
template <class T>
core::HeadView<const T> read_heads(const at::Tensor& t) {
  if (!t.defined()) return {};
  return {t.const_data_ptr<T>(), t.dim() == 2 ? t.stride(0) : 0, t.stride(-1)};
}
template <class T>
core::HeadView<T> write_heads(const at::Tensor& t) {
  if (!t.defined()) return {};
  return {t.mutable_data_ptr<T>(), t.dim() == 2 ? t.stride(0) : 0, t.stride(-1)};
}

/// q, k, v as the kernels read them: kept alive here.
struct Operands {
  explicit Operands(const AttentionProblem& p)
      : q(contiguous_rows(p.inputs[kQ])),
        k(contiguous_rows(p.inputs[kK])),
        v(contiguous_rows(p.inputs[kV])) {}
  at::Tensor q, k, v;
};

template <class T>
void add_sizes(const AttentionProblem& p, const Operands& x, core::AttentionInput<T>& in) {
  const bool packed = p.packed();
  in.batch = packed ? p.q_offsets.size(0) - 1 : x.q.size(0);
  in.heads = x.q.size(1);
  in.kv_heads = x.k.size(1);
  in.nq = x.q.size(packed ? 0 : 2);
  in.nk = x.k.size(packed ? 0 : 2);
  in.d = x.q.size(-1);
  in.dv = x.v.size(-1);
  if (!packed) return;
  in.q_offsets = p.q_offsets.const_data_ptr<int64_t>();
  in.k_offsets = p.k_offsets.const_data_ptr<int64_t>();
}

template <class T>
core::AttentionInput<T> input_of(const AttentionProblem& p, const Operands& x) {
  core::AttentionInput<T> in;
  add_sizes(p, x, in);
  const AttentionOptions& o = p.options;
  in.scale = p.scale;
  in.causal = o.causal;
  in.align = o.align;
  in.window_left = o.window_left;
  in.window_right = o.window_right;
  in.softcap = o.softcap;
  in.dropout = o.dropout;
  in.dropout_seed = o.dropout_seed;
  in.dropout_offset = o.dropout_offset;
  in.q = read_matrix<T>(x.q);
  in.k = read_matrix<T>(x.k);
  in.v = read_matrix<T>(x.v);
  in.slope = read_heads<T>(p.inputs[kSlopes]);
  in.sink = read_heads<T>(p.inputs[kSink]);
  if (p.inputs[kBias].defined()) {
    const at::Tensor whole = p.inputs[kBias].expand({in.batch, in.heads, in.nq, in.nk});
    in.bias = {whole.const_data_ptr<T>(), whole.stride(0), whole.stride(1), whole.stride(2),
               whole.stride(3)};
  }
  if (p.mask.defined()) {
    in.key_mask = reinterpret_cast<const uint8_t*>(p.mask.const_data_ptr<bool>());
    in.key_mask_batch = p.mask.stride(0);
    in.key_mask_column = p.mask.stride(1);
  }
  return in;
}

template <class T>
core::AttentionOutput<T> output_of(const AttentionSaved& s) {
  return {write_matrix<T>(s.out),   write_rows<T>(s.lse),     write_rows<T>(s.lse_tail),
          write_rows<T>(s.entropy), write_rows<T>(s.row_max), write_rows<T>(s.column_mass)};
}

template <class T>
void forward_as(const AttentionProblem& p, const Operands& x, const AttentionSaved& s) {
  const auto in = input_of<T>(p, x);
  core::attention_forward(in, output_of<T>(s), torch_threads());
  if (probing()) record_attention(in, output_of<T>(s));
}

using Gradients = std::array<at::Tensor, kArguments>;

template <class T>
void backward_as(const AttentionProblem& p, const AttentionSaved& s,
                 const AttentionIncoming& incoming, const Gradients& outgoing) {
  const Operands x(p);
  const at::Tensor dout = contiguous_rows(incoming.out);
  core::AttentionGradient<T> g;
  g.dout = read_matrix<T>(dout);
  g.dlse = read_rows<T>(incoming.lse);
  g.dentropy = read_rows<T>(incoming.entropy);
  g.dcolumn_mass = read_rows<T>(incoming.column_mass);
  g.dq = write_matrix<T>(outgoing[kQ]);
  g.dk = write_matrix<T>(outgoing[kK]);
  g.dv = write_matrix<T>(outgoing[kV]);
  g.dslope = write_heads<T>(outgoing[kSlopes]);
  g.dsink = write_heads<T>(outgoing[kSink]);
  const auto in = input_of<T>(p, x);
  if (outgoing[kBias].defined()) {
    const at::Tensor whole = outgoing[kBias].expand({in.batch, in.heads, in.nq, in.nk});
    g.dbias = {whole.mutable_data_ptr<T>(), whole.stride(0), whole.stride(1), whole.stride(2),
               whole.stride(3)};
  }
  core::attention_backward(in, output_of<T>(s), g, torch_threads());
}

}  // namespace

AttentionSaved attention_forward(const AttentionProblem& p) {
  const Operands x(p);
  const int64_t heads = x.q.size(1);
  AttentionSaved s;
  s.out = empty_as(x.q, x.v.size(-1));
  s.lse = empty_rows(x.q, heads);
  s.lse_tail = at::empty_like(s.lse);
  s.entropy = at::empty_like(s.lse);
  if (p.options.row_max || probing()) s.row_max = at::empty_like(s.lse);
  if (p.options.column_mass) s.column_mass = empty_rows(x.k, heads);
  if (x.q.scalar_type() == at::kFloat) {
    forward_as<float>(p, x, s);
  } else {
    forward_as<double>(p, x, s);
  }
  if (!p.options.row_max) s.row_max.reset();  // wanted by a probe only
  return s;
}

Gradients attention_backward(const AttentionProblem& p, const AttentionSaved& saved,
                             const AttentionIncoming& incoming,
                             const std::array<bool, kArguments>& wanted) {
  Gradients outgoing;
  for (const size_t i : {kQ, kK, kV})
    if (wanted[i]) outgoing[i] = empty_as(p.inputs[i], p.inputs[i].size(-1));
  if (p.inputs[kQ].size(1) == 0) {  // no head: no kernel runs
    for (const at::Tensor& g : outgoing)
      if (g.defined()) g.zero_();
  }
  for (const size_t i : {kBias, kSlopes, kSink})
    if (wanted[i]) outgoing[i] = at::zeros(p.inputs[i].sizes(), p.inputs[i].options());
  if (p.inputs[kQ].scalar_type() == at::kFloat) {
    backward_as<float>(p, saved, incoming, outgoing);
  } else {
    backward_as<double>(p, saved, incoming, outgoing);
  }
  return outgoing;
}

}  // namespace attn::ops
