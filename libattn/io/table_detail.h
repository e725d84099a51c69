// Inside Table: the Arrow table and how its rows map to lines of the file.
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/table.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attn/error.h"
#include "libattn/io/byte_stream.h"
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

/// Where the rows of a CSV or TSV text go on.
struct RowsAt {
  char delimiter = ',';
  std::size_t byte = 0;
  int64_t line = 1;  ///< on which that byte stands
};

/// Takes the columns' names from a text's beginning; `whole`: the file ends with the text. Nothing
/// where it does not and the header reaches the text's end, for it may go on. Throws Error for what
/// is no table.
std::optional<RowsAt> read_header(Table::Impl& impl, std::string_view text, bool whole);

/// Fills `impl`, which has its columns, with the rows of `text` from `from` on, and says where
/// those begin that are not taken: unless `whole`, the last one where it reaches the text's end. No
/// table where no row is taken.
RowsAt read_rows(Table::Impl& impl, std::string text, RowsAt from, bool whole);

/// A table of these columns and no rows.
std::shared_ptr<arrow::Table> empty_table(const std::vector<std::string>& columns);

/// Fills `impl` from CSV or TSV text.
void read_delimited(Table::Impl& impl, std::string text);

/// Reads a Parquet file's bytes at any place: the file itself where it is one, else (a pipe, gzip)
/// all that is left of the stream in memory.
std::shared_ptr<arrow::io::RandomAccessFile> parquet_input(ByteStream& bytes);
/// Fills `impl` from it.
void read_parquet(Table::Impl& impl, std::shared_ptr<arrow::io::RandomAccessFile> file);
Error damaged_parquet(const std::string& name, const std::string& reason);

/// "x.csv: there is no column 'lable' (found: bag, label); did you mean 'label'?"
Error missing_column(const std::string& name, std::string_view wanted,
                     const std::vector<std::string>& columns);

/// Arrow's own words, kept to one line.
std::string reason_of(const arrow::Status& status);

}  // namespace attn::io
