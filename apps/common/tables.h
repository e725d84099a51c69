// Texts and tables for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace attn::app {

/// Columns padded to the widest cell, the first left-aligned.
std::string text_table(const std::vector<std::vector<std::string>>& rows);
/// "17,420".
std::string number_words(int64_t number);
/// "1 row", "17,420 rows".
std::string counted(int64_t count, const std::string& one, const std::string& many);
/// Nested facts, one a line, keys joined by dots and padded to `width`.
std::string fact_lines(const nlohmann::json& facts, size_t width = 36);
/// "a,b" "c" as a, b, c; "\," is a comma that belongs to a name.
std::vector<std::string> split_names(const std::vector<std::string>& words);
/// Four significant digits, "-" where not finite.
std::string figure(double value);

}  // namespace attn::app
