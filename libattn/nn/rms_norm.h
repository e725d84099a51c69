// Root mean square normalisation (Zhang and Sennrich, NeurIPS 2019, arXiv 1910.07467, equation 4).
#pragma once

#include <ATen/core/Tensor.h>

namespace attn::nn {

/// y_d = w_d x_d / r ;  r = sqrt(mean_d x_d^2 + eps)
/// over the last dimension: x (..., D), weight (D), of one type, fp32 or fp64 on the CPU; y as x.
/// Differentiable once, in x and weight; the result does not depend on the number of threads.
/// Throws attn::Error on other types, devices and shapes.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps = 1e-5);

}  // namespace attn::nn
