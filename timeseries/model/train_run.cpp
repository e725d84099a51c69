#include "timeseries/model/train_run.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "attn/error.h"
#include "attn/probe.h"
#include "timeseries/model/channel_columns.h"
#include "timeseries/model/entropy_stage.h"
#include "timeseries/model/fit_files.h"
#include "timeseries/model/intervals.h"
#include "timeseries/model/predict.h"
#include "timeseries/model/unit_errors.h"
#include "timeseries/score/interval_metrics.h"
#include "timeseries/score/naive.h"

namespace timeseries {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json number(double v) {
  return std::isfinite(v) ? json(v) : json();
}

const std::vector<double>& told_levels() {
  static const std::vector<double> levels{0.5, 0.8, 0.95};
  return levels;
}

/// Methods without a model, by the names that backtests have for them.
struct Naive {
  UnitErrors season, last;

  void add(std::span<const double> target, std::span<const double> past, int64_t season_length,
           double unit) {
    const auto steps = static_cast<int64_t>(target.size());
    season.add(target, seasonal_naive(past, season_length, steps), unit);
    last.add(target, last_value(past, steps), unit);
  }
  json told(int64_t season_length) const {
    json out = json::object();
    const auto put = [&](const char* name, const Errors& e) {
      out[name] = {{"mse", number(e.mse)}, {"mae", number(e.mae)}};
    };
    put("last-value", last.errors());
    if (season_length > 1) put("seasonal-naive", season.errors());
    return out;
  }
};

/// Errors in standard deviations of the data, beside those of naive methods, and coverage over the
/// windows of one part; null without any.
json part_metrics(const ForecastModel& model, const SeriesSet& set,
                  const std::vector<RowSpan>& rows, const attn::Hooks& hooks) {
  const std::vector<Window> windows =
      plan_windows(set, rows, {model.lookback(), model.horizon(), 1, 0}).windows;
  if (windows.empty()) return {};
  const bool bounds = !model.intervals.levels.empty();
  const ConformalIntervals intervals =
      intervals_at(model.intervals, bounds ? told_levels() : std::vector<double>());
  HorizonIntervals sums(told_levels(), model.horizon());
  UnitErrors errors;
  Naive naive;
  ChannelColumns columns(set);
  std::vector<double> forecast(static_cast<size_t>(model.horizon()));
  const auto take = [&](std::span<const Window> part, const at::Tensor& given,
                        const at::Tensor& /*target*/) {
    const at::Tensor y = given.to(at::kFloat).contiguous();
    const auto* value = y.const_data_ptr<float>();
    for (const Window& w : part) {
      const Moments& m = model.scaler.of(w.series, w.channel);
      for (double& f : forecast) f = m.undo(static_cast<double>(*value++));
      const auto column = columns.of(w.series, w.channel);
      const auto past = column.first(static_cast<size_t>(w.origin));
      const auto target = column.subspan(past.size(), forecast.size());
      errors.add(target, forecast, m.unit());
      naive.add(target, past, model.season(), m.unit());
      if (!bounds) continue;
      const double scale =
          interval_scale(past, model.lookback(), model.season(), model.options.intervals.scaled, m);
      const IntervalBounds b = bounds_of(intervals, w.channel, forecast, scale);
      sums.add(target, b.low, b.high, m.unit());
    }
  };
  evaluate(*model.forecaster, source_for(model, set), windows, hooks, take);
  const Errors found = errors.errors();
  json out = {{"mse", number(found.mse)},
              {"mae", number(found.mae)},
              {"windows", found.windows},
              {"values", found.values},
              {"naive", naive.told(model.season())}};
  for (size_t k = 0; bounds && k < told_levels().size(); ++k)
    out["coverage"][fmt::format("{:.6g}", 100 * told_levels()[k])] =
        number(sums.overall(k).coverage());
  return out;
}

/// Warns of a model that a naive method equals, by the last part there is.
void compare_with_naive(const ForecastModel& model, const json& metrics, const SeriesSet& set,
                        const attn::Hooks& hooks) {
  if (model.options.network == Network::seasonal_naive) return;
  const char* part = metrics.contains("test") ? "test" : "validation";
  if (!metrics.contains(part) || !metrics[part]["mae"].is_number()) return;
  const auto own = metrics[part]["mae"].get<double>();
  for (const auto& [name, errors] : metrics[part]["naive"].items())
    if (errors["mae"].is_number() && errors["mae"].get<double>() <= own)
      hooks.warning(
          fmt::format("{}: on the {} rows the model is no better than {}: mean absolute "
                      "error {:.4g}, of the naive method {:.4g}",
                      name_of(set), part, name, own, errors["mae"].get<double>()));
}

FitFiles files_of(const TrainRunOptions& options, const fs::path& run) {
  return {run, options.checkpoint_seconds, options.resume};
}

}  // namespace

TrainRunResult train_run(const SeriesSet& set, const TrainRunOptions& options, const fs::path& run,
                         const attn::Hooks& hooks) {
  check(options.model);
  TrainRunResult out;
  out.split = tail_split(set, options.model.horizon, options.split);
  const FitFiles files = files_of(options, run);
  out.fit = fit_model(set, out.split, options.model, files, hooks);
  ForecastModel& model = out.fit.model;
  json metrics = json::object();
  const attn::ProbePause repeated;  // the attention of training and validation is told already
  const std::pair<const char*, const std::vector<RowSpan>*> parts[] = {
      {"validation", &out.split.validation}, {"test", &out.split.test}};
  for (const auto& [name, rows] : parts)
    if (json part = part_metrics(model, set, *rows, hooks); !part.is_null())
      metrics[name] = std::move(part);
  compare_with_naive(model, metrics, set, hooks);
  model.metrics = metrics;
  out.metrics = std::move(metrics);
  save_forecast_model(run / kModelFile, model);
  remove_checkpoints(files);
  return out;
}

std::vector<fs::path> files_of_training(const fs::path& run) {
  std::vector<fs::path> out;
  for (const char* name : {kModelFile, kMetricsFile, kEntropyMetrics, kCheckpointFile,
                           kEntropyCheckpoint, kEntropyModelFile, kFitFile})
    out.push_back(run / name);
  return out;
}

bool training_stands(const fs::path& run, const SeriesSet& set, const TrainRunOptions& options) {
  const fs::path path = run / kModelFile;
  if (!fs::exists(path)) return false;
  check(options.model);
  const Split split = tail_split(set, options.model.horizon, options.split);
  try {
    return load_forecast_model(path).training.value("fit_digest", "") ==
           fit_digest(set, split, options.model);
  } catch (const attn::NewerFormat&) {
    throw;
  } catch (const attn::StorageError&) {
    throw;
  } catch (const attn::Error&) {
    return false;
  }
}

}  // namespace timeseries
