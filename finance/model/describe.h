// What a file is and what is in it.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "attn/hooks.h"
#include "finance/lists/read_lists.h"
#include "finance/model/rank_model.h"

namespace finance {

/// {"kind": "lists" | "model" | "run directory", ...} of a table of lists (read by
/// `options`, a part at a time), a model file or a run directory. Throws Error.
nlohmann::json describe(const std::filesystem::path& path, const ListOptions& options,
                        const attn::Hooks& hooks);
nlohmann::json describe(const TrainedRanker& model);

}  // namespace finance
