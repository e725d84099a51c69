// How a model would have done: forecasts from origins of the past, beside those without a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "timeseries/model/fit_model.h"
#include "timeseries/model/forecast_model.h"
#include "timeseries/score/backtest.h"
#include "timeseries/series/series.h"

namespace timeseries {

struct BacktestModelOptions {
  int64_t horizon = 0;  ///< 0: as trained; else at most that
  int64_t windows = 8;  ///< origins of each series; 0: as many as fit behind the training rows
  int64_t stride = 0;   ///< rows between origins; 0: the horizon
  std::vector<double> levels{0.8, 0.95};
  /// 0: the model as it is. k >= 1: trained anew, with the same options, on the rows before the
  /// origin at every k-th window from the first. Not set: once, before the first window, where the
  /// model has seen rows that are to be forecast (of fewer windows, where the rows before the first
  /// would not do); else not at all.
  std::optional<int64_t> refit_every;
  bool naive = true;           ///< last value and seasonal naive beside
  bool dlinear = true;         ///< DLinear, trained on the rows before the first origin, beside
  int64_t season = 0;          ///< of MASE and seasonal naive; 0: the model's
  bool keep_forecasts = true;  ///< of the model, window by window
  FitFiles files;              ///< of refits: a folder for each in it
};

/// One forecast of the backtest, for tables and pictures.
struct BacktestForecast {
  int64_t series = 0, channel = 0, origin = 0;
  std::vector<double> target, forecast;  ///< (T)
  std::vector<double> low, high;         ///< (K,T)
};

struct BacktestResult {
  int64_t horizon = 0, stride = 0, season = 1;
  std::vector<double> levels;
  int64_t windows = 0;         ///< origins times channels, of all series
  bool knows_targets = false;  ///< the model has seen rows that it forecasts: errors are too small
  int64_t refits = 0;          ///< trainings of the model
  std::vector<MethodScores> methods;        ///< the model first; in the units of the data
  std::vector<BacktestForecast> forecasts;  ///< of the model
  std::vector<std::string> short_series;    ///< ids of those too short, left out
  int64_t empty_lookbacks = 0;  ///< windows left out since their look-back holds no value
};

/// Rows behind an origin enter nothing that is forecast from it: not the scaling, not a refit, not
/// the intervals. Every window counts. MASE is scaled by the rows before the first origin. Warns
/// where the model has seen what it forecasts, and where fewer windows are taken. Throws Error:
/// columns of another model, no series long enough; UsageError; Interrupted.
BacktestResult backtest_model(const ForecastModel& model, const SeriesSet& set,
                              const BacktestModelOptions& options, const attn::Hooks& hooks);

/// {"horizon", "stride", "season", "windows", "refits", "methods": {NAME: {"mae", ..., "coverage":
/// {"80": ...}, "width": ..., "interval_score": ..., "by_step": {"mae": [...], ...}}},
/// "method_order",
/// ...}; undefined values are null.
nlohmann::json to_json(const BacktestResult& result);

/// CSV or Parquet by extension: series, channel, origin (the last known stamp), step, stamp,
/// target, forecast, lower-80, upper-80, ...
void write_backtest_forecasts(const std::filesystem::path& path, const BacktestResult& result,
                              const SeriesSet& set);

/// How many of a series' first rows a model has met.
struct RowsSeen {
  int64_t trained = 0, seen = 0;  ///< by training; by training or validation
};
/// Of each series of `set`, by the ids and stamps that the model file holds; none of a series that
/// it does not know. A series without an id counts as any that the model knows, and a model of one
/// without an id as knowing all: the same rows may come in another layout.
std::vector<RowsSeen> rows_seen(const ForecastModel& model, const SeriesSet& set);

}  // namespace timeseries
