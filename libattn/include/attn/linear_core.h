// The kernels under linear attention: one recurrence with its gradient, computed in chunks. Plain
// pointers, sizes and strides; no LibTorch. Instantiated for float and double.
//
//   S_t = g_t S_{t-1} + phi(k_t)^T v_t ;  z_t = g_t z_{t-1} + phi(k_t)
//   o_t = phi(q_t) S_t ,  normalised: phi(q_t) S_t / (phi(q_t) z_t + eps)
//
// (Katharopoulos et al. 2020, arXiv 2006.16236; constant decay: Lightning Attention-2, Qin et al.
// 2024, arXiv 2401.04658; decay per feature: gated linear attention, Yang et al. 2024, arXiv
// 2312.06635.) With A_i the log decay summed from the start of a chunk to token i,
//
//   o_i = e^{A_i} phi(q_i) S + sum_{j <= i} e^{A_i - A_j} (phi(q_i).phi(k_j)) v_j
//   S'  = e^{A_C} S + sum_j e^{A_C - A_j} phi(k_j)^T v_j
//
// where every exponent is <= 0. Not causal: all keys are summed first. The running state has the
// type of the inputs, and what rounding cut off it is carried beside it, so that fp32 keeps its
// digits over any number of tokens. Backward goes over the chunks twice: forth with S for dq, back
// with dS for dk and dv; the gradient of the log decay is the running sum
//
//   dlog g_t = dlog g_{t+1} + phi(q_t).dphi(q_t) - phi(k_t).dphi(k_t) ,  dlog g_{N+1} = <S_N, dS_N>
//
// (per feature where the decay is), begun anew from <S, dS> every 32 chunks. Memory beside inputs
// and outputs, per head: a few states, and one more every 32 chunks where the gradient of the decay
// is wanted; per thread a few chunks of features. Results do not depend on the number of threads.
#pragma once

#include <cstdint>

#include "attn/core.h"
#include "attn/export.h"

namespace attn::core {

/// phi, of F features for a width of d. identity, elu (elu(x) + 1), relu, exponential: F = d.
/// hedgehog: [e^x, e^{-x}], F = 2 d. taylor: [1, x / d^{1/4}, x_a x_b / sqrt(d) for a < b, over
/// sqrt 2 for a = b, ordered by (a, b)], F = 1 + d + d (d + 1) / 2, so that phi(q).phi(k) =
/// 1 + s + s^2 / 2 with s = q.k / sqrt(d) (BASED, Arora et al. 2024, arXiv 2402.18668).
enum class FeatureMap { identity, elu, relu, exponential, hedgehog, taylor };

/// What log_decay holds: nothing (g = 1); a number per token; one per token and feature.
enum class Decay { none, token, feature };

namespace detail {
/// F above, of the number d or what stands for it where shapes are traced.
template <class Size>
Size feature_count(FeatureMap map, const Size& d) {
  if (map == FeatureMap::hedgehog) return d * 2;
  return map == FeatureMap::taylor ? d * (d + 1) / 2 + d + 1 : d;
}
}  // namespace detail
inline int64_t feature_count(FeatureMap map, int64_t d) {
  return detail::feature_count<int64_t>(map, d);
}

/// q (B,H,nq,d), k (B,G,nk,d), v (B,G,nk,dv); sizes but d may be 0; causal: nq = nk. Head h reads
/// keys and values of head h / (H / G).
template <class T>
struct LinearInput {
  int64_t batch = 0, heads = 0, kv_heads = 0;  // kv_heads G divides heads; 0 = as many as heads
  int64_t nq = 0, nk = 0, d = 0, dv = 0;
  FeatureMap map = FeatureMap::identity;
  bool causal = true;      // without causality no decay
  bool normalise = false;  // exponential maps: the maximum of a query is taken out, and cancels
  double eps = 0;
  View<const T> q, k, v;
  Decay decay = Decay::none;
  View<const T> log_decay;  // (B,H,nk), or (B,H,nk,F); <= 0, may be -inf; strides may be 0
  View<const T> state;      // (B,H,F,dv): S_0; null = zero
  View<const T> norm;       // (B,H,F), row unused: z_0, where normalised
  int64_t chunk = 0;        // tokens worked on at a time; 0 = chosen. Changes rounding only.
};

/// What is wanted, null = not (`inverse` goes with `out`).
template <class T>
struct LinearOutput {
  View<T> out;          // (B,H,nq,dv)
  View<T> inverse;      // (B,H,nq), where normalised, for backward: 1 / (phi(q) z + eps), times e^m
                        // where the maximum m was taken out
  View<T> state, norm;  // (B,H,F,dv), (B,H,F): S_N, z_N
};

/// Gradients coming in (null = zero) and going out (null = not wanted), the latter written. dk, dv
/// are (B,H,nk,...), per query head: sum them over a group. dlog_decay as log_decay, without
/// broadcast strides.
template <class T>
struct LinearGradient {
  View<const T> dout, dlast_state, dlast_norm;
  View<T> dq, dk, dv, dlog_decay, dstate, dnorm;
};

template <class T>
ATTN_PUBLIC void linear_forward(const LinearInput<T>& in, const LinearOutput<T>& out,
                                const Parallel& parallel);

/// `saved`: out and inverse as linear_forward wrote them for the same input (where normalised).
template <class T>
ATTN_PUBLIC void linear_backward(const LinearInput<T>& in, const LinearOutput<T>& saved,
                                 const LinearGradient<T>& gradient, const Parallel& parallel);

}  // namespace attn::core
