// PatchTST: a transformer over overlapping patches of fixed length (Nie et al., ICLR 2023, arXiv
// 2211.14730).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "timeseries/forecast/forecaster.h"
#include "timeseries/forecast/frame.h"

namespace timeseries {

struct PatchTstOptions {
  int64_t lookback = 96, horizon = 96;  ///< L, T
  int64_t patch = 16, stride = 8;       ///< steps
  int64_t width = 16, heads = 4, layers = 3, hidden = 128;
  double dropout = 0.3;
  bool residual_scores = true;  ///< each layer adds the scores of the one before to its own
  FrameOptions frame;
  /// (L - patch) / stride + 2: the window's last value is repeated `stride` times behind it.
  int64_t patches() const { return (lookback - patch) / stride + 2; }
};
void to_json(nlohmann::json& j, const PatchTstOptions& options);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, PatchTstOptions& options);

/// Patches -> Linear + learned position -> layers, each x <- BN(x + attention(x)), x <- BN(x +
/// W2 gelu(W1 x)) with batch normalisation of each feature -> flatten -> Linear. 35,168 parameters
/// at L = T = 96.
class PatchTst : public Forecaster {
 public:
  /// Throws UsageError for options out of range.
  PatchTst(const PatchTstOptions& options, uint64_t seed);
  PatchTst(const PatchTstOptions& options, attn::train::Parameters parameters,
           attn::train::Parameters buffers);

  static std::vector<attn::train::ParameterSpec> specs(const PatchTstOptions& options);
  /// "layers.0.norm1.mean", "layers.0.norm1.variance" (width), ...: running statistics.
  static std::vector<attn::train::ParameterSpec> buffer_specs(const PatchTstOptions& options);

  at::Tensor forward(const WindowBatch& batch, const Pass& pass) const override;
  const attn::train::Parameters& parameters() const override { return parameters_; }
  attn::train::NamedTensors buffers() const override { return buffers_.named(); }
  nlohmann::json options() const override;
  int64_t lookback() const override { return options_.lookback; }
  int64_t horizon() const override { return options_.horizon; }
  std::unique_ptr<Forecaster> clone() const override;

 private:
  PatchTstOptions options_;
  attn::train::Parameters parameters_, buffers_;
};

}  // namespace timeseries
