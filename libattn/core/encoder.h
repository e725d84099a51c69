// Pre-norm transformer blocks fused: each sequence goes through all of them, and back, in buffers
// that stay in a core's own cache. Plain pointers and sizes; no LibTorch.
#pragma once

#include <cstdint>
#include <vector>

#include "attn/core.h"

namespace attn::core {

/// One block's parameters, or their gradients; matrices (out, in), row-major without gaps. No
/// biases.
template <class T>
struct EncoderBlock {
  T *norm1 = nullptr, *qkv = nullptr, *out = nullptr;  // (D), (3D,D), (D,D)
  T *norm2 = nullptr, *up = nullptr, *down = nullptr;  // (D), (M,D), (D,M)
};

/// h <- h + Wo attention(Wq n(h), Wk n(h), Wv n(h)) ;  h <- h + W2 gelu(W1 n(h)) for each block,
/// n(h) = w (h - mean h) / sqrt(variance h + 1e-5) with a weight of its own, gelu(x) = x Phi(x);
/// then, with `last_norm`, n(h) of weights 1.
struct Encoder {
  int64_t width = 0, heads = 0, hidden = 0;  // D, H, M
  bool causal = false;  ///< a token sees itself and those before it; else all of its sequence
  int64_t window = -1;  ///< where causal: of those, the last so many and itself; -1: all
  bool last_norm = false;
  double theta = 0;  ///< of rotary positions, counted from 0 in each sequence; 0: none
  std::vector<EncoderBlock<const float>> blocks;
};

/// Sequence s is tokens offsets[s] ... offsets[s + 1] - 1 of (T,D), offsets[0] = 0.
struct EncoderTokens {
  const float* x = nullptr;
  const int64_t* offsets = nullptr;
  int64_t sequences = 0;
};

/// h after the last block and norm, (T,D). What becomes of a sequence depends on that sequence
/// alone: on no other one and no number of threads.
void encoder_forward(const Encoder& network, const EncoderTokens& tokens, float* out,
                     const Parallel& parallel);

/// Dropout of both halves of each block on their way to the sum: masks are those of
/// attn::nn::dropout over (T,D).
struct EncoderDropout {
  double share = 0;             ///< 0: none
  std::vector<uint64_t> seeds;  ///< two a block, or empty
};

/// The same in training.
void encoder_forward(const Encoder& network, const EncoderTokens& tokens,
                     const EncoderDropout& dropout, float* out, const Parallel& parallel);

/// From dout (T,D): dx (T,D), and d weights added to `gradient` (as many blocks as the encoder
/// has). Each sequence is passed forward again: nothing of the order of T is kept. The result does
/// not depend on the number of threads.
void encoder_backward(const Encoder& network, const EncoderTokens& tokens,
                      const EncoderDropout& dropout, const float* dout, float* dx,
                      const std::vector<EncoderBlock<float>>& gradient, const Parallel& parallel);

}  // namespace attn::core
