// The entropy model's network fused: each window goes through it, and back, in buffers that stay in
// a core's own cache. Plain pointers and sizes; no LibTorch.
#pragma once

#include <cstdint>
#include <vector>

#include "attn/core.h"
#include "libattn/core/encoder.h"

namespace timeseries {

/// All parameters, or their gradients. `position` null: rotary positions.
template <class T>
struct EntropyWeights {
  T* token = nullptr;     ///< (V,D)
  T* position = nullptr;  ///< (context,D), or null
  T* norm = nullptr;      ///< (D)
  std::vector<attn::core::EncoderBlock<T>> blocks;
};

/// The network of EntropyModel (equations there): causal blocks between words; rotary positions see
/// `context` values up to their own.
struct EntropyNetwork : attn::core::Encoder {
  int64_t vocabulary = 0, context = 0;                                 // V
  const float *token = nullptr, *position = nullptr, *norm = nullptr;  // as EntropyWeights
};

/// N windows of L ids, each in 0 ... V - 1, and where results go, (N,L) each; null: not wanted.
struct EntropyCall {
  const int64_t* ids = nullptr;
  int64_t rows = 0, length = 0;
  float* entropy = nullptr;
  /// -log p(target), for `targets` (N,L); NaN where a target is negative.
  const int64_t* targets = nullptr;
  float* loss = nullptr;
};

/// A row of results depends on that window alone: on no other one and no number of threads.
void next_entropies(const EntropyNetwork& network, const EntropyCall& call,
                    const attn::core::Parallel& parallel);

/// One training step: loss = sum of lse_t - answer[target_t] . x_t over targets that are not
/// negative, divided by their number.
struct EntropyStep {
  const int64_t *ids = nullptr, *targets = nullptr;  ///< (N,L)
  int64_t rows = 0, length = 0;
  const float* answer = nullptr;  ///< (V,D): the token embedding, or a blurred one
  double dropout = 0;
  /// Of the dropout of the embedding, then of each block's two halves: 1 + 2 blocks seeds, whose
  /// masks are those of attn::nn::dropout.
  std::vector<uint64_t> seeds;
};

/// Adds the gradient of the loss to `gradient` and to d_answer (V,D), returns the loss; 0 without a
/// target. The result does not depend on the number of threads.
double entropy_gradients(const EntropyNetwork& network, const EntropyStep& step,
                         const EntropyWeights<float>& gradient, float* d_answer,
                         const attn::core::Parallel& parallel);

}  // namespace timeseries
