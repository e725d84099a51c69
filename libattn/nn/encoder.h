// Pre-norm transformer blocks over packed sequences (Vaswani et al. 2017, arXiv 1706.03762, with
// the order of Xiong et al. 2020, arXiv 2002.04745), fused where they can be.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace attn::nn {

/// One block's weights, (out, in); no biases.
struct EncoderLayer {
  at::Tensor norm1, qkv, out;  ///< (D), (3D,D), (D,D)
  at::Tensor norm2, up, down;  ///< (D), (M,D), (D,M)
};

struct EncoderOptions {
  int64_t heads = 1;       ///< H, divides D
  bool last_norm = false;  ///< n(h) of weights 1 behind the last layer
  bool causal = false;     ///< a token sees itself and those before it in its sequence; else all
  double dropout = 0;  ///< of both branches of a block on their way to the sum; 0 when not training
  uint64_t seed = 0;   ///< of its masks
  std::string name = "block";  ///< what probes call the attention: "NAME 1", "NAME 2", ...
};

/// h <- h + Wo attention(Wq n(h), Wk n(h), Wv n(h)) ;  h <- h + W2 gelu(W1 n(h)) for each layer,
/// n(h) = w (h - mean h) / sqrt(variance h + 1e-5), gelu(x) = x Phi(x), heads scaled by
/// 1/sqrt(D/H). x (T,D); sequence s is tokens offsets[s] ... offsets[s+1]-1, offsets (S+1) int64 or
/// int32. No position is known but by x: where not causal, permuting a sequence permutes its
/// result.
///
/// fp32: one fused pass, a sequence at a time; its gradient passes each sequence forward again and
/// keeps nothing of the order of T. fp64: from operators. A probe sees the attention of both.
/// Differentiable once, in x and all weights; a sequence's result depends on that sequence alone,
/// and on no number of threads. Throws attn::Error for other types, devices and shapes.
at::Tensor encoder(const at::Tensor& x, const at::Tensor& offsets,
                   const std::vector<EncoderLayer>& layers, const EncoderOptions& options = {});

/// Of one sequence x (N,D): the weights of every layer and head, (L,H,N,N), row i how much token i
/// looks at each, for pictures of short sequences: it takes the square of N that `encoder` does
/// not. Without dropout; no gradient. Throws as encoder.
at::Tensor encoder_weights(const at::Tensor& x, const std::vector<EncoderLayer>& layers,
                           const EncoderOptions& options = {});

}  // namespace attn::nn
