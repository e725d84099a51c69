#include "libattn/io/table_write.h"

#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/csv.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

using Values = decltype(Column::values);

std::size_t length_of(const Values& values) {
  return std::visit(
      [](const auto& v) {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, Timestamps>) {
          return v.seconds.size();
        } else {
          return v.size();
        }
      },
      values);
}

std::size_t rows_of(std::span<const Column> columns) {
  if (columns.empty()) throw std::logic_error("table_write: no columns");
  const std::size_t rows = length_of(columns[0].values);
  for (const Column& column : columns)
    if (length_of(column.values) != rows)
      throw std::logic_error("table_write: columns of differing length");
  return rows;
}

/// "2016-07-01 13:00:00".
std::string timestamp_text(int64_t seconds) {
  using namespace std::chrono;
  const sys_seconds instant{std::chrono::seconds(seconds)};
  const sys_days day = floor<days>(instant);
  const year_month_day date(day);
  const hh_mm_ss time(instant - day);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u %02d:%02d:%02d",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  return text.data();
}

std::string field_of(const Values& values, std::size_t row) {
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values))
    return csv_field((*texts)[row]);
  if (const auto* reals = std::get_if<std::vector<double>>(&values))
    return std::isnan((*reals)[row]) ? "" : number_text((*reals)[row]);
  if (const auto* wholes = std::get_if<std::vector<int64_t>>(&values))
    return std::to_string((*wholes)[row]);
  return timestamp_text(std::get<Timestamps>(values).seconds[row]);
}

void check(const arrow::Status& status) {
  if (!status.ok()) throw Error("a Parquet table cannot be made: " + one_line(status.message()));
}

template <typename Builder, typename Items, typename Append>
std::shared_ptr<arrow::Array> build(Builder&& builder, const Items& items, const Append& append) {
  check(builder.Reserve(static_cast<int64_t>(items.size())));
  for (const auto& item : items) check(append(builder, item));
  std::shared_ptr<arrow::Array> array;
  check(builder.Finish(&array));
  return array;
}

std::shared_ptr<arrow::Array> array_of(const Values& values) {
  const auto plain = [](auto& builder, const auto& item) { return builder.Append(item); };
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values))
    return build(arrow::StringBuilder(), *texts, plain);
  if (const auto* wholes = std::get_if<std::vector<int64_t>>(&values))
    return build(arrow::Int64Builder(), *wholes, plain);
  if (const auto* reals = std::get_if<std::vector<double>>(&values))
    return build(arrow::DoubleBuilder(), *reals, [](auto& builder, double item) {
      return std::isnan(item) ? builder.AppendNull() : builder.Append(item);
    });
  return build(arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MILLI),
                                       arrow::default_memory_pool()),
               std::get<Timestamps>(values).seconds,
               [](auto& builder, int64_t item) { return builder.Append(item * 1000); });
}

std::string extension_of(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension;
}

std::string zipped(const std::string& text) {
  auto codec = arrow::util::Codec::Create(arrow::Compression::GZIP);
  if (!codec.ok()) throw Error("gzip is not supported by this Arrow; write .csv");
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int64_t>(text.size());
  std::string packed(static_cast<std::size_t>((*codec)->MaxCompressedLen(size, bytes)), '\0');
  const auto length = (*codec)->Compress(size, bytes, static_cast<int64_t>(packed.size()),
                                         reinterpret_cast<uint8_t*>(packed.data()));
  if (!length.ok()) throw Error("a table cannot be packed: " + one_line(length.status().message()));
  packed.resize(static_cast<std::size_t>(*length));
  return packed;
}

}  // namespace

std::string csv_of(std::span<const Column> columns) {
  const std::size_t rows = rows_of(columns);
  std::string text;
  for (std::size_t j = 0; j < columns.size(); ++j)
    text += (j == 0 ? "" : ",") + csv_field(columns[j].name);
  text += '\n';
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t begin = text.size();
    for (std::size_t j = 0; j < columns.size(); ++j) {
      if (j > 0) text += ',';
      text += field_of(columns[j].values, i);
    }
    // A lone empty field would be a blank line, which readers skip.
    if (text.size() == begin) text += "\"\"";
    text += '\n';
  }
  return text;
}

std::string parquet_of(std::span<const Column> columns) {
  const std::size_t rows = rows_of(columns);
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const Column& column : columns) {
    arrays.push_back(array_of(column.values));
    fields.push_back(arrow::field(column.name, arrays.back()->type()));
  }
  const auto table = arrow::Table::Make(arrow::schema(fields), arrays, static_cast<int64_t>(rows));
  auto sink = arrow::io::BufferOutputStream::Create();
  check(sink.status());
  parquet::WriterProperties::Builder properties;
  if (arrow::util::Codec::IsAvailable(arrow::Compression::SNAPPY))
    properties.compression(arrow::Compression::SNAPPY);
  try {
    check(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), *sink,
                                     parquet::DEFAULT_MAX_ROW_GROUP_LENGTH, properties.build()));
  } catch (const parquet::ParquetException& error) {
    throw Error("a Parquet table cannot be made: " + one_line(error.what()));
  }
  const auto bytes = (*sink)->Finish();
  check(bytes.status());
  return (*bytes)->ToString();
}

void write_table(const std::filesystem::path& path, std::span<const Column> columns) {
  const std::string extension = extension_of(path);
  if (extension == ".parquet" || extension == ".pq") {
    write_file(path, parquet_of(columns));
  } else if (extension == ".csv") {
    write_file(path, csv_of(columns));
  } else if (extension == ".gz" && extension_of(path.stem()) == ".csv") {
    write_file(path, zipped(csv_of(columns)));
  } else {
    throw UsageError("cannot write " + path.string() +
                     ": expected a name ending in .csv, .csv.gz " + "or .parquet, found " +
                     quote_text(extension));
  }
}

}  // namespace attn::io
