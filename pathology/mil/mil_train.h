// Training one MIL model on a set of bags.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "libattn/nn/entropy_regulariser.h"
#include "libattn/train/metrics.h"
#include "libattn/train/trainer.h"
#include "pathology/mil/bag.h"
#include "pathology/mil/model.h"
#include "pathology/mil/scaler.h"
#include "pathology/mil/splits.h"

namespace pathology {

/// Everything that determines a training run besides the bags. `model.input` and `model.classes`
/// are taken from the bags.
///
/// Four defaults differ from AEM's code (lr 1e-4, no dropout, no clip, all instances). They were
/// chosen by cross-validation inside training parts only: 3 outer folds of MUSK1 and Elephant set
/// apart, 5 folds x 2 repeats within the rest, AEM 0.1, one setting for both sets; mean accuracy
/// and AUC: 0.834, 0.901 with AEM's values; 0.847, 0.905 with lr 3e-4 and dropout 0.5; 0.831, 0.909
/// with values clipped (at 3); 0.851, 0.919 with all three (clip at 5). Then, on other parts and
/// the same folds (MUSK1 5 x 5, Elephant 1 x 5), with 0.7 of the instances a step instead of all:
/// 0.837, 0.907 instead of 0.827, 0.908 on MUSK1; 0.870, 0.940 instead of 0.860, 0.938 on Elephant.
struct MilConfig {
  MilConfig() {
    model.dropout = 0.5;
    optimisation.lr = 3e-4;
  }

  ModelConfig model;
  attn::nn::EntropyRegulariser aem;
  attn::train::TrainOptions optimisation;  ///< seed and all
  double subsampling = 0.7;  ///< r in (0,1]: floor(r N), at least 1, instances a step, drawn afresh
  bool standardise = true;   ///< columns to mean 0 and sd 1 over the training instances
  double clip = 5;           ///< standardised values stay within +/- clip; 0: unlimited
};
void to_json(nlohmann::json& j, const MilConfig& c);
/// Throws Error for ill-typed values and unknown words.
void from_json(const nlohmann::json& j, MilConfig& c);
/// Throws UsageError for values out of range or without any effect: an AEM weight on a model
/// without attention, more epochs at least than at all.
void check(const MilConfig& c);

/// The configuration with the network's input and output sizes as the bags have them.
MilConfig for_bags(MilConfig config, const BagSet& set);

struct FittedModel {
  MilModel model;
  Scaler scaler;
};

struct FitResult {
  FittedModel fitted;  ///< of the best validation epoch, or of the last without validation
  attn::train::TrainResult training;
};

/// Trains on `split.train`; with a validation part, its cross-entropy selects the epoch (score =
/// -CE) and stops early after `optimisation.patience` epochs without a better one. Test bags are
/// not touched. Throws Error, Interrupted.
FitResult fit(const BagSet& set, const Split& split, const MilConfig& config,
              const attn::train::TrainFiles& files, const attn::Hooks& hooks);

/// Bytes that the bags in memory take, that a step on the largest bag takes besides, and that `fit`
/// takes at most.
double bag_bytes(const BagSet& set);
double step_bytes(const BagSet& set, const MilConfig& config);
double training_bytes(const BagSet& set, const MilConfig& config);

/// Digest of everything that determines `fit`'s result: configuration, data, training and
/// validation bags.
std::string fit_fingerprint(const BagSet& set, const Split& split, const MilConfig& config);

}  // namespace pathology
