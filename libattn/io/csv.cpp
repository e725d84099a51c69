#include "libattn/io/csv.h"

#include <stdexcept>

#include "libattn/io/atomic_file.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

std::string cell_text(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return csv_field(*text);
  if (const auto* real = std::get_if<double>(&cell)) return number_text(*real);
  return std::to_string(std::get<int64_t>(cell));
}

}  // namespace

std::string csv_field(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  const bool edges = !text.empty() && (blank(text.front()) || blank(text.back()));
  if (!edges && text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + "\"";
}

std::string csv_text(const std::vector<std::string>& header,
                     const std::vector<std::vector<Cell>>& rows) {
  std::string text;
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (i > 0) text += ',';
    text += csv_field(header[i]);
  }
  text += '\n';
  for (const std::vector<Cell>& row : rows) {
    if (row.size() != header.size())
      throw std::logic_error("csv_text: a row's length is not the header's");
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += ',';
      line += cell_text(row[i]);
    }
    // A lone empty field would be a blank line, which readers skip.
    text += (line.empty() ? "\"\"" : line) + '\n';
  }
  return text;
}

void write_csv(const std::filesystem::path& path, const std::vector<std::string>& header,
               const std::vector<std::vector<Cell>>& rows) {
  write_file(path, csv_text(header, rows));
}

}  // namespace attn::io
