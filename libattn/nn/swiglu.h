// SwiGLU, the gated feed-forward layer (Shazeer 2020, arXiv 2002.05202, equation 6).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace attn::nn {

/// y = W2 (silu(W1 x) * W3 x) ;  silu(a) = a / (1 + e^{-a})
/// for each row of x (T,D); w1 and w3 (H,D), w2 (D,H), of one type, fp32 or fp64 on the CPU; y
/// (T,D). No biases. The hidden layer (T,H) never stands in memory: rows are worked on in pieces,
/// and backward computes it again. Differentiable once, in all four; the result does not depend on
/// the number of threads. Throws attn::Error on other types, devices and shapes.
at::Tensor swiglu(const at::Tensor& x, const at::Tensor& w1, const at::Tensor& w3,
                  const at::Tensor& w2);

/// Hidden width H of a layer of `width` D, as the LLaMA family rounds it:
///   multiple_of ceil(floor(8 D / 3) / multiple_of)
/// Two thirds of the usual 4 D, since there are three matrices in place of two. Both arguments
/// >= 1.
int64_t swiglu_hidden(int64_t width, int64_t multiple_of);

}  // namespace attn::nn
