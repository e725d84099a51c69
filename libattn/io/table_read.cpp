// Files into Arrow tables: text checked by our own scan (so that messages can name lines), parsed
// by Arrow.
#include <arrow/buffer.h>
#include <arrow/csv/api.h>
#include <arrow/io/api.h>
#include <arrow/util/utf8.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>

#include <algorithm>
#include <cctype>

#include "attn/error.h"
#include "libattn/io/csv_records.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/table_detail.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

void demand_table(std::string_view text, const std::string& name) {
  const FileKind kind = file_kind(text.substr(0, 4096));
  if (kind == FileKind::empty)
    throw Error(name + ": expected a table with a header line, found an empty file");
  if (kind == FileKind::utf16)
    throw Error(name + ": expected text in UTF-8, found UTF-16; save it as CSV in UTF-8");
  const bool other = kind != FileKind::text && kind != FileKind::json && kind != FileKind::binary;
  if (other)
    throw Error(name + ": expected a CSV, TSV or Parquet table, found " +
                std::string(describe(kind)));
}

/// Refuses NUL bytes and what is not UTF-8 in `text`, which begins on line `line`.
void demand_text(std::string_view text, int64_t line, const std::string& name) {
  const auto row_at = [&](std::size_t byte) {
    return name + ": row " +
           std::to_string(line + std::count(text.begin(),
                                            text.begin() + static_cast<std::ptrdiff_t>(byte),
                                            '\n'));
  };
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos)
    throw Error(row_at(zero) +
                ": expected text, found a NUL byte; the file is damaged or no table");
  arrow::util::InitializeUTF8();
  if (arrow::util::ValidateUTF8(text)) return;
  const std::size_t bad = std::min(find_invalid_utf8(text), text.size());
  throw Error(row_at(bad) + ": expected text in UTF-8, found " +
              quote_text(text.substr(bad, 12), 12) + "; save it as CSV in UTF-8");
}

/// Splits at tabs for .tsv and .tab (also .tsv.gz), else at commas; standard input, which has no
/// name to tell, at tabs where its first line holds some and no comma.
char delimiter_of(std::filesystem::path path, std::string_view body) {
  if (path == "-") {
    const std::string_view first =
        body.substr(0, body.find_first_of("\r\n", body.find_first_not_of("\r\n")));
    return first.find('\t') != first.npos && first.find(',') == first.npos ? '\t' : ',';
  }
  if (path.extension() == ".gz") path = path.stem();
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".tsv" || extension == ".tab" ? '\t' : ',';
}

std::vector<std::string> names_of(std::string_view line, char delimiter, const std::string& name) {
  std::vector<std::string> names = split_csv_record(line, delimiter);
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i].empty()) names[i] = "unnamed " + std::to_string(i + 1);  // as pandas' index column
  if (names.size() == 1) {
    for (const auto& [other, word] :
         {std::pair{';', "semicolons"}, std::pair{'\t', "tabs"}, std::pair{',', "commas"}})
      if (other != delimiter && names[0].find(other) != std::string::npos)
        throw Error(name + ": its columns are separated by " + word + ", expected " +
                    (delimiter == ',' ? "commas" : "tabs") +
                    (other == '\t'  ? "; name it .tsv"
                     : other == ',' ? "; name it .csv"
                                    : "; save it with commas, and numbers with a point"));
  }
  return names;
}

struct Scan {
  int64_t rows = 0;
  RowsAt rest;  ///< what the scan did not take
};

/// Walks over the records: equal length, quotes closed, and where lines and rows part ways.
Scan scan_rows(Table::Impl& impl, std::string_view text, RowsAt from, bool whole) {
  CsvRecords records(text, from.delimiter, from.byte, from.line);
  CsvRecord record;
  Scan scan{0, from};
  int64_t offset = -1;
  while (records.next(record) && (whole || record.next < text.size())) {
    const std::string where = impl.name + ": row " + std::to_string(record.line);
    if (record.open_quote)
      throw Error(
          where +
          ": a quoted field that begins in this row is never closed; add the missing quote");
    if (record.fields != static_cast<int64_t>(impl.columns.size()))
      throw Error(where + ": expected " + std::to_string(impl.columns.size()) +
                  " fields as in the header, found " + std::to_string(record.fields) + " in " +
                  quote_text(text.substr(record.begin, record.end - record.begin)));
    if (record.line - scan.rows != offset) {
      offset = record.line - scan.rows;
      impl.lines.emplace_back(scan.rows, record.line);
    }
    ++scan.rows;
    scan.rest = {from.delimiter, record.next, records.line()};
  }
  return scan;
}

