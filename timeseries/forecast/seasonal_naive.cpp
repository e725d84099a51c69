#include "timeseries/forecast/seasonal_naive.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/io/json.h"

namespace timeseries {
namespace {

constexpr const char* kWhere = "the options of the forecaster";

/// Forecast of one window x (L) to y (T).
void repeat_season(const float* x, const SeasonalNaiveOptions& o, float* y) {
  float last = 0;
  std::vector<float> season(static_cast<size_t>(o.season), NAN);  // by steps before the origin
  for (int64_t t = 0; t < o.lookback; ++t) {
    if (std::isnan(x[t])) continue;
    last = x[t];
    season[static_cast<size_t>((o.lookback - 1 - t) % o.season)] = x[t];
  }
  for (int64_t t = 0; t < o.horizon; ++t) {
    const float value = season[static_cast<size_t>(o.season - 1 - t % o.season)];
    y[t] = std::isnan(value) ? last : value;
  }
}

}  // namespace

void to_json(nlohmann::json& j, const SeasonalNaiveOptions& o) {
  j = {{"kind", "seasonal-naive"},
       {"lookback", o.lookback},
       {"horizon", o.horizon},
       {"season", o.season}};
}

void from_json(const nlohmann::json& j, SeasonalNaiveOptions& o) {
  o.lookback = attn::io::get_or<int64_t>(j, "lookback", kWhere, o.lookback);
  o.horizon = attn::io::get_or<int64_t>(j, "horizon", kWhere, o.horizon);
  o.season = attn::io::get_or<int64_t>(j, "season", kWhere, o.season);
}

SeasonalNaive::SeasonalNaive(const SeasonalNaiveOptions& options) : options_(options) {
  if (options.horizon < 1)
    throw attn::UsageError("the horizon must be at least 1, found " +
                           std::to_string(options.horizon));
  if (options.season < 1 || options.season > options.lookback)
    throw attn::UsageError("the season, " + std::to_string(options.season) +
                           ", must lie between 1 and the look-back, " +
                           std::to_string(options.lookback));
}

at::Tensor SeasonalNaive::forward(const WindowBatch& batch, const Pass& /*pass*/) const {
  const at::Tensor x = batch.values.to(at::kFloat).contiguous();
  if (x.size(1) != options_.lookback)
    throw attn::Error("the forecaster looks back " + std::to_string(options_.lookback) +
                      " steps, the windows hold " + std::to_string(x.size(1)));
  at::Tensor y = at::empty({x.size(0), options_.horizon}, at::kFloat);
  for (int64_t n = 0; n < x.size(0); ++n)
    repeat_season(x.const_data_ptr<float>() + n * options_.lookback, options_,
                  y.mutable_data_ptr<float>() + n * options_.horizon);
  return y;
}

nlohmann::json SeasonalNaive::options() const {
  return nlohmann::json(options_);
}

std::unique_ptr<Forecaster> SeasonalNaive::clone() const {
  return std::make_unique<SeasonalNaive>(options_);
}

}  // namespace timeseries
