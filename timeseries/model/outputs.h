// Which files a run directory holds, for `attn::io::refuse_overwriting`.
#pragma once

#include <filesystem>
#include <vector>

#include "libattn/io/outputs.h"

namespace timeseries {

using attn::io::refuse_overwriting;
using attn::io::require_writable;

/// The files of a run directory, whether they are there or not; or the model file that `run` is.
std::vector<std::filesystem::path> files_of_run(const std::filesystem::path& run);

}  // namespace timeseries
