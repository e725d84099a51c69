// Exact attention that also returns the entropy of every row, differentiable in output, log-sum-exp
// and entropy.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "attn/core.h"

namespace attn {

using Causal = core::Causal;

struct AttentionOptions {
  std::optional<double> scale = {};  // default 1 / sqrt(D)
  Causal causal = Causal::none;
  at::Tensor bias =
      {};  // broadcastable to (B,H,Nq,Nk), added to the logits, may be -inf; differentiable
  at::Tensor key_padding_mask = {};  // (B,Nk) bool, true = key is visible
};

struct AttentionResult {
  at::Tensor out;      // (B,H,Nq,Dv)
  at::Tensor lse;      // (B,H,Nq), natural logarithm
  at::Tensor entropy;  // (B,H,Nq), nats
};

/// s = scale q k^T + bias, p = softmax(s) over visible keys; out = p v, lse = log sum exp(s),
/// entropy = -sum p log p, from one pass in O(N) memory (Dao 2023, arXiv 2307.08691, with the
/// entropy accumulator t = sum e^{s-m}(s-m)). q (B,H,Nq,D), k (B,H,Nk,D), v (B,H,Nk,Dv): fp32 or
/// fp64 on the CPU, any strides (no copy where the last dimension is contiguous). A row that sees
/// no key: out 0, entropy 0, lse -inf, no gradient. Keys that are hidden must hold finite numbers
/// in k and v (their weight 0 times NaN is NaN), as everywhere in LibTorch. Runs on
/// at::get_num_threads() threads; the result does not depend on their number. Throws attn::Error
/// for shapes, types or devices that do not fit, and when differentiated twice.
AttentionResult attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const AttentionOptions& options = {});

}  // namespace attn
