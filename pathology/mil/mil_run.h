// The verbs of attn-mil over bags: train, evaluate, predict. (Cross-validation:
// cross_validation.h.)
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/mil/bag.h"
#include "pathology/mil/mil_model_file.h"
#include "pathology/mil/mil_train.h"
#include "pathology/mil/predict.h"
#include "pathology/mil/splits.h"

namespace pathology {

struct TrainRunOptions {
  MilConfig config;
  SplitOptions split;  ///< its seed is config.optimisation.seed unless `split_file` is given
  std::filesystem::path split_file;  ///< a splits.csv to use instead
  int64_t bootstrap = 1000;          ///< resamples of the intervals
  double checkpoint_seconds = 10;
};

/// Metrics of one part of `set`: {"n", "auc", "accuracy", "balanced_accuracy", "f1", "intervals":
/// {...: [low, high]}, "level", "resamples", "confusion", "entropy", "entropy_normalised"}
/// (entropies: mean over bags; intervals: by patients; undefined values are null).
nlohmann::json part_metrics(const BagSet& set, const std::vector<BagPrediction>& predictions,
                            uint64_t seed, int64_t bootstrap);

struct TrainRunResult {
  MilModelFile model;
  Split split;
  std::vector<BagPrediction> predictions;  ///< all bags, in the set's order
  std::vector<std::string> part;           ///< of each prediction
  attn::train::TrainResult training;
  nlohmann::json metrics;  ///< {"train": {...}, "validation": {...}, "test": {...}}
};

/// Splits, trains, predicts all parts and writes into `run`: splits.csv, source.json (where the
/// bags are), metrics.csv, model.safetensors, predictions.csv, checkpoint.safetensors while
/// unfinished. A killed run goes on when called again with the same arguments. An earlier run's
/// model, predictions and report.html stand beside the new splits.csv as NAME.stale until the new
/// model is there.
TrainRunResult train_run(const BagSet& set, const TrainRunOptions& options,
                         const std::filesystem::path& run, const attn::Hooks& hooks);

/// The files that `train_run` leaves in `run`, whether they are there or not.
std::vector<std::filesystem::path> files_of_training(const std::filesystem::path& run);
/// Whether all of them are there, and the model whole. Throws attn::StorageError where that cannot
/// be told, NewerFormat.
bool training_stands(const std::filesystem::path& run);

/// The split that `train_run` makes, or takes from `split_file`.
Split split_for(const BagSet& set, const TrainRunOptions& options);
/// Whether `model` was trained on these bags with this split. The configuration is not compared.
bool trained_on(const MilModelFile& model, const BagSet& set, const Split& split);

struct EvaluateOptions {
  std::filesystem::path bags,
      labels;  ///< empty: those of the run, with its split; else these bags are test bags, less
               ///< those that the run's split has, or has others of their patients, in training
  LabelOptions label_options;
  int64_t bootstrap = 1000;
  uint64_t seed = 0;
};

struct EvaluateResult {
  std::vector<BagPrediction> predictions;
  std::vector<std::string> part;
  std::vector<std::string> classes;
  BagSet set;
  nlohmann::json metrics;  ///< {"validation": {...}, "test": {...}}; other bags: {"test": {...}}
};

/// Loads `run`/model.safetensors, its bags and its split, and predicts validation and test bags.
/// Bags that the split does not name are left out. Warns when the bags changed since training, when
/// some of the split are gone, when other bags or their patients were trained on, and when nothing
/// tells that. Throws Error when a file of the
/// run is missing or does not fit, its training has not ended, or all bags were trained on;
/// UsageError for labels without bags.
EvaluateResult evaluate_run(const std::filesystem::path& run, const EvaluateOptions& options,
                            const attn::Hooks& hooks);

/// `run` is a run directory or a model file: the path of the model.
std::filesystem::path model_path(const std::filesystem::path& run);

}  // namespace pathology
