// The records of a CSV text: where each begins, how many fields it has, on which line it stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace attn::io {

struct CsvRecord {
  int64_t line = 0;       ///< 1-based line on which it begins
  std::size_t begin = 0;  ///< byte offsets; the line break is not part of it
  std::size_t end = 0;
  std::size_t next = 0;  ///< where the following line begins
  int64_t fields = 0;
  bool open_quote = false;  ///< the text ends inside a quoted field
};

/// Walks over the records as Arrow's parser sees them: a quote opens a field only at its start, ""
/// inside stands for one quote, line breaks inside quotes belong to the field, lines without any
/// byte are skipped.
class CsvRecords {
 public:
  /// From byte `at` on, which stands on line `line`.
  CsvRecords(std::string_view text, char delimiter, std::size_t at = 0, int64_t line = 1)
      : text_(text), delimiter_(delimiter), at_(at), line_(line) {}
  /// False at the end of the text.
  bool next(CsvRecord& record);
  /// The line on which the rest of the text begins.
  int64_t line() const { return line_; }

 private:
  std::size_t skip_quoted(std::size_t at, CsvRecord& record);
  std::size_t skip_break(std::size_t at);
  std::string_view text_;
  char delimiter_;
  std::size_t at_;
  int64_t line_;
};

/// The fields of one record, unquoted.
std::vector<std::string> split_csv_record(std::string_view record, char delimiter);

}  // namespace attn::io
