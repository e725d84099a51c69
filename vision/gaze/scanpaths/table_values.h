// Cells of a table of fixations.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libattn/io/table.h"

namespace gaze {

/// All columns of a table as text.
class TextTable {
 public:
  explicit TextTable(const attn::io::Table& table);
  const attn::io::Table& table() const { return table_; }
  const std::string& text(int64_t row, const std::string& column) const;
  /// NaN for what such files write where they have none. Throws attn::Error naming row and column
  /// for another text that is no finite number.
  double number(int64_t row, const std::string& column) const;

 private:
  const attn::io::Table& table_;
  std::map<std::string, std::vector<std::string>> columns_;
};

}  // namespace gaze
