// DLinear: two linear maps, of the trend and of what remains (Zeng et al., AAAI 2023, arXiv
// 2205.13504).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "timeseries/forecast/forecaster.h"
#include "timeseries/forecast/frame.h"

namespace timeseries {

struct DLinearOptions {
  int64_t lookback = 96, horizon = 96;  ///< L, T
  int64_t kernel = 25;                  ///< of the moving average, odd
  FrameOptions frame{.normalise = false};
};
void to_json(nlohmann::json& j, const DLinearOptions& options);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, DLinearOptions& options);

/// trend_t = mean of u_{t-k/2} ... u_{t+k/2}, the ends repeated beyond the window ;
/// v = W_t trend + b_t + W_r (u - trend) + b_r, shared by all channels: 2 T (L + 1) parameters.
class DLinear : public Forecaster {
 public:
  /// Throws UsageError for options out of range.
  DLinear(const DLinearOptions& options, uint64_t seed);
  DLinear(const DLinearOptions& options, attn::train::Parameters parameters);

  static std::vector<attn::train::ParameterSpec> specs(const DLinearOptions& options);

  at::Tensor forward(const WindowBatch& batch, const Pass& pass) const override;
  const attn::train::Parameters& parameters() const override { return parameters_; }
  nlohmann::json options() const override;
  int64_t lookback() const override { return options_.lookback; }
  int64_t horizon() const override { return options_.horizon; }
  std::unique_ptr<Forecaster> clone() const override;

 private:
  DLinearOptions options_;
  attn::train::Parameters parameters_;
};

}  // namespace timeseries
