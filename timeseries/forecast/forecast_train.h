// Training any forecaster on a list of windows.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "attn/hooks.h"
#include "libattn/train/trainer.h"
#include "timeseries/forecast/forecaster.h"
#include "timeseries/window/batch.h"

namespace timeseries {

/// Mean over the known values of e^2, |e|, or Huber's e^2 / 2 up to |e| = 1 and |e| - 1/2 beyond.
enum class Loss { mse, mae, huber };

struct FitOptions {
  Loss loss = Loss::mse;
  attn::train::TrainOptions optimisation;  ///< seed and all; `batch` counts windows of one channel
};
void to_json(nlohmann::json& j, const FitOptions& options);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, FitOptions& options);
/// Throws UsageError, one sentence.
void check(const FitOptions& options);

struct FitData {
  const WindowSource& source;
  std::span<const Window> train, validation;  ///< without validation the last epoch is kept
  std::string digest;  ///< of the data, its scaling, and the patcher: whatever else decides
};

/// Trains `forecaster` in place and leaves it as after its best epoch, by mean squared error on the
/// validation windows, which its share, where it has one, is fitted to. Each window is cut into
/// patches once. Nothing is done where there is nothing to learn. Throws Error, Interrupted as
/// attn::train::train does.
attn::train::TrainResult fit(Forecaster& forecaster, const FitData& data, const FitOptions& options,
                             const attn::train::TrainFiles& files, const attn::Hooks& hooks);

/// Digest of everything that determines the result of `fit`.
std::string fit_fingerprint(const Forecaster& forecaster, const FitData& data,
                            const FitOptions& options);

}  // namespace timeseries
