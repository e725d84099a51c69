// How much memory one long list takes, each case in a process of its own.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace attn::bench {

/// "memory/list-N/score" and "memory/list-N/train-step".
std::vector<std::string> memory_cases();

/// A row for each case: {"case", "traders", "peak_mb": above what the process held before, which
/// includes the list itself, "bytes_per_trader"}.
nlohmann::json memory_rows(const std::vector<std::string>& cases);

/// What such a process does: tells {"peak_mb"} of "N:score" or "N:train-step". Throws
/// std::invalid_argument on other words.
std::function<void()> memory_alone(const std::string& what);

}  // namespace attn::bench
