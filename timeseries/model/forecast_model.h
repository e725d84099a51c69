// A trained model and its file: all that a forecast in the units of the data needs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "timeseries/forecast/entrope.h"
#include "timeseries/forecast/forecaster.h"
#include "timeseries/model/model_options.h"
#include "timeseries/patch/patcher.h"
#include "timeseries/score/conformal.h"
#include "timeseries/series/read.h"
#include "timeseries/series/series.h"
#include "timeseries/window/batch.h"
#include "timeseries/window/scaler.h"

namespace timeseries {

/// 2: forecasts of EntroPE may be blended with naive ones.
inline constexpr int64_t kForecastModelVersion = 2;
/// The levels of the intervals that every model file holds: 5, 10, ..., 95, 97.5, 98, 99 %.
const std::vector<double>& stored_levels();

struct ForecastModel {
  ModelOptions options;  ///< resolved
  std::vector<std::string> channels, past_names, future_names, static_names;
  Frequency frequency;
  Scaler scaler;  ///< of the training rows
  std::optional<EntropyPatcher> patcher;
  std::shared_ptr<const Forecaster> forecaster;
  ConformalIntervals intervals;  ///< at stored_levels(); no levels: validation told nothing
  nlohmann::json training;       ///< data digest, rows of each part, windows, epochs
  nlohmann::json metrics;        ///< {"validation": {"mse", "mae", ...}, "test": ...}

  int64_t lookback() const { return options.lookback; }
  int64_t horizon() const { return options.horizon; }
  int64_t season() const { return options.season.value_or(1); }
  /// Numbers that were learned: forecaster and entropy model.
  int64_t parameters() const;
};

/// Atomic. The series' ids are written where scaling is by series.
void save_forecast_model(const std::filesystem::path& path, const ForecastModel& model);
/// Throws Error: see attn::train::load_model_file and require_tensor; also a configuration that
/// does not fit the tensors.
ForecastModel load_forecast_model(const std::filesystem::path& path);
/// The model of a run directory, or of a model file. Throws Error where a directory has none.
std::filesystem::path model_path_of(const std::filesystem::path& run);

/// What `info` tells: kind, network, sizes, columns, frequency, patching, training, metrics.
nlohmann::json describe(const ForecastModel& model);

/// `options` with the columns that the model was trained on, where they name none.
ReadOptions reading_for(const ForecastModel& model, ReadOptions options);

/// read_series with reading_for; where a column of the model is absent the Error tells that.
Reading read_for(const ForecastModel& model, const std::filesystem::path& path,
                 const ReadOptions& options);

/// Throws Error where `set` has other channels, covariates or another frequency than the model.
void require_same_columns(const ForecastModel& model, const SeriesSet& set);

/// Windows of `set` standardised as the model's are. Moments of series that the model does not know
/// are those of the rows `known` (one range per series; empty: all of them).
WindowSource source_for(const ForecastModel& model, const SeriesSet& set,
                        std::span<const RowSpan> known = {});
/// The scaler that source_for standardises by.
Scaler scaler_of(const ForecastModel& model, const SeriesSet& set,
                 std::span<const RowSpan> known = {});

/// How a patcher cuts and tokenises for a forecaster.
Patching patching_of(const EntropyPatcher& patcher);
/// The forecaster's options as JSON, for make_forecaster; `options` resolved.
nlohmann::json forecaster_options(const ModelOptions& options);

}  // namespace timeseries
