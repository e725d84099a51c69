// run.json, in which a run directory says what run it is of and how that ended. apps/common writes
// it; this is the one reader.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace attn::io {

inline constexpr int64_t kRunFormatVersion = 1;

/// RUN/run.json. Throws Error when it is missing or damaged, and NewerFormat when its format
/// version is newer than this program's.
nlohmann::json read_run_json(const std::filesystem::path& run);

}  // namespace attn::io
