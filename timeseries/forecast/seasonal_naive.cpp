#include "timeseries/forecast/seasonal_naive.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/io/json.h"

namespace timeseries {
namespace {

constexpr const char* kWhere = "the options of the forecaster";

/// Forecast of one window x to y. `seen`: scratch, the newest values by steps before the origin.
void repeat_window(std::span<const double> x, std::span<double> seen, std::span<double> y) {
  std::fill(seen.begin(), seen.end(), NAN);
  double last = 0;
  for (size_t t = 0; t < x.size(); ++t) {
    if (std::isnan(x[t])) continue;
    last = x[t];
    seen[(x.size() - 1 - t) % seen.size()] = x[t];
  }
  for (size_t t = 0; t < y.size(); ++t) {
    const double value = seen[seen.size() - 1 - t % seen.size()];
    y[t] = std::isnan(value) ? last : value;
  }
}

}  // namespace

at::Tensor repeat_season(const at::Tensor& values, int64_t season, int64_t horizon) {
  const at::Tensor x = values.to(at::kDouble).contiguous();
  at::Tensor y = at::empty({x.size(0), horizon}, at::kDouble);
  const auto length = static_cast<size_t>(x.size(1)), steps = static_cast<size_t>(horizon);
  const std::span all(x.const_data_ptr<double>(), static_cast<size_t>(x.numel()));
  const std::span out(y.mutable_data_ptr<double>(), static_cast<size_t>(y.numel()));
  std::vector<double> seen(static_cast<size_t>(season));
  for (size_t n = 0; n < static_cast<size_t>(x.size(0)); ++n)
    repeat_window(all.subspan(n * length, length), seen, out.subspan(n * steps, steps));
  return y;
}

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
  if (batch.values.size(1) != options_.lookback)
    throw attn::Error("the forecaster looks back " + std::to_string(options_.lookback) +
                      " steps, the windows hold " + std::to_string(batch.values.size(1)));
  return repeat_season(batch.values, options_.season, options_.horizon).to(at::kFloat);
}

nlohmann::json SeasonalNaive::options() const {
  return nlohmann::json(options_);
}

std::unique_ptr<Forecaster> SeasonalNaive::clone() const {
  return std::make_unique<SeasonalNaive>(options_);
}

}  // namespace timeseries
