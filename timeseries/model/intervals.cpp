#include "timeseries/model/intervals.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "attn/error.h"
#include "libattn/io/text.h"
#include "libattn/train/seed.h"
#include "timeseries/model/channel_columns.h"
#include "timeseries/model/unit_errors.h"
#include "timeseries/score/level_text.h"
#include "timeseries/score/residuals.h"

namespace timeseries {
namespace {

/// (T) numbers of row n of a float matrix, in the units of the data.
void undo(const float* row, const Moments& m, std::vector<double>& out) {
  for (size_t t = 0; t < out.size(); ++t) out[t] = m.undo(static_cast<double>(row[t]));
}

/// Offsets at `level` between two neighbours, or between 0 and the lowest.
double between(const ConformalIntervals& stored, const std::vector<double>& offsets, double level,
               size_t place) {
  const size_t stride = stored.residuals.size();
  const auto& levels = stored.levels;
  const auto above = static_cast<size_t>(
      std::lower_bound(levels.begin(), levels.end(), level - 1e-9) - levels.begin());
  const double high = offsets.at(above * stride + place);
  if (std::abs(levels[above] - level) < 1e-9) return high;
  const double low = above > 0 ? offsets.at((above - 1) * stride + place) : 0;
  const double from = above > 0 ? levels[above - 1] : 0;
  return low + (level - from) / (levels[above] - from) * (high - low);
}

void require_level(const ConformalIntervals& stored, double level) {
  if (!(level > 0 && level < 1))
    throw attn::UsageError("a level lies between 0 and 100 %, found " + level_text(level));
  if (level > stored.levels.back() + 1e-9)
    throw attn::UsageError("the model holds intervals up to " + level_text(stored.levels.back()) +
                           ", found " + level_text(level) + "; ask for a lower level");
}

bool any_known(const ResidualSample& sample, int64_t horizon, int64_t channels) {
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t t = 0; t < horizon; ++t)
      if (!sample.sorted(c, t).empty()) return true;
  return false;
}

double parse_level(std::string_view word) {
  double value = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value))
    throw attn::UsageError("the level " + attn::io::quote_text(word) +
                           " is no number; expected levels in per cent such as 80,95");
  const double level = value < 1 ? value : value / 100;
  if (!(level > 0 && level < 1))
    throw attn::UsageError("a level lies between 0 and 100 %, found " + attn::io::quote_text(word));
  return level;
}

}  // namespace

double interval_scale(std::span<const double> history, int64_t lookback, int64_t season,
                      bool scaled, const Moments& moments) {
  if (!scaled) return moments.unit();
  const size_t window = std::min(history.size(), static_cast<size_t>(lookback));
  const double own = residual_scale(history.last(window), season);
  if (!std::isnan(own)) return own;
  const double all = residual_scale(history, season);
  return std::isnan(all) ? 0 : all;
}

Calibration calibrate(const ForecastModel& model, const SeriesSet& set, const WindowSource& source,
                      std::span<const Window> windows, const attn::Hooks& hooks) {
  const int64_t horizon = model.horizon();
  const auto channels = static_cast<int64_t>(set.channels.size());
  ResidualSample sample(
      {horizon, channels, 0, attn::train::derive_seed(model.options.seed, "conformal")});
  ChannelColumns columns(set);
  const Scaler scaler = scaler_of(model, set);
  UnitErrors errors;
  std::vector<double> forecast(static_cast<size_t>(horizon));
  const auto take = [&](std::span<const Window> part, const at::Tensor& f,
                        const at::Tensor& /*target*/) {
    const at::Tensor forecasts = f.to(at::kFloat).contiguous();
    for (size_t i = 0; i < part.size(); ++i) {
      const Window& w = part[i];
      const Moments& moments = scaler.of(w.series, w.channel);
      const int64_t row = static_cast<int64_t>(i) * horizon;
      undo(forecasts.const_data_ptr<float>() + row, moments, forecast);
      const auto target =
          columns.of(w.series, w.channel).subspan(static_cast<size_t>(w.origin), forecast.size());
      const double scale =
          interval_scale(columns.before(w.series, w.channel, w.origin), model.lookback(),
                         model.season(), model.options.intervals.scaled, moments);
      sample.add(w.channel, target, forecast, scale);
      errors.add(target, forecast, moments.unit());
    }
  };
  evaluate(*model.forecaster, source, windows, hooks, take);
  Calibration out;
  out.errors = errors.errors();
  if (any_known(sample, horizon, channels))
    out.intervals = conformal_intervals(
        sample, {stored_levels(), model.options.intervals.symmetric, model.options.intervals.shrink,
                 model.options.intervals.smooth});
  return out;
}

ConformalIntervals intervals_at(const ConformalIntervals& stored, std::vector<double> levels) {
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  ConformalIntervals out = stored;
  out.levels = levels;
  out.low.clear();
  out.high.clear();
  if (levels.empty()) return out;
  if (stored.levels.empty())
    throw attn::UsageError(
        "the model has no intervals, since no residual of validation rows was known when it was "
        "trained; train it with more of them, or ask for no intervals (--levels none)");
  for (const double level : levels) {
    require_level(stored, level);
    for (size_t place = 0; place < stored.residuals.size(); ++place) {
      out.low.push_back(between(stored, stored.low, level, place));
      out.high.push_back(between(stored, stored.high, level, place));
    }
  }
  return out;
}

std::vector<double> parse_levels(std::string_view text) {
  std::vector<double> levels;
  for (size_t first = 0; first <= text.size();) {
    const size_t comma = std::min(text.find(',', first), text.size());
    std::string_view word = text.substr(first, comma - first);
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && (word.back() == ' ' || word.back() == '%')) word.remove_suffix(1);
    levels.push_back(parse_level(word));
    first = comma + 1;
  }
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

}  // namespace timeseries
