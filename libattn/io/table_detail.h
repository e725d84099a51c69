// Inside Table: the Arrow table and how its rows map to lines of the file.
#pragma once

#include <arrow/table.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libattn/io/table.h"

namespace attn::io {

struct Table::Impl {
  std::filesystem::path path;
  std::shared_ptr<arrow::Table> table;
  std::vector<std::string> columns;
  std::map<std::string, int, std::less<>> index;
  /// (row, line): from this row on, a row stands (line - row) further down. Empty for Parquet.
  std::vector<std::pair<int64_t, int64_t>> lines;

  std::shared_ptr<arrow::ChunkedArray> column(
      std::string_view name) const;  // throws with the nearest name
  int64_t line_of(int64_t row) const;
  /// Takes the names, refusing doubles.
  void name_columns(std::vector<std::string> names);
};

/// Fills `impl` from CSV or TSV text, or from a Parquet file.
void read_delimited(Table::Impl& impl);
void read_parquet(Table::Impl& impl);

}  // namespace attn::io
