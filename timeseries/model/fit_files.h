// Inside timeseries/model: the files of a fit's folder.
#pragma once

#include <string>

#include "attn/hooks.h"
#include "timeseries/model/fit_model.h"

namespace timeseries {

inline constexpr const char* kModelFile = "model.safetensors";
inline constexpr const char* kMetricsFile = "metrics.csv";
inline constexpr const char* kCheckpointFile = "checkpoint.safetensors";
inline constexpr const char* kFitFile = "fit.json";  // which fit the checkpoints are of

/// Makes the folder; removes, with a warning, what an unfinished fit of another digest left there,
/// and without `resume` any. Nothing without a folder.
void begin_files(const FitFiles& files, const std::string& digest, const attn::Hooks& hooks);

}  // namespace timeseries
