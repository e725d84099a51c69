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

int64_t line_at(std::string_view text, std::size_t byte) {
  return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte), '\n');
}

void demand_text(std::string_view text, const std::string& name) {
  const FileKind kind = file_kind(text.substr(0, 4096));
  if (kind == FileKind::empty)
    throw Error(name + ": expected a table with a header line, found an empty file");
  if (kind == FileKind::utf16)
    throw Error(name + ": expected text in UTF-8, found UTF-16; save it as CSV in UTF-8");
  const bool other = kind != FileKind::text && kind != FileKind::json && kind != FileKind::binary;
  if (other)
    throw Error(name + ": expected a CSV, TSV or Parquet table, found " +
                std::string(describe(kind)));
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos)
    throw Error(name + ": row " + std::to_string(line_at(text, zero)) +
                ": expected text, found a NUL byte; the file is damaged or no table");
  arrow::util::InitializeUTF8();
  if (arrow::util::ValidateUTF8(text)) return;
  const std::size_t bad = find_invalid_utf8(text);
  throw Error(name + ": row " + std::to_string(line_at(text, std::min(bad, text.size()))) +
              ": expected text in UTF-8, found " +
              quote_text(text.substr(std::min(bad, text.size()), 12), 12) +
              "; save it as CSV in UTF-8");
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

std::vector<std::string> read_header(std::string_view line, char delimiter,
                                     const std::string& name) {
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

/// Walks over all records: equal length, quotes closed, and where lines and rows part ways.
int64_t scan_rows(Table::Impl& impl, CsvRecords& records, std::string_view text,
                  const std::string& name) {
  CsvRecord record;
  int64_t row = 0;
  int64_t offset = -1;
  while (records.next(record)) {
    const std::string where = name + ": row " + std::to_string(record.line);
    if (record.open_quote)
      throw Error(
          where +
          ": a quoted field that begins in this row is never closed; add the missing quote");
    if (record.fields != static_cast<int64_t>(impl.columns.size()))
      throw Error(where + ": expected " + std::to_string(impl.columns.size()) +
                  " fields as in the header, found " + std::to_string(record.fields) + " in " +
                  quote_text(text.substr(record.begin, record.end - record.begin)));
    if (record.line - row != offset) {
      offset = record.line - row;
      impl.lines.emplace_back(row, record.line);
    }
    ++row;
  }
  return row;
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

std::shared_ptr<arrow::Table> empty_table(const std::vector<std::string>& columns) {
  arrow::FieldVector fields;
  for (const std::string& column : columns) fields.push_back(arrow::field(column, arrow::utf8()));
  auto table = arrow::Table::MakeEmpty(arrow::schema(fields));
  if (!table.ok()) throw Error("cannot make a table: " + reason_of(table.status()));
  return *table;
}

}  // namespace

std::string reason_of(const arrow::Status& status) {
  std::string text = status.message().substr(0, 200);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

void read_delimited(Table::Impl& impl, std::string text) {
  const std::string& name = impl.name;
  const std::size_t mark = text.rfind("\xEF\xBB\xBF", 0) == 0 ? 3 : 0;
  const std::string_view body = std::string_view(text).substr(mark);
  demand_text(body, name);
  const char delimiter = delimiter_of(impl.path, body);
  CsvRecords records(body, delimiter);
  CsvRecord header;
  if (!records.next(header))
    throw Error(name + ": expected a table with a header line, found blank lines only");
  if (header.open_quote)
    throw Error(name + ": row " + std::to_string(header.line) +
                ": a quoted field in the header is never closed; add the missing quote");
  impl.name_columns(
      read_header(body.substr(header.begin, header.end - header.begin), delimiter, name));
  const int64_t rows = scan_rows(impl, records, body, name);
  if (rows == 0) {
    impl.table = empty_table(impl.columns);
    return;
  }
  const auto begin = static_cast<int64_t>(mark + header.next);
  const std::shared_ptr<arrow::Buffer> whole = arrow::Buffer::FromString(std::move(text));
  impl.table = parse(arrow::SliceBuffer(whole, begin), delimiter, impl);
  if (impl.table->num_rows() != rows)
    throw Error(name + ": its quotes are ambiguous (" + std::to_string(rows) + " or " +
                std::to_string(impl.table->num_rows()) +
                " rows); quote whole fields and double the quotes inside them");
}

namespace {

Error damaged_parquet(const std::string& name, const std::string& reason) {
  return Error(name + ": the Parquet file is damaged or truncated (" + reason +
               "); write or copy it again");
}

}  // namespace

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

void read_parquet_file(Table::Impl& impl) {
  auto file = arrow::io::ReadableFile::Open(impl.path.string());
  if (!file.ok()) throw damaged_parquet(impl.name, reason_of(file.status()));
  read_parquet(impl, *file);
}

}  // namespace attn::io
