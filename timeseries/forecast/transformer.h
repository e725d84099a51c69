// Pre-norm transformer layers over packed rows: no padding, no row knows of another.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libattn/train/parameters.h"

namespace timeseries {

/// Rows of tokens one after the other: row n is tokens offsets[n] ... offsets[n+1] - 1.
struct Packing {
  at::Tensor offsets;    ///< (N+1) int64
  at::Tensor positions;  ///< (T) int64, of each token in its row, for rotary positions
  bool causal = false;   ///< a token sees itself and those before it in its row
};

struct LayerOptions {
  int64_t width = 8;    ///< d
  int64_t heads = 1;    ///< H, divides d; d / H is even
  int64_t hidden = 16;  ///< of the SwiGLU
};

/// Dropout masks of one pass: each call draws from a stream of its own.
class Draws {
 public:
  Draws(bool training, uint64_t seed) : training_(training), seed_(seed) {}
  at::Tensor drop(const at::Tensor& x, double share);
  bool training() const { return training_; }

 private:
  bool training_;
  uint64_t seed_, calls_ = 0;
};

/// What probes call a part: its prefix without the dot at the end.
std::string_view part_name(std::string_view prefix);

/// `prefix` + "norm1" (d), "qkv" (3d,d), "out" (d,d), "norm2" (d), "w1", "w3" (hidden,d), "w2"
/// (d,hidden): no biases, matrices started as LibTorch's Linear.
void add_layer(std::vector<attn::train::ParameterSpec>& specs, const std::string& prefix,
               const LayerOptions& options);

/// h <- h + Wo attention(rotary(Wq n1(h)), rotary(Wk n1(h)), Wv n1(h)) ;  h <- h + SwiGLU(n2(h))
/// n: root mean square normalisation; each branch dropped by `share` on its way to the sum. h
/// (T,d).
at::Tensor layer_forward(at::Tensor h, const Packing& packing, const LayerOptions& options,
                         const attn::train::Parameters& parameters, const std::string& prefix,
                         double share, Draws& draws);

}  // namespace timeseries
