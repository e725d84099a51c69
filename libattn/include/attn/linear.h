// Linear attention: feature maps, decay and a running state in place of softmax, in time linear in
// the tokens. Differentiable once in everything.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "attn/export.h"
#include "attn/linear_core.h"

namespace attn {

using FeatureMap = core::FeatureMap;

/// All tensors on the CPU, of the type of q; undefined: none.
struct LinearAttentionOptions {
  FeatureMap map = FeatureMap::identity;
  bool causal = true;
  bool normalise = false;  ///< divide by phi(q) z + eps
  double eps = 1e-6;
  /// log g <= 0, may be -inf: (H) constant, (B,H,N) per token, (B,H,N,F) per token and feature;
  /// causal only
  at::Tensor log_decay = {};
  at::Tensor state = {}, norm = {};  ///< S_0 (B,H,F,Dv); z_0 (B,H,F), where normalised
  int64_t chunk = 0;  ///< tokens worked on at a time, 0 = chosen; changes rounding only
};

struct LinearAttentionResult {
  at::Tensor out;        ///< (B,H,Nq,Dv)
  at::Tensor state;      ///< S_N (B,H,F,Dv): pass it on as `state` to go on with the next tokens
  at::Tensor norm = {};  ///< z_N (B,H,F), where normalised
};

/// S_t = g_t S_{t-1} + phi(k_t)^T v_t, z_t = g_t z_{t-1} + phi(k_t); out_t = phi(q_t) S_t, or
/// phi(q_t) S_t / (phi(q_t) z_t + eps) where normalised. Not causal: S and z of all keys.
/// Equations, feature maps and sources: attn/linear_core.h.
///
/// q (B,H,Nq,D), k (B,G,Nk,D), v (B,G,Nk,Dv): fp32 or fp64 on the CPU, any strides (no copy where
/// the last dimension is contiguous). G divides H: query head h reads key head h / (H / G); causal:
/// Nq = Nk. No scale is put on q.k but that of the Taylor map.
///
/// Differentiable in q, k, v, log_decay, state and norm through out, state and norm. O(N) memory.
/// Runs on at::get_num_threads() threads; the result does not depend on their number. e^x of the
/// exponential maps overflows fp32 at x = 88, but for queries where normalised: there their maximum
/// is taken out, and cancels. Throws attn::Error for shapes, types, devices or options that do not
/// fit, a log decay above 0, and when anything is differentiated twice.
ATTN_PUBLIC LinearAttentionResult linear_attention(const at::Tensor& q, const at::Tensor& k,
                                                   const at::Tensor& v,
                                                   const LinearAttentionOptions& options = {});

}  // namespace attn
