// Taking fields off a text. Of scan_stamp alone.
#pragma once

#include <cstdint>
#include <string_view>

#include "timeseries/series/stamp_scan.h"

namespace timeseries {

namespace scan {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// A place in a text that moves on as fields are taken.
struct Cursor {
  std::string_view text;
  size_t at = 0;

  bool done() const { return at >= text.size(); }
  char peek(size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : '\0'; }
  std::string_view take(bool (*belongs)(char)) {
    const size_t begin = at;
    while (!done() && belongs(text[at])) ++at;
    return text.substr(begin, at - begin);
  }
};

inline int64_t value_of(std::string_view digits) {
  int64_t value = 0;
  for (const char c : digits.substr(0, 18)) value = 10 * value + (c - '0');
  return value;
}

struct Width {
  bool one, padded;
};
inline Width width_of(std::string_view digits) {
  return {digits.size() == 1, digits.size() == 2 && digits[0] == '0'};
}

}  // namespace scan

/// Takes a whole date into `out`; false where it is none.
bool scan_date(std::string_view text, ScannedStamp& out);

/// Takes a time of day with its zone into `out`, `between` standing before it; false where it is
/// none.
bool scan_time(std::string_view text, std::string_view between, ScannedStamp& out);

}  // namespace timeseries
