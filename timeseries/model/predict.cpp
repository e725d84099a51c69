#include "timeseries/model/predict.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "libattn/io/csv.h"
#include "timeseries/model/channel_columns.h"
#include "timeseries/model/forecast_parts.h"
#include "timeseries/model/intervals.h"

namespace timeseries {
namespace {

/// Forecasts of the series of a set that can be forecast, all windows at once.
class Prediction {
 public:
  Prediction(const ForecastModel& model, const SeriesSet& set, const PredictOptions& options)
      : model_(model), set_(set), options_(options), channels_(set.channels.size()) {
    out_.horizon = chosen_horizon(model, options.horizon);
    intervals_ = intervals_at(model.intervals, options.levels);
    out_.levels = intervals_.levels;
    out_.channels = set.channels;
    const int64_t least = least_rows(model, options.least_rows);
    for (size_t s = 0; s < set.series.size(); ++s) {
      const Series& series = set.series[s];
      std::string sentence = hindrance(set, series, series.rows, model.lookback(), least);
      if (sentence.empty()) {
        add_windows(static_cast<int32_t>(s), series.rows);
      } else {
        out_.failures.push_back({series.id, std::move(sentence)});
      }
    }
  }

  ForecastResult run(const attn::Hooks& hooks) {
    if (windows_.empty()) return std::move(out_);
    const SeriesSet padded = with_ahead(set_, model_.horizon());
    const Scaler scaler = scaler_of(model_, set_);
    const WindowForecasts all = forecast_windows(model_, source_for(model_, padded), scaler,
                                                 windows_, hooks, options_.batch);
    ChannelColumns columns(set_);
    const auto steps = static_cast<size_t>(model_.horizon());
    for (size_t i = 0; i < windows_.size(); ++i) {
      const Window& w = windows_[i];
      if (w.channel == 0) begin_series(w);
      const double scale =
          interval_scale(columns.of(w.series, w.channel), model_.lookback(), model_.season(),
                         model_.options.intervals.scaled, scaler.of(w.series, w.channel));
      put_channel(out_.series.back(), intervals_, static_cast<size_t>(w.channel),
                  std::span(all.values).subspan(i * steps, steps), scale);
    }
    return std::move(out_);
  }

 private:
  void add_windows(int32_t series, int64_t rows) {
    for (size_t c = 0; c < channels_; ++c)
      windows_.push_back({series, static_cast<int32_t>(c), rows});
  }
  void begin_series(const Window& w) {
    const Series& series = set_.series[static_cast<size_t>(w.series)];
    SeriesForecast forecast = blank_forecast(intervals_.levels.size(), channels_, out_.horizon);
    forecast.series = w.series;
    forecast.id = series.id;
    forecast.origin = series.rows;
    forecast.stamps = future_stamps(series, set_.frequency, out_.horizon);
    out_.series.push_back(std::move(forecast));
  }

  const ForecastModel& model_;
  const SeriesSet& set_;
  const PredictOptions& options_;
  size_t channels_;
  ConformalIntervals intervals_;
  std::vector<Window> windows_;
  ForecastResult out_;
};

}  // namespace

WindowForecasts forecast_windows(const ForecastModel& model, const WindowSource& source,
                                 const Scaler& scaler, std::span<const Window> windows,
                                 const attn::Hooks& hooks, int64_t batch) {
  const c10::NoGradGuard no_grad;
  WindowForecasts out;
  const auto total = static_cast<int64_t>(windows.size()), horizon = model.horizon();
  out.values.reserve(static_cast<size_t>(total * horizon));
  for (int64_t first = 0; first < total; first += batch) {
    hooks.check();
    const int64_t count = std::min(batch, total - first);
    const auto part = windows.subspan(static_cast<size_t>(first), static_cast<size_t>(count));
    const at::Tensor y = model.forecaster->forward(source.gather(part)).to(at::kFloat).contiguous();
    const auto* value = y.const_data_ptr<float>();
    for (const Window& w : part) {
      const Moments& moments = scaler.of(w.series, w.channel);
      for (int64_t t = 0; t < horizon; ++t)
        out.values.push_back(moments.undo(static_cast<double>(*value++)));
    }
    hooks.report("windows", first + count, total);
  }
  return out;
}

ForecastResult predict(const ForecastModel& model, const SeriesSet& set,
                       const PredictOptions& options, const attn::Hooks& hooks) {
  require_same_columns(model, set);
  Prediction prediction(model, set, options);
  if (!set.future_names.empty()) require_ahead(set, chosen_horizon(model, options.horizon));
  return prediction.run(hooks);
}

ForecastTable forecast_table(const ForecastResult& result) {
  ForecastTable table;
  table.names = {"forecast"};
  for (const double level : result.levels) {
    table.names.push_back(fmt::format("lower-{:.6g}", 100 * level));
    table.names.push_back(fmt::format("upper-{:.6g}", 100 * level));
  }
  const auto steps = static_cast<size_t>(result.horizon);
  for (const SeriesForecast& f : result.series) {
    for (size_t i = 0; i < f.values.size(); ++i) {
      table.ids.push_back(f.id);
      table.channels.push_back(result.channels[i / steps]);
      table.instants.push_back(f.stamps[i % steps]);
      table.values.push_back(f.values[i]);
      for (size_t k = 0; k < result.levels.size(); ++k) {
        table.values.push_back(f.low[k * f.values.size() + i]);
        table.values.push_back(f.high[k * f.values.size() + i]);
      }
    }
  }
  return table;
}

void write_failures(const std::filesystem::path& path, std::span<const ForecastFailure> failures) {
  if (failures.empty()) {
    std::error_code ignored;  // an older list is of another run
    std::filesystem::remove(path, ignored);
    return;
  }
  std::vector<std::vector<attn::io::Cell>> rows;
  for (const ForecastFailure& f : failures) rows.push_back({f.id, f.sentence});
  attn::io::write_csv(path, {"item", "reason"}, rows);
}

}  // namespace timeseries
