// From series to a trained model: scaling, entropy model, patches, forecaster, intervals.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "attn/hooks.h"
#include "libattn/train/trainer.h"
#include "timeseries/forecast/evaluate.h"
#include "timeseries/model/forecast_model.h"
#include "timeseries/model/model_options.h"
#include "timeseries/series/series.h"
#include "timeseries/window/plan.h"
#include "timeseries/window/split.h"

namespace timeseries {

/// Where a training leaves its traces and goes on from; no folder: nowhere.
struct FitFiles {
  std::filesystem::path folder;    ///< metrics.csv, entropy-metrics.csv; while unfinished
                                   ///< checkpoint.safetensors, entropy-checkpoint.safetensors,
                                   ///< entropy-model.safetensors
  double checkpoint_seconds = 10;  ///< 0: every epoch
  bool resume = true;
};

struct ModelFit {
  ForecastModel model;
  attn::train::TrainResult entropy, forecaster;  ///< no history where there was nothing to train
  Errors validation;  ///< standardised, over all validation windows; no windows: NaN
};

/// Trains on the windows whose forecast lies in split.train; chooses the epoch, and takes the
/// residuals of the intervals, by those in split.validation; looks at nothing else of the set.
/// Scaling is fitted on the training rows. A killed call goes on when made again with the same
/// arguments and gives the same model, byte for byte. Warns of constant columns, series left out
/// and intervals that rest on too little. Throws Error where no training window is left;
/// UsageError; Interrupted.
ModelFit fit_model(const SeriesSet& set, const Split& split, const ModelOptions& options,
                   const FitFiles& files, const attn::Hooks& hooks);

/// As fit_model, but a model of the same digest that stands in the folder is taken as it is
/// (`history` is empty then), and a new one is saved there as model.safetensors, its checkpoints
/// removed. Without a folder: fit_model.
ModelFit kept_fit(const SeriesSet& set, const Split& split, const ModelOptions& options,
                  const FitFiles& files, const attn::Hooks& hooks);

/// The windows that a fit trains on; `options` resolved. Throws Error where there is none.
WindowPlan training_windows(const SeriesSet& set, const Split& split, const ModelOptions& options);

/// Removes the checkpoints of a finished or given-up training.
void remove_checkpoints(const FitFiles& files);

/// Digest of everything that decides the model.
std::string fit_digest(const SeriesSet& set, const Split& split, const ModelOptions& options);

/// What a fit will take, before it begins; nothing is trained. estimate_fit throws Error as
/// training_windows.
struct FitEstimate {
  int64_t train_windows = 0, validation_windows = 0;  ///< of one channel each
  int64_t steps = 0;                                  ///< of the forecaster, over all epochs
  int64_t entropy_steps = 0;
  double bytes = 0;  ///< of memory: series, cuts, and one step
};
FitEstimate estimate_fit(const SeriesSet& set, const Split& split, const ModelOptions& options);
/// "49,000 windows, at most 1,640 steps, about 0.3 GB of memory".
std::string told(const FitEstimate& estimate);

}  // namespace timeseries
