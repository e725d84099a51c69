#include "pathology/slide/columns.h"

#include <algorithm>

#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace pathology {

std::string choose_column(const attn::io::Table& table, const std::string& wanted,
                          std::span<const char* const> usual) {
  if (!wanted.empty()) {
    if (!table.has(wanted)) {
      throw attn::Error(table.path().string() + ": has no column " + attn::io::quote_text(wanted) +
                        ", found " + attn::io::list_names(table.columns()) +
                        attn::io::did_you_mean(wanted, table.columns()));
    }
    return wanted;
  }
  for (const char* name : usual)
    if (table.has(name)) return name;
  return "";
}

std::vector<std::string> trimmed_cells(const attn::io::Table& table, const std::string& column) {
  constexpr const char* kBlanks = " \t\r\n";
  std::vector<std::string> cells = table.strings(column);
  for (std::string& cell : cells) {
    const std::size_t first = cell.find_first_not_of(kBlanks);
    const std::size_t last = cell.find_last_not_of(kBlanks);
    cell = first == std::string::npos ? "" : cell.substr(first, last - first + 1);
  }
  return cells;
}

bool is_missing(const std::string& cell) {
  constexpr std::array kMissing{"",    "NA",  "N/A",  "n/a",  "nan",
                                "NaN", "NAN", "null", "NULL", "None"};
  return std::find(kMissing.begin(), kMissing.end(), cell) != kMissing.end();
}

std::vector<std::string> told_cells(const attn::io::Table& table, const std::string& column) {
  if (column.empty()) return std::vector<std::string>(static_cast<std::size_t>(table.rows()));
  std::vector<std::string> cells = trimmed_cells(table, column);
  for (std::string& cell : cells)
    if (is_missing(cell)) cell.clear();
  return cells;
}

}  // namespace pathology
