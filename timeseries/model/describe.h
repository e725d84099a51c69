// What a file is, by its content: behind `attn-forecast info`.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "attn/hooks.h"
#include "timeseries/series/read.h"

namespace timeseries {

/// Facts about a file, "kind" names which it is: "series" (a table; gaps are told, not refused),
/// "forecast" (a table that the verb wrote), "forecast model", or "run directory". `options`: how a
/// table is to be read. Throws Error where the file is none of these or is damaged.
nlohmann::json describe(const std::filesystem::path& path, const ReadOptions& options,
                        const attn::Hooks& hooks);

}  // namespace timeseries
