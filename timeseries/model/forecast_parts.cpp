#include "timeseries/model/forecast_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "attn/error.h"
#include "libattn/io/text.h"

namespace timeseries {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Whether a channel has a known value in rows first ... rows - 1.
bool known(const Series& s, size_t channels, size_t channel, int64_t first) {
  for (auto r = static_cast<size_t>(first); r < static_cast<size_t>(s.rows); ++r)
    if (!std::isnan(s.values[r * channels + channel])) return true;
  return false;
}

}  // namespace

int64_t chosen_horizon(const ForecastModel& model, int64_t asked) {
  if (asked < 0)
    throw attn::UsageError("the horizon must be at least 1, found " + std::to_string(asked));
  if (asked > model.horizon())
    throw attn::UsageError(fmt::format(
        "the model was trained to forecast {} steps, {} are asked for; ask for at most {}, or "
        "train with a longer --horizon",
        model.horizon(), asked, model.horizon()));
  return asked == 0 ? model.horizon() : asked;
}

int64_t least_rows(const ForecastModel& model, int64_t asked) {
  if (asked < 0)
    throw attn::UsageError("the least number of rows must not be negative, found " +
                           std::to_string(asked));
  return asked > 0 ? asked : (model.lookback() + 3) / 4;
}

std::string hindrance(const SeriesSet& set, const Series& s, int64_t rows, int64_t lookback,
                      int64_t least) {
  if (rows < least)
    return fmt::format(
        "{}: has {} rows, and a look-back of {} needs {} at least; give more rows, or a model of a "
        "shorter look-back",
        name_of(set, s), rows, lookback, least);
  const int64_t first = std::max<int64_t>(0, s.rows - lookback);
  for (size_t c = 0; c < set.channels.size(); ++c)
    if (!known(s, set.channels.size(), c, first))
      return fmt::format(
          "{}: the last {} values of channel {} are all missing; give a series that ends with "
          "known values",
          name_of(set, s), s.rows - first, attn::io::quote_text(set.channels[c]));
  return "";
}

void require_targets(const SeriesSet& set, std::span<const Window> windows, int64_t horizon) {
  const size_t channels = set.channels.size();
  for (const Window& w : windows) {
    const Series& s = set.series.at(static_cast<size_t>(w.series));
    for (int64_t r = w.origin; r < w.origin + horizon; ++r)
      if (!std::isnan(
              s.values.at(static_cast<size_t>(r) * channels + static_cast<size_t>(w.channel))))
        return;
  }
  throw attn::Error(name_of(set) + ": " +
                    (windows.empty() ? "no window has a known value in its look-back"
                                     : "no value that is to be forecast is known") +
                    "; give a series that ends with known values, or ask for more windows");
}

SeriesSet with_ahead(const SeriesSet& set, int64_t horizon) {
  SeriesSet out = set;
  if (set.future_names.empty()) return out;
  for (Series& s : out.series) {
    s.ahead = std::max(s.ahead, horizon);
    s.future.resize(static_cast<size_t>(s.rows + s.ahead) * set.future_names.size(), kNone);
  }
  return out;
}

SeriesForecast blank_forecast(size_t levels, size_t channels, int64_t horizon) {
  SeriesForecast out;
  const size_t numbers = channels * static_cast<size_t>(horizon);
  out.values.assign(numbers, kNone);
  out.low.assign(levels * numbers, kNone);
  out.high.assign(levels * numbers, kNone);
  return out;
}

void put_channel(SeriesForecast& to, const ConformalIntervals& intervals, size_t channel,
                 std::span<const double> forecast, double scale) {
  const size_t levels = intervals.levels.size(), steps = to.stamps.size(),
               numbers = to.values.size();
  const auto first = static_cast<std::ptrdiff_t>(channel * steps),
             count = static_cast<std::ptrdiff_t>(steps);
  const auto kept = forecast.first(steps);
  std::copy(kept.begin(), kept.end(), to.values.begin() + first);
  if (levels == 0) return;
  const IntervalBounds bounds = bounds_of(intervals, static_cast<int64_t>(channel), kept, scale);
  for (size_t k = 0; k < levels; ++k) {
    const auto from = static_cast<std::ptrdiff_t>(k * steps);
    const auto place = static_cast<std::ptrdiff_t>(k * numbers) + first;
    std::copy_n(bounds.low.begin() + from, count, to.low.begin() + place);
    std::copy_n(bounds.high.begin() + from, count, to.high.begin() + place);
  }
}

}  // namespace timeseries
