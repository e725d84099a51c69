// Training of the entropy model on windows of the training part.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "libattn/train/trainer.h"
#include "timeseries/patch/entropy_model.h"
#include "timeseries/patch/tokeniser.h"

namespace timeseries {

/// `count` windows by number.
struct WindowsByNumber {
  int64_t count = 0;
  /// Windows of these numbers: (N,L+1) fp32 or fp64, NaN = missing; the last value is only ever a
  /// target, and takes no part in the scale.
  std::function<at::Tensor(std::span<const int64_t>)> get;
};

/// What the model learns from, and what stops it. No windows to validate on: all epochs are taken.
struct EntropyData {
  WindowsByNumber train, validation;
  std::string fingerprint;  ///< of the data: a checkpoint of other data is refused
};

struct EntropyTrainOptions {
  EntropyTrainOptions();  ///< the settings of `train` that this model learns well by

  attn::train::TrainOptions train;
  int64_t windows_per_epoch = 8192;   ///< drawn anew for each epoch, no window twice; 0: all
  int64_t validation_windows = 4096;  ///< evenly spaced, for early stopping; 0: all
  double dropout = 0.1;
  double blur = 2;  ///< as EntropyLoss
};

void to_json(nlohmann::json& j, const EntropyTrainOptions& options);
/// A missing key leaves the field as it is. Throws Error naming the key.
void from_json(const nlohmann::json& j, EntropyTrainOptions& options);
/// Throws UsageError, one sentence, on the first option out of its range.
void check(const EntropyTrainOptions& options);

/// The published settings: AdamW of rate 1e-3, betas 0.9 and 0.95, decay 0.05, cosine, clipped at
/// 1, 896 windows a step, all windows in every epoch, no blur. (There the rate ends at 5 %, here at
/// 0, and the five vectors that scale norms are not decayed.)
EntropyTrainOptions reference_entropy_training();

/// `count` of 0 ... total - 1, evenly spaced; all where count is 0 or not below total.
std::vector<int64_t> spaced_numbers(int64_t total, int64_t count);

/// Mean cross-entropy (nats) of the values that follow others in the windows `numbers`, missing
/// ones left out; NaN where there are none.
double mean_cross_entropy(const EntropyModel& model, const Tokeniser& tokeniser,
                          const WindowsByNumber& windows, std::span<const int64_t> numbers,
                          const attn::Hooks& hooks = {});

struct EntropyTraining {
  EntropyModel model;  ///< of the best epoch
  attn::train::TrainResult result;
  double validation = 0;  ///< cross-entropy of all validation windows, nats; NaN without any
};

/// Trains a new model, drawn from derive_seed(seed, "entropy-model") of options.train.seed.
/// metrics: loss (the training loss, with dropout and blur), validation cross-entropy. Throws Error
/// for no training windows and as attn::train::train does; Interrupted.
EntropyTraining train_entropy_model(const EntropyModelOptions& model, const Tokeniser& tokeniser,
                                    const EntropyData& data, const EntropyTrainOptions& options,
                                    const attn::train::TrainFiles& files,
                                    const attn::Hooks& hooks = {});

}  // namespace timeseries
