// Forecasters from their options, new or from a model file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "libattn/train/model_file.h"
#include "timeseries/forecast/entrope.h"
#include "timeseries/forecast/forecaster.h"

namespace timeseries {

/// A new forecaster of the options' "kind": "entrope", "patchtst", "dlinear" or "seasonal-naive";
/// `patching` for those that cut. Keys that are missing keep their defaults. Throws Error for
/// another kind or ill-typed values, UsageError for options out of range.
std::unique_ptr<Forecaster> make_forecaster(const nlohmann::json& options, uint64_t seed,
                                            const Patching& patching = {});

/// Parameters as "forecaster." and buffers as "buffer." + name: what a model file holds.
attn::train::NamedTensors forecaster_tensors(const Forecaster& forecaster);

/// The forecaster of `options` with the numbers of a model file. Throws Error naming file and
/// tensor.
std::unique_ptr<Forecaster> load_forecaster(const nlohmann::json& options,
                                            const attn::train::ModelFile& model,
                                            const std::filesystem::path& path,
                                            const Patching& patching = {});

}  // namespace timeseries
