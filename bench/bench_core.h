// The kernels called directly, with and without the entropy, on (B,H,N,D) tensors.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <cstdint>

#include "attn/core.h"
#include "libattn/ops/check.h"

namespace attn::bench {

template <class T>
core::View<T> view_of(const at::Tensor& t) {
  auto* data = const_cast<float*>(t.const_data_ptr<float>());
  return {data, t.stride(0), t.stride(1), t.stride(2)};
}

/// One call of the kernels; all tensors (B,H,N,D), drow (B,H,N).
inline void run_core(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const at::Tensor& dout, const at::Tensor& drow, bool causal, bool entropy,
                     bool backward) {
  core::AttentionInput<float> in;
  in.batch = q.size(0), in.heads = q.size(1), in.nq = q.size(2), in.nk = k.size(2);
  in.d = q.size(3), in.dv = v.size(3);
  in.scale = 1 / std::sqrt(static_cast<double>(in.d));
  in.causal = causal ? core::Causal::top_left : core::Causal::none;
  in.q = view_of<const float>(q), in.k = view_of<const float>(k), in.v = view_of<const float>(v);
  const at::Tensor out = at::empty_like(dout), lse = at::empty_like(drow),
                   tail = at::empty_like(drow), h = at::empty_like(drow);
  core::AttentionOutput<float> results;
  results.out = view_of<float>(out);
  const auto rows = [](const at::Tensor& t) {
    return core::View<float>{t.mutable_data_ptr<float>(), t.stride(0), t.stride(1), t.stride(2)};
  };
  results.lse = rows(lse), results.lse_tail = rows(tail);
  if (entropy) results.entropy = rows(h);
  core::attention_forward(in, results, ops::torch_threads());
  if (!backward) return;
  const at::Tensor dq = at::empty_like(q), dk = at::empty_like(k), dv = at::empty_like(v);
  core::AttentionGradient<float> g;
  g.dout = view_of<const float>(dout);
  const core::View<const float> row{drow.const_data_ptr<float>(), drow.stride(0), drow.stride(1),
                                    drow.stride(2)};
  g.dlse = row;
  if (entropy) g.dentropy = row;
  g.dq = view_of<float>(dq), g.dk = view_of<float>(dk), g.dv = view_of<float>(dv);
  core::attention_backward(in, results, g, ops::torch_threads());
}

}  // namespace attn::bench