std::shared_ptr<arrow::Table> parse(const std::shared_ptr<arrow::Buffer>& body, char delimiter,
                                    const Table::Impl& impl) {
  auto read = arrow::csv::ReadOptions::Defaults();
  read.use_threads = false;
  read.column_names = impl.columns;
  read.block_size = static_cast<int32_t>(std::clamp<int64_t>(body->size() + 1, 1 << 20, 1 << 26));
  auto parsing = arrow::csv::ParseOptions::Defaults();
  parsing.delimiter = delimiter;
  parsing.newlines_in_values =
      std::find(body->data(), body->data() + body->size(), '"') != body->data() + body->size();
  auto convert = arrow::csv::ConvertOptions::Defaults();
  convert.check_utf8 = false;  // done
  convert.null_values.clear();
  for (const std::string& column : impl.columns) convert.column_types[column] = arrow::utf8();
  auto reader = arrow::csv::TableReader::Make(arrow::io::default_io_context(),
                                              std::make_shared<arrow::io::BufferReader>(body), read,
                                              parsing, convert);
  const auto table = reader.ok() ? (*reader)->Read()
                                 : arrow::Result<std::shared_ptr<arrow::Table>>(reader.status());
  if (!table.ok())
    throw Error(impl.name + ": not readable as a table (" + reason_of(table.status()) + ")");
  return *table;
}

}  // namespace

std::string reason_of(const arrow::Status& status) {
  std::string text = status.message().substr(0, 200);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::shared_ptr<arrow::Table> empty_table(const std::vector<std::string>& columns) {
  arrow::FieldVector fields;
  for (const std::string& column : columns) fields.push_back(arrow::field(column, arrow::utf8()));
  auto table = arrow::Table::MakeEmpty(arrow::schema(fields));
  if (!table.ok()) throw Error("cannot make a table: " + reason_of(table.status()));
  return *table;
}

std::optional<RowsAt> read_header(Table::Impl& impl, std::string_view text, bool whole) {
  const std::size_t mark = text.rfind("\xEF\xBB\xBF", 0) == 0 ? 3 : 0;
  const std::string_view body = text.substr(mark);
  demand_table(body, impl.name);
  const char delimiter = delimiter_of(impl.path, body);
  CsvRecords records(text, delimiter, mark);
  CsvRecord header;
  const bool found = records.next(header);
  if (!whole && (!found || header.next == text.size())) return std::nullopt;
  if (!found)
    throw Error(impl.name + ": expected a table with a header line, found blank lines only");
  demand_text(text.substr(mark, header.next - mark), 1, impl.name);
  if (header.open_quote)
    throw Error(impl.name + ": row " + std::to_string(header.line) +
                ": a quoted field in the header is never closed; add the missing quote");
  impl.name_columns(
      names_of(text.substr(header.begin, header.end - header.begin), delimiter, impl.name));
  return RowsAt{delimiter, header.next, records.line()};
}

RowsAt read_rows(Table::Impl& impl, std::string text, RowsAt from, bool whole) {
  // A part may end inside a character, but no character holds the byte of a line break.
  const std::size_t last_break = text.find_last_of("\r\n");
  const std::size_t checked = whole ? text.size() : last_break == text.npos ? 0 : last_break;
  if (checked > from.byte)
    demand_text(std::string_view(text).substr(from.byte, checked - from.byte), from.line,
                impl.name);
  const Scan scan = scan_rows(impl, text, from, whole);
  if (scan.rows == 0) return scan.rest;
  const std::shared_ptr<arrow::Buffer> bytes = arrow::Buffer::FromString(std::move(text));
  const auto begin = static_cast<int64_t>(from.byte);
  const auto end = static_cast<int64_t>(scan.rest.byte);
  impl.table = parse(arrow::SliceBuffer(bytes, begin, end - begin), from.delimiter, impl);
  if (impl.table->num_rows() != scan.rows)
    throw Error(impl.name + ": its quotes are ambiguous (" + std::to_string(scan.rows) + " or " +
                std::to_string(impl.table->num_rows()) +
                " rows); quote whole fields and double the quotes inside them");
  return scan.rest;
}

void read_delimited(Table::Impl& impl, std::string text) {
  const RowsAt rows = *read_header(impl, text, true);
  read_rows(impl, std::move(text), rows, true);
  if (!impl.table) impl.table = empty_table(impl.columns);
}

Error damaged_parquet(const std::string& name, const std::string& reason) {
  return Error(name + ": the Parquet file is damaged or truncated (" + reason +
               "); write or copy it again");
}

std::shared_ptr<arrow::io::RandomAccessFile> parquet_input(ByteStream& bytes) {
  if (!bytes.is_plain_file())
    return std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes.rest()));
  auto file = arrow::io::ReadableFile::Open(bytes.path().string());
  if (!file.ok()) throw damaged_parquet(bytes.name(), reason_of(file.status()));
  return *file;
}

void read_parquet(Table::Impl& impl, std::shared_ptr<arrow::io::RandomAccessFile> file) {
  std::shared_ptr<arrow::Table> table;
  try {
    auto reader = parquet::arrow::OpenFile(std::move(file), arrow::default_memory_pool());
    if (!reader.ok()) throw damaged_parquet(impl.name, reason_of(reader.status()));
    auto read = (*reader)->ReadTable();
    if (!read.ok()) throw damaged_parquet(impl.name, reason_of(read.status()));
    table = *read;
  } catch (const parquet::ParquetException& error) {
    throw damaged_parquet(impl.name, std::string(error.what()).substr(0, 200));
  }
  if (const arrow::Status valid = table->ValidateFull(); !valid.ok())
    throw damaged_parquet(impl.name, reason_of(valid));
  impl.table = table;
  impl.name_columns(table->ColumnNames());
}

}  // namespace attn::io
