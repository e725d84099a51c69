// The run directory of a trained model.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "timeseries/model/fit_model.h"
#include "timeseries/model/model_split.h"

namespace timeseries {

struct TrainRunOptions {
  ModelOptions model;
  SplitOptions split;
  double checkpoint_seconds = 10;
  bool resume = true;
};

struct TrainRunResult {
  ModelFit fit;
  Split split;
  nlohmann::json metrics;  ///< {"validation": {"mse", "mae", "coverage": {"80": ...}}, "test": ...}
};

/// Splits, trains, tests where there is a test part, and writes into `run` model.safetensors,
/// metrics.csv, entropy-metrics.csv, checkpoints while unfinished. A killed run goes on when called
/// again with the same arguments. Throws as fit_model does.
TrainRunResult train_run(const SeriesSet& set, const TrainRunOptions& options,
                         const std::filesystem::path& run, const attn::Hooks& hooks);

/// The files that `train_run` may write into `run`, whether they are there or not.
std::vector<std::filesystem::path> files_of_training(const std::filesystem::path& run);
/// Whether `run` holds a whole model trained on this set with these options. Throws StorageError,
/// NewerFormat.
bool training_stands(const std::filesystem::path& run, const SeriesSet& set,
                     const TrainRunOptions& options);

}  // namespace timeseries
