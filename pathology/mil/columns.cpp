#include "pathology/mil/columns.h"

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

}  // namespace pathology
