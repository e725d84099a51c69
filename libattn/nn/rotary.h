// Rotary position embedding (Su et al. 2021, RoFormer, arXiv 2104.09864, section 3.2.2).
#pragma once

#include <ATen/core/Tensor.h>

namespace attn::nn {

/// Adjacent pairs of features are rotated by an angle proportional to the position m:
///   (y_2i, y_2i+1) = R(m theta^{-2i/D}) (x_2i, x_2i+1) ;  i = 0 ... D/2 - 1
/// x (T,H,D): tokens, heads, head width (even), fp32 or fp64 on the CPU; positions (T) int64; y as
/// x. Then y(m).y(n) depends on positions through m - n alone. Angles are computed in fp64.
/// Differentiable in x. Throws attn::Error on other types, devices and shapes.
at::Tensor rotary(const at::Tensor& x, const at::Tensor& positions, double theta = 1e4);

}  // namespace attn::nn
