// Repeated k-fold cross-validation without a look at the test fold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "libattn/train/metrics.h"
#include "pathology/mil/bag.h"
#include "pathology/mil/mil_train.h"
#include "pathology/mil/predict.h"

namespace pathology {

struct CrossValidationOptions {
  MilConfig config;
  int64_t folds = 10;
  int64_t repeats = 5;
  bool stratified = false;
  double validation = 0;  ///< fraction of each fold's training patients set apart to stop early; 0:
                          ///< the last epoch is taken
  int threads = 1;  ///< folds trained at once, one thread each; the result does not depend on it
  /// Finished folds are kept here and not trained again when the same run is called again; empty:
  /// nowhere.
  std::filesystem::path cache;
};

struct CrossValidationRepeat {
  attn::train::ClassificationMetrics metrics;  ///< pooled over the folds: every bag is tested once
  double entropy = 0;  ///< mean normalised entropy of test bags with more than one instance
  std::vector<BagPrediction> predictions;  ///< one per bag, in the set's order
  std::vector<int64_t> fold;               ///< in which fold each bag was tested
};

struct CrossValidationResult {
  std::vector<CrossValidationRepeat> repeats;
  attn::train::MeanSd accuracy, auc, balanced_accuracy, f1, entropy;  ///< over repeats
  double seconds = 0;
};

/// Repeat r, fold f is trained from seeds derived from (seed, r, f): the result is the same for any
/// number of threads. hooks.report counts folds. Throws Error, Interrupted.
CrossValidationResult cross_validate(const BagSet& set, const CrossValidationOptions& options,
                                     const attn::Hooks& hooks);

/// What cross_validate throws for `options` and the labels and patients of `set`, whose features it
/// does not need: told before features are made.
void check_cross_validation(const BagSet& set, const CrossValidationOptions& options);

/// Bytes held at most meanwhile.
double cross_validation_bytes(const BagSet& set, const CrossValidationOptions& options);

/// {"accuracy":{"mean","sd"}, "auc":..., "balanced_accuracy":..., "f1":..., "entropy":...,
/// "repeats":[...], "folds", "bags", "seconds"}; undefined values are null.
nlohmann::json to_json(const CrossValidationResult& result, const BagSet& set,
                       const CrossValidationOptions& options);

/// CSV: repeat, fold and the columns of write_predictions. Atomic.
void write_cv_predictions(const std::filesystem::path& path, const BagSet& set,
                          const CrossValidationResult& result);

}  // namespace pathology
