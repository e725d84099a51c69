// Inside Table: the Arrow table and how its rows map to lines of the file.
#pragma once

#include <arrow/io/interfaces.h>
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
  std::string name;  // for messages: the path, or "standard input"
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

/// All bytes of the file, or of standard input where the path is "-"; gzip is unpacked.
std::string table_bytes(const std::filesystem::path& path, const std::string& name);

/// Fills `impl` from CSV or TSV text, or from the bytes of a Parquet file.
void read_delimited(Table::Impl& impl, std::string text);
void read_parquet(Table::Impl& impl, std::shared_ptr<arrow::io::RandomAccessFile> file);
/// Fills `impl` from the Parquet file at its path, without taking it into memory first.
void read_parquet_file(Table::Impl& impl);

/// Arrow's own words, kept to one line.
std::string reason_of(const arrow::Status& status);

}  // namespace attn::io
