// Attention pooling of packed bags: one softmax over the instances of each bag and head, with its
// entropy.
#pragma once

#include <ATen/core/Tensor.h>

#include "attn/export.h"

namespace attn {

struct PoolResult {
  at::Tensor out;      // (B,K,D)
  at::Tensor lse;      // (B,K), natural logarithm
  at::Tensor entropy;  // (B,K), nats
};

/// For bag b (rows offsets[b] ... offsets[b+1] - 1) and head k: p = softmax(scores of the bag), out
/// = sum_i p_i values_i, lse = log sum_i exp(scores_i), entropy = -sum_i p_i log p_i (the term of
/// AEM, arXiv 2406.15303). Differentiable in scores and values through all three results. scores
/// (T,K), values (T,D): fp32 or fp64 on the CPU, same type; offsets (B+1) int64 or int32 on the
/// CPU, offsets[0] = 0, rising, offsets[B] = T. Bags hold 0 to 10^6 instances and more; an empty
/// bag gives out 0, entropy 0, lse -inf. Throws attn::Error for shapes, types, devices or offsets
/// that do not fit, and when differentiated twice.
ATTN_PUBLIC PoolResult attention_pool(const at::Tensor& scores, const at::Tensor& values,
                                      const at::Tensor& offsets);

/// The weights p (T,K) of that pooling: the softmax of each bag's scores (T,K), 0 where all scores
/// of a bag and head are -inf. No gradient. Throws attn::Error as attention_pool does.
ATTN_PUBLIC at::Tensor pool_weights(const at::Tensor& scores, const at::Tensor& offsets);

}  // namespace attn
