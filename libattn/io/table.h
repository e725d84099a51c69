// Tables through Arrow: CSV and TSV (plain or gzip) and Parquet, read by what the file holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libattn/io/csv.h"

namespace attn::io {

/// Which fields count as numbers besides plain finite ones.
struct NumberRule {
  bool allow_missing = false;    ///< "", NA, N/A, None, null and Parquet's null read as NaN
  bool allow_nonfinite = false;  ///< nan, inf, -inf read as themselves
};

/// A whole table in memory; CSV fields stay text until a column is asked for as numbers, so
/// identifiers such as 007 or 1e5 survive. Every Error names the file, the row as an editor counts
/// its lines (header = 1), the column and the text found: "labels.csv: row 17, column label:
/// expected a number, found 'abc'".
class Table {
 public:
  /// Reads a file: Parquet by its first bytes, else text: `.tsv` and `.tab` split at tabs, all
  /// others at commas; gzip is unpacked first. A byte-order mark, CRLF, quoted fields and line
  /// breaks in them are fine. Refused in one sentence: an empty file, no header, a column name
  /// twice, rows of differing length, text that is not UTF-8 (or holds NUL bytes), other
  /// separators, other kinds of file. A header alone gives a table of 0 rows. The path "-" is
  /// standard input, read to its end; a file of that name is "./-".
  static Table read(const std::filesystem::path& path);
  ~Table();
  Table(Table&&) noexcept;
  Table& operator=(Table&&) noexcept;

  const std::filesystem::path& path() const;
  /// What messages call it: the path, or "standard input".
  const std::string& name() const;
  int64_t rows() const;
  const std::vector<std::string>& columns() const;
  bool has(std::string_view column) const;

  /// Columns as asked for; a missing column is an Error that lists those there and the nearest
  /// name.
  /// Missing values are "". Parquet's dates and times as ISO 8601 ("2016-07-01 13:00:00"), those
  /// with a zone in UTC with a Z behind.
  std::vector<std::string> strings(std::string_view column) const;
  /// Those of the first `most` rows.
  std::vector<std::string> first_strings(std::string_view column, int64_t most) const;
  std::vector<double> doubles(std::string_view column, NumberRule rule = {}) const;
  std::vector<int64_t> integers(std::string_view column) const;
  /// Columns of numbers side by side, row-major (rows() x columns.size()).
  std::vector<float> matrix(std::span<const std::string> columns, NumberRule rule = {}) const;
  std::vector<double> matrix_double(std::span<const std::string> columns,
                                    NumberRule rule = {}) const;

  /// Whether doubles(column, rule) would read every value.
  bool holds_numbers(std::string_view column, NumberRule rule = {}) const;

  /// The line on which a row (0-based, header not counted) stands in an editor; of Parquet row + 1.
  int64_t line(int64_t row) const;
  /// "labels.csv: row 17, column label" for an error about the value in row `row` (0-based, header
  /// not counted).
  std::string locate(int64_t row, std::string_view column) const;
  /// "labels.csv: row 17".
  std::string locate(int64_t row) const;

  struct Impl;  // of the implementation alone

 private:
  friend class TableStream;
  explicit Table(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attn::io
