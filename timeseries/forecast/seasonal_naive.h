// Seasonal naive: what was one season ago.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "timeseries/forecast/forecaster.h"

namespace timeseries {

struct SeasonalNaiveOptions {
  int64_t lookback = 96, horizon = 96;
  int64_t season = 1;  ///< S; 1: the last value
};
void to_json(nlohmann::json& j, const SeasonalNaiveOptions& options);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, SeasonalNaiveOptions& options);

/// y_t = the last known value of the look-back a whole number of seasons before t; where there is
/// none, the last known value; 0 where no value is known: values (N,L), NaN: missing; (N,T) fp64.
at::Tensor repeat_season(const at::Tensor& values, int64_t season, int64_t horizon);

/// repeat_season as a forecaster: nothing to train.
class SeasonalNaive : public Forecaster {
 public:
  /// Throws UsageError where the season does not fit the look-back.
  explicit SeasonalNaive(const SeasonalNaiveOptions& options);

  at::Tensor forward(const WindowBatch& batch, const Pass& pass) const override;
  const attn::train::Parameters& parameters() const override { return none_; }
  nlohmann::json options() const override;
  int64_t lookback() const override { return options_.lookback; }
  int64_t horizon() const override { return options_.horizon; }
  std::unique_ptr<Forecaster> clone() const override;

 private:
  SeasonalNaiveOptions options_;
  attn::train::Parameters none_;
};

}  // namespace timeseries
