// Writing comma-separated values (RFC 4180, line feeds). Reading is in table.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace attn::io {

/// One field of a table to be written. Doubles are written so that they read back the same.
using Cell = std::variant<std::string, double, int64_t>;

/// `text` as a CSV field: quoted where it holds a comma, quote, line break, or leading or trailing
/// blank.
std::string csv_field(std::string_view text);

/// The rows as CSV text with a header line.
std::string csv_text(const std::vector<std::string>& header,
                     const std::vector<std::vector<Cell>>& rows);

/// Writes the CSV atomically. Throws Error on system failures; std::logic_error when a row's length
/// is not the header's.
void write_csv(const std::filesystem::path& path, const std::vector<std::string>& header,
               const std::vector<std::vector<Cell>>& rows);

}  // namespace attn::io
