// Tables written by columns: CSV and Parquet, told by the file's extension.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace attn::io {

/// Seconds since 1970-01-01 00:00, without a zone.
struct Timestamps {
  std::vector<int64_t> seconds;
};

/// One column of a table to be written. NaN stands for a missing value.
struct Column {
  std::string name;
  std::variant<std::vector<std::string>, std::vector<double>, std::vector<int64_t>, Timestamps>
      values;
};

/// The columns as CSV text with a header line (RFC 4180, line feeds): doubles so that they read
/// back the same, missing ones empty, timestamps as "2016-07-01 13:00:00". Throws std::logic_error
/// where the columns differ in length or there is none.
std::string csv_of(std::span<const Column> columns);

/// The columns as the bytes of a Parquet file (Snappy where Arrow has it): missing values are
/// nulls, timestamps whole milliseconds. Throws as csv_of does.
std::string parquet_of(std::span<const Column> columns);

/// Writes parquet_of for the extensions .parquet and .pq, csv_of for .csv, packed by gzip for
/// .csv.gz, beside its place and renamed into it. The same columns give the same bytes. Throws
/// UsageError for another extension, StorageError where the file cannot be written.
void write_table(const std::filesystem::path& path, std::span<const Column> columns);

}  // namespace attn::io
