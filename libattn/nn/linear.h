// A linear layer whose sums do not depend on the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace attn::nn {

/// y = x W^T + b ;  dx = dy W ;  dW = dy^T x ;  db = sum of dy over all but its last dimension
/// for x (..., in), weight (out, in), bias (out) or undefined, of one type, fp32 or fp64 on the
/// CPU; y (..., out). Differentiable once. A matrix product of LibTorch's splits its sums by
/// threads; here each product is one of pieces that follow from the shapes alone, so that y and all
/// gradients are the same bit for bit on any number of threads. Throws attn::Error on other types,
/// devices and shapes.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

}  // namespace attn::nn
