// Inside timeseries/model: the patcher of a model, trained once and kept while the rest goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "libattn/train/trainer.h"
#include "timeseries/model/fit_model.h"
#include "timeseries/patch/patcher.h"
#include "timeseries/window/batch.h"

namespace timeseries {

struct PatcherFit {
  EntropyPatcher patcher;
  attn::train::TrainResult result;  ///< no history where the rule needs no entropies
  double validation = 0;            ///< cross-entropy, nats; NaN without
  double mean_length = 0;           ///< of patches, over the windows the thresholds were fitted on
};

struct PatcherJob {
  const SeriesSet& set;
  const Split& split;
  const ModelOptions& options;  ///< resolved
  const Scaler& scaler;
  std::string digest;  ///< of data, split and scaling
};

/// Tokeniser, entropy model and thresholds by the training rows; the epoch by the validation rows.
PatcherFit fit_patcher(const PatcherJob& job, const FitFiles& files, const attn::Hooks& hooks);

/// Names in a fit's folder.
inline constexpr const char* kEntropyModelFile = "entropy-model.safetensors";
inline constexpr const char* kEntropyCheckpoint = "entropy-checkpoint.safetensors";
inline constexpr const char* kEntropyMetrics = "entropy-metrics.csv";

/// Windows that the entropy model is trained on, without the forecaster's horizon: (1 + values).
int64_t count_entropy_windows(const SeriesSet& set, std::span<const RowSpan> ranges,
                              const ModelOptions& options);

}  // namespace timeseries
