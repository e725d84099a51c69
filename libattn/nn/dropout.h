// Dropout whose mask is a function of seed and place (Srivastava et al., JMLR 2014).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace attn::nn {

/// y_n = x_n / (1 - p) with probability 1 - p, else 0, independently for each element n (counted in
/// row-major order); p in [0, 1). Half n mod 2 of draw n / 2 of the SplitMix64 stream `seed`
/// decides (random::Rng), each draw a function of its number. So the mask is the same for any
/// number of threads, and none is stored: backward draws it again. p = 0 returns x itself: pass 0
/// when not training. x of any shape, fp32 or fp64 on the CPU. Differentiable. Throws attn::Error
/// on another p or type.
at::Tensor dropout(const at::Tensor& x, double p, uint64_t seed);

}  // namespace attn::nn
