// Pooling attention without an autograd graph, for training steps whose gradient is written out.
#pragma once

#include <ATen/core/Tensor.h>

namespace attn::nn {

/// One bag, one head: p = softmax(scores), out = sum_n p_n values_n.
struct PoolPass {
  at::Tensor out;                     ///< (D)
  at::Tensor lse, lse_tail, entropy;  ///< (1) each, as attn::core::PoolOutput
};

/// scores (N,1), values (N,D), N >= 1, fp32 or fp64, contiguous.
PoolPass pool_forward(const at::Tensor& scores, const at::Tensor& values);

struct PoolPassGradient {
  at::Tensor scores;  ///< (N,1)
  at::Tensor values;  ///< (N,D)
};
/// Gradient of grad_out . out + grad_entropy * entropy. A `grad_entropy` of 0 leaves the entropy
/// out altogether.
PoolPassGradient pool_backward(const at::Tensor& scores, const at::Tensor& values,
                               const PoolPass& pass, const at::Tensor& grad_out,
                               double grad_entropy);

}  // namespace attn::nn
