// Texts and tables for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace attn::app {

/// Columns padded to the widest cell, the first left-aligned.
std::string text_table(const std::vector<std::vector<std::string>>& rows);
/// "17,420".
std::string number_words(int64_t number);
/// "1 row", "17,420 rows".
std::string counted(int64_t count, const std::string& one, const std::string& many);
/// Four significant digits, "-" where not finite.
std::string figure(double value);

}  // namespace attn::app
