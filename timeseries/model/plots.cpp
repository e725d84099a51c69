#include "timeseries/model/plots.h"

#include <algorithm>
#include <limits>

#include "timeseries/series/calendar.h"

namespace timeseries {
namespace {

std::string title_of(const Series& series, const std::string& channel) {
  return series.id.empty() ? channel : series.id + ", " + channel;
}

/// The past of one channel up to `origin`, the last `shown` rows (0: all).
ForecastPlot plot_of_past(const SeriesSet& set, int64_t series, int64_t channel, int64_t origin,
                          int64_t shown) {
  const Series& s = set.series.at(static_cast<size_t>(series));
  const std::string& name = set.channels.at(static_cast<size_t>(channel));
  ForecastPlot out;
  out.title = title_of(s, name);
  out.value_label = name;
  out.dates = set.frequency.unit != Unit::index;
  const int64_t first = shown > 0 ? std::max<int64_t>(0, origin - shown) : 0;
  for (int64_t r = first; r < origin; ++r) {
    out.past_stamps.push_back(advance(s.start, set.frequency, r));
    out.past.push_back(
        s.values[static_cast<size_t>(r) * set.channels.size() + static_cast<size_t>(channel)]);
  }
  return out;
}

/// (T) numbers of one level and channel of (K,C,T).
std::vector<double> part_of(const std::vector<double>& all, size_t place, size_t steps) {
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(place * steps);
  return {first, first + static_cast<std::ptrdiff_t>(steps)};
}

}  // namespace

ForecastPlot forecast_plot(const ForecastResult& result, size_t index, int64_t channel,
                           const SeriesSet& set, int64_t shown) {
  const SeriesForecast& f = result.series.at(index);
  ForecastPlot out = plot_of_past(set, f.series, channel, f.origin, shown);
  const auto steps = static_cast<size_t>(result.horizon), c = static_cast<size_t>(channel);
  out.stamps = f.stamps;
  out.forecast = part_of(f.values, c, steps);
  for (size_t k = 0; k < result.levels.size(); ++k) {
    const size_t place = k * result.channels.size() + c;
    out.bands.push_back(
        {result.levels[k], part_of(f.low, place, steps), part_of(f.high, place, steps)});
  }
  return out;
}

ForecastPlot backtest_forecast_plot(const BacktestResult& result, size_t index,
                                    const SeriesSet& set, int64_t shown) {
  const BacktestForecast& f = result.forecasts.at(index);
  ForecastPlot out = plot_of_past(set, f.series, f.channel, f.origin, shown);
  const Series& s = set.series.at(static_cast<size_t>(f.series));
  const size_t steps = f.forecast.size();
  for (size_t t = 0; t < steps; ++t)
    out.stamps.push_back(advance(s.start, set.frequency, f.origin + static_cast<int64_t>(t)));
  out.forecast = f.forecast;
  out.actual = f.target;
  for (size_t k = 0; k < result.levels.size(); ++k)
    out.bands.push_back({result.levels[k], part_of(f.low, k, steps), part_of(f.high, k, steps)});
  return out;
}

BacktestPlot backtest_plot(const BacktestResult& result) {
  BacktestPlot out;
  out.windows = result.windows;
  for (const Metric metric : {Metric::mae, Metric::mase}) {
    MetricPlot plot{std::string(name_of(metric)), {}};
    for (const MethodScores& m : result.methods) {
      MethodError error{m.method, {}, m.errors.overall().value(metric)};
      for (const ErrorSums& step : m.errors.steps) error.by_step.push_back(step.value(metric));
      plot.methods.push_back(std::move(error));
    }
    out.metrics.push_back(std::move(plot));
  }
  for (const MethodScores& m : result.methods) {
    if (m.intervals.levels.empty()) continue;
    CoverageCurve curve{m.method, m.intervals.levels, {}};
    for (size_t k = 0; k < curve.levels.size(); ++k)
      curve.coverage.push_back(m.intervals.overall(k).coverage());
    out.coverage.push_back(std::move(curve));
  }
  return out;
}

PatchPlot patch_plot(const PatchViews& views, size_t index, const SeriesSet& set) {
  const PatchView& v = views.windows.at(index);
  const std::string& name = set.channels.at(static_cast<size_t>(v.channel));
  PatchPlot out;
  out.title = title_of(set.series.at(static_cast<size_t>(v.series)), name);
  out.value_label = name;
  out.dates = set.frequency.unit != Unit::index;
  out.stamps = v.stamps;
  out.values = v.values;
  out.entropy = v.entropy;
  out.begins = v.begins;
  out.thresholds = views.thresholds;
  return out;
}

TrainingPlot training_plot(const attn::train::TrainResult& result, const std::string& title,
                           const std::string& loss_label) {
  TrainingPlot out;
  out.title = title;
  out.loss_label = loss_label;
  for (const attn::train::EpochRecord& e : result.history) {
    out.train.push_back(e.loss);
    out.validation.push_back(e.validation_columns.empty() ? std::numeric_limits<double>::quiet_NaN()
                                                          : e.validation_columns.front());
  }
  out.best = result.history.empty() ? 0 : result.best_epoch + 1;
  return out;
}

}  // namespace timeseries
