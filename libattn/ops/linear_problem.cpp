// Tensors of linear attention to the kernels' views, and back.
#include "libattn/ops/linear_problem.h"

#include <ATen/ATen.h>

#include "libattn/ops/check.h"
#include "libattn/ops/layout.h"
#include "libattn/ops/views.h"

namespace attn::ops {
namespace {

/// Inputs as the kernels read them, kept alive here; the log decay (H) as (B,H,N).
struct Operands {
  explicit Operands(const LinearProblem& p) {
    for (size_t i = 0; i < kLinearArguments; ++i) x[i] = contiguous_rows(p.inputs[i]);
    at::Tensor& log = x[kLogDecay];
    if (log.defined() && log.dim() == 1)
      log = log.view({1, -1, 1}).expand({x[kLinearQ].size(0), -1, x[kLinearQ].size(2)});
    if (log.defined()) decay = log.dim() == 4 ? core::Decay::feature : core::Decay::token;
  }
  LinearTensors x;
  core::Decay decay = core::Decay::none;
};

/// (B,H,N,F) by rows, (B,H,N) of one column.
template <class T>
core::View<const T> read_decay(const at::Tensor& t) {
  return t.defined() && t.dim() == 3 ? read_rows<T>(t) : read_matrix<T>(t);
}
template <class T>
core::View<T> write_decay(const at::Tensor& t) {
  return t.defined() && t.dim() == 3 ? write_rows<T>(t) : write_matrix<T>(t);
}

/// (B,H,F), one row a head.
template <class T>
core::View<const T> read_norm(const at::Tensor& t) {
  if (!t.defined()) return {};
  return {t.const_data_ptr<T>(), t.stride(0), t.stride(1), 0};
}
template <class T>
core::View<T> write_norm(const at::Tensor& t) {
  if (!t.defined()) return {};
  return {t.mutable_data_ptr<T>(), t.stride(0), t.stride(1), 0};
}

template <class T>
core::LinearInput<T> input_of(const LinearProblem& p, const Operands& o) {
  core::LinearInput<T> in;
  const at::Tensor &q = o.x[kLinearQ], &k = o.x[kLinearK], &v = o.x[kLinearV];
  in.batch = q.size(0), in.heads = q.size(1), in.kv_heads = k.size(1);
  in.nq = q.size(2), in.nk = k.size(2), in.d = q.size(3), in.dv = v.size(3);
  in.map = p.options.map;
  in.causal = p.options.causal;
  in.normalise = p.options.normalise;
  in.eps = p.options.eps;
  in.chunk = p.options.chunk;
  in.q = read_matrix<T>(q);
  in.k = read_matrix<T>(k);
  in.v = read_matrix<T>(v);
  in.decay = o.decay;
  in.log_decay = read_decay<T>(o.x[kLogDecay]);
  in.state = read_matrix<T>(o.x[kState]);
  in.norm = read_norm<T>(o.x[kNorm]);
  return in;
}

template <class T>
core::LinearOutput<T> output_of(const LinearSaved& s) {
  return {write_matrix<T>(s.out), write_rows<T>(s.inverse), write_matrix<T>(s.state),
          write_norm<T>(s.norm)};
}

template <class T>
void backward_as(const LinearProblem& p, const Operands& o, const LinearSaved& saved,
                 const std::array<at::Tensor, 3>& incoming, const LinearTensors& to) {
  const at::Tensor dout = contiguous_rows(incoming[0]), dstate = contiguous_rows(incoming[1]),
                   dnorm = contiguous_rows(incoming[2]);
  core::LinearGradient<T> g;
  g.dout = read_matrix<T>(dout);
  g.dlast_state = read_matrix<T>(dstate);
  g.dlast_norm = read_norm<T>(dnorm);
  g.dq = write_matrix<T>(to[kLinearQ]);
  g.dk = write_matrix<T>(to[kLinearK]);
  g.dv = write_matrix<T>(to[kLinearV]);
  g.dlog_decay = write_decay<T>(to[kLogDecay]);
  g.dstate = write_matrix<T>(to[kState]);
  g.dnorm = write_norm<T>(to[kNorm]);
  core::linear_backward(input_of<T>(p, o), output_of<T>(saved), g, torch_threads());
}

/// (B,H,N,C), a gradient per query head, to that of the (B,G,N,C) that heads share.
at::Tensor sum_groups(const at::Tensor& t, int64_t groups) {
  if (!t.defined() || t.size(1) == groups || groups == 0) return t;
  return t.view({t.size(0), groups, t.size(1) / groups, t.size(2), t.size(3)}).sum(2);
}

}  // namespace

LinearSaved linear_forward(const LinearProblem& p) {
  const Operands o(p);
  const at::Tensor& q = o.x[kLinearQ];
  const int64_t b = q.size(0), h = q.size(1), dv = o.x[kLinearV].size(3);
  const int64_t features = core::feature_count(p.options.map, q.size(3));
  LinearSaved s;
  s.out = empty_as(q, dv);
  s.state = at::empty({b, h, features, dv}, q.options());
  if (p.options.normalise) {
    s.inverse = at::empty({b, h, q.size(2)}, q.options());
    s.norm = at::empty({b, h, features}, q.options());
  }
  if (q.scalar_type() == at::kFloat) {
    core::linear_forward(input_of<float>(p, o), output_of<float>(s), torch_threads());
  } else {
    core::linear_forward(input_of<double>(p, o), output_of<double>(s), torch_threads());
  }
  return s;
}

LinearTensors linear_backward(const LinearProblem& p, const LinearSaved& saved,
                              const std::array<at::Tensor, 3>& incoming,
                              const std::array<bool, kLinearArguments>& wanted) {
  const Operands o(p);
  const at::Tensor &q = o.x[kLinearQ], &k = o.x[kLinearK], &v = o.x[kLinearV];
  const int64_t b = q.size(0), h = q.size(1), n = k.size(2);
  const bool shared = k.size(1) != h;
  const auto per_head = [&](const at::Tensor& x) {
    return shared ? at::empty({b, h, n, x.size(3)}, q.options()) : empty_as(x, x.size(3));
  };
  LinearTensors to;
  if (wanted[kLinearQ]) to[kLinearQ] = empty_as(q, q.size(3));
  if (wanted[kLinearK]) to[kLinearK] = per_head(k);
  if (wanted[kLinearV]) to[kLinearV] = per_head(v);
  for (const size_t i : {kLogDecay, kState, kNorm})
    if (wanted[i]) to[i] = at::empty(o.x[i].sizes(), q.options());
  if (q.scalar_type() == at::kFloat) {
    backward_as<float>(p, o, saved, incoming, to);
  } else {
    backward_as<double>(p, o, saved, incoming, to);
  }
  for (const size_t i : {kLinearK, kLinearV}) to[i] = sum_groups(to[i], k.size(1));
  if (wanted[kLogDecay] && p.inputs[kLogDecay].dim() == 1)
    to[kLogDecay] = to[kLogDecay].sum(at::IntArrayRef{0, 2});
  return to;
}

}  // namespace attn::ops
