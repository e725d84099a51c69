// The kernel under Entrope without gradient. Plain pointers and sizes; no LibTorch.
#pragma once

#include <cstdint>
#include <vector>

#include "attn/core.h"
#include "timeseries/forecast/entrope_options.h"

namespace timeseries {

/// Matrices of one transformer layer, (out, in), row-major.
struct EntropeLayer {
  const float *norm1, *qkv, *out, *norm2, *w1, *w3, *w2;
  int64_t hidden;
};
/// What patches of the encoder look at tokens with.
struct EntropeLook {
  const float *norm_query, *query, *norm_key, *key_value, *out;
};
/// What patches give tokens of the decoder with; norm_query null but with doubled_normed.
struct EntropeGive {
  const float *norm_query, *norm_key, *value, *out;
};

/// The network between its tokens and its head, as Entrope has it.
struct EntropeNetwork {
  int64_t width = 0, heads = 1, lookback = 0;
  Residual residual = Residual::single;
  TokenScope scope = TokenScope::patch;
  bool patch_time = true;
  std::vector<EntropeLayer> encoder, global, decoder;  // decoder: none, or as many as `give`
  std::vector<EntropeLook> look;                       // as many as `encoder`
  std::vector<EntropeGive> give;
  const float* norm = nullptr;
};

/// Windows whose tokens (rows, L, D) are given; patches as PatchCuts has them.
struct EntropeWindows {
  const float* tokens = nullptr;
  const int64_t *offsets = nullptr, *begin = nullptr;
  int64_t rows = 0;
};

/// n(h) of the decoder's tokens, (rows, L, D), a window at a time: the same for any other windows
/// and any number of threads.
void entrope_features(const EntropeNetwork& network, const EntropeWindows& windows, float* out,
                      const attn::core::Parallel& parallel);

}  // namespace timeseries
