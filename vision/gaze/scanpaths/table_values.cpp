#include "vision/gaze/scanpaths/table_values.h"

#include "attn/error.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/values.h"

namespace gaze {

TextTable::TextTable(const attn::io::Table& table) : table_(table) {
  for (const std::string& column : table.columns()) columns_[column] = table.strings(column);
}

const std::string& TextTable::text(int64_t row, const std::string& column) const {
  return columns_.at(column)[static_cast<size_t>(row)];
}

double TextTable::number(int64_t row, const std::string& column) const {
  double value = 0;
  if (!parse_value(text(row, column), value))
    throw attn::Error(table_.locate(row, column) + ": expected a number, found " +
                      attn::io::quote_text(text(row, column)));
  return value;
}

}  // namespace gaze
