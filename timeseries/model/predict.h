// Forecasts beyond the end of series, in the units of the data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "timeseries/model/forecast_model.h"
#include "timeseries/series/series.h"
#include "timeseries/series/write_forecast.h"
#include "timeseries/window/plan.h"

namespace timeseries {

struct PredictOptions {
  int64_t horizon = 0;         ///< 0: as trained; else at most that
  std::vector<double> levels;  ///< of intervals, in (0, 1); empty: none
  int64_t least_rows = 0;      ///< of a series; 0: a quarter of the look-back; what is short of the
                               ///< look-back is missing
  int64_t batch = 896;         ///< windows at once: memory, not results
};

/// The forecast of all channels of one series; K levels, C channels, T steps.
struct SeriesForecast {
  int64_t series = 0;  ///< its place in the set
  std::string id;
  int64_t origin = 0;             ///< rows known
  std::vector<Instant> stamps;    ///< (T)
  std::vector<double> values;     ///< (C,T)
  std::vector<double> low, high;  ///< (K,C,T)
};

/// An item that could not be done, and why in one sentence.
struct ForecastFailure {
  std::string id, sentence;
};

struct ForecastResult {
  int64_t horizon = 0;
  std::vector<double> levels;
  std::vector<std::string> channels;
  std::vector<SeriesForecast> series;  ///< in the set's order
  std::vector<ForecastFailure> failures;
};

/// Forecasts the rows behind the last of every series. A series that is too short or whose
/// look-back holds no value of some channel is a failure, the others go on. A forecast depends on
/// its series alone, whatever else is in the set. Throws Error: columns or frequency of another
/// model, covariates known ahead that end too soon; UsageError: a horizon longer than trained,
/// levels that the model cannot give; Interrupted.
ForecastResult predict(const ForecastModel& model, const SeriesSet& set,
                       const PredictOptions& options, const attn::Hooks& hooks);

/// One row a step: "forecast", then "lower-80", "upper-80", ... by level.
ForecastTable forecast_table(const ForecastResult& result);

/// CSV "item,reason". Where there are none an older file is removed.
void write_failures(const std::filesystem::path& path, std::span<const ForecastFailure> failures);

/// Forecasts of any windows of a set, (N,T) in the units of the data, batch by batch.
struct WindowForecasts {
  std::vector<double> values;  ///< (N,T)
};
WindowForecasts forecast_windows(const ForecastModel& model, const WindowSource& source,
                                 const Scaler& scaler, std::span<const Window> windows,
                                 const attn::Hooks& hooks, int64_t batch = 896);

}  // namespace timeseries
