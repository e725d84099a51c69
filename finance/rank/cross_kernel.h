// Scores of a network across traders without gradient, in one pass over lists that stay in a
// core's own cache. Plain pointers and sizes; no LibTorch.
#pragma once

#include <cstdint>

#include "attn/core.h"
#include "libattn/core/encoder.h"

namespace finance {

/// The models `cross` and `rankformer` (null: without) as Ranker has them; matrices (out, in).
struct CrossNetwork {
  attn::core::Encoder blocks;
  int64_t features = 0;                                  // F
  const float *embed_w1 = nullptr, *embed_b1 = nullptr;  // (D,F), (D)
  const float *embed_w2 = nullptr, *embed_b2 = nullptr;  // (D,D), (D), or null
  const float *head_w1 = nullptr, *head_b1 = nullptr;    // (D,D), (D), or null
  const float *head_w = nullptr, *head_b = nullptr;      // (D), (1)
};

/// T traders in packed lists; `categories`: what those add to W1 x, (T,D), or null.
struct CrossLists {
  const float *features = nullptr, *categories = nullptr;  // (T,F), (T,D)
  const int64_t* offsets = nullptr;                        // (lists + 1)
  int64_t lists = 0;
};

/// (T). A list's scores depend on that list alone and on no number of threads.
void cross_scores(const CrossNetwork& network, const CrossLists& lists, float* scores,
                  const attn::core::Parallel& parallel);

}  // namespace finance
