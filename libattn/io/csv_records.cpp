#include "libattn/io/csv_records.h"

namespace attn::io {

std::size_t CsvRecords::skip_break(std::size_t at) {
  if (at >= text_.size()) return at;
  ++line_;
  return text_[at] == '\r' && at + 1 < text_.size() && text_[at + 1] == '\n' ? at + 2 : at + 1;
}

/// From an opening quote to behind the closing one.
std::size_t CsvRecords::skip_quoted(std::size_t at, CsvRecord& record) {
  for (++at; at < text_.size();) {
    const char c = text_[at];
    if (c == '"') {
      if (at + 1 >= text_.size() || text_[at + 1] != '"') return at + 1;
      at += 2;
    } else if (c == '\n' || c == '\r') {
      at = skip_break(at);
    } else {
      ++at;
    }
  }
  record.open_quote = true;
  return at;
}

bool CsvRecords::next(CsvRecord& record) {
  while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) at_ = skip_break(at_);
  if (at_ >= text_.size()) return false;
  record = {};
  record.line = line_;
  record.begin = at_;
  record.fields = 1;
  std::size_t at = at_;
  bool field_start = true;
  while (at < text_.size()) {
    const char c = text_[at];
    if (c == '\n' || c == '\r') break;
    if (field_start && c == '"') {
      at = skip_quoted(at, record);
      field_start = false;
      continue;
    }
    field_start = c == delimiter_;
    record.fields += field_start ? 1 : 0;
    ++at;
  }
  record.end = at;
  at_ = skip_break(at);
  record.next = at_;
  return true;
}

std::vector<std::string> split_csv_record(std::string_view record, char delimiter) {
  std::vector<std::string> fields(1);
  bool field_start = true;
  bool inside = false;
  for (std::size_t i = 0; i < record.size(); ++i) {
    const char c = record[i];
    if (inside && c == '"') {
      const bool escaped = i + 1 < record.size() && record[i + 1] == '"';
      if (escaped) fields.back() += record[++i];
      inside = escaped;
    } else if (!inside && field_start && c == '"') {
      inside = true;
      field_start = false;
    } else if (!inside && c == delimiter) {
      fields.emplace_back();
      field_start = true;
    } else {
      fields.back() += c;
      field_start = false;
    }
  }
  return fields;
}

}  // namespace attn::io
