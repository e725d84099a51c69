// The time of day of a stamp, and its zone.
#include <string>

#include "timeseries/series/stamp_cursor.h"

namespace timeseries {
namespace {

using namespace scan;

bool take_zone(Cursor& cursor, ScannedStamp& out) {
  if (cursor.peek() == ' ') ++cursor.at, out.zone = " ";
  const std::string_view rest = cursor.text.substr(cursor.at);
  cursor.at = cursor.text.size();
  out.zone += rest;
  if (rest == "Z" || rest == "z" || rest == "UTC") return true;
  std::string shape(rest);
  for (char& c : shape)
    if (is_digit(c)) c = '9';
  if (!shape.empty() && shape[0] == '-') shape[0] = '+';
  return shape == "+99:99" || shape == "+9999" || shape == "+99";
}

/// AM or PM behind a blank or not: turns the hour into one of 24.
bool take_half_day(Cursor& cursor, ScannedStamp& out) {
  const size_t blank = cursor.peek() == ' ' ? 1 : 0;
  const char half = cursor.peek(blank), m = cursor.peek(blank + 1);
  const bool upper = m == 'M' && (half == 'A' || half == 'P');
  if (!upper && !(m == 'm' && (half == 'a' || half == 'p'))) return true;
  if (out.civil.hour < 1 || out.civil.hour > 12) return false;
  out.civil.hour = out.civil.hour % 12 + (half == 'P' || half == 'p' ? 12 : 0);
  out.time[out.time.find('h')] = 'H';
  out.time += std::string(blank, ' ') + (upper ? 'P' : 'p');
  cursor.at += blank + 2;
  return true;
}

bool take_fraction(Cursor& cursor, ScannedStamp& out) {
  if ((cursor.peek() != '.' && cursor.peek() != ',') || !is_digit(cursor.peek(1))) return true;
  out.time += cursor.text[cursor.at++];
  const std::string_view digits = cursor.take(is_digit);
  out.time += digits;
  if (digits.find_first_not_of('0') != std::string_view::npos) out.fault = ScanFault::fraction;
  return out.fault == ScanFault::none;
}

/// ":MM" or, in a compact time, "MM".
bool take_pair(Cursor& cursor, bool compact, char code, int64_t& value, ScannedStamp& out) {
  if (!compact) {
    if (cursor.peek() != ':') return true;
    ++cursor.at;
    out.time += ':';
  }
  if (!is_digit(cursor.peek())) return compact;
  if (!is_digit(cursor.peek(1))) return false;
  value = value_of(cursor.text.substr(cursor.at, 2));
  cursor.at += 2;
  out.time += code;
  return true;
}

}  // namespace

bool scan_time(std::string_view text, std::string_view between, ScannedStamp& out) {
  Cursor cursor{text};
  out.time = between;
  size_t digits = 0;
  while (is_digit(cursor.peek(digits))) ++digits;
  const bool compact = digits > 2;
  if (digits == 0 || digits > 6 || (compact && digits % 2 != 0)) return false;
  const std::string_view hour = text.substr(0, compact ? 2 : digits);
  cursor.at = hour.size();
  out.civil.hour = value_of(hour);
  out.short_hour = width_of(hour).one;
  out.padded_hour = width_of(hour).padded;
  out.time += 'h';
  if (!take_pair(cursor, compact, 'i', out.civil.minute, out)) return false;
  if (out.time.back() == 'i' && !take_pair(cursor, compact, 's', out.civil.second, out))
    return false;
  if (out.time.back() == 's' && !take_fraction(cursor, out)) return false;
  if (!take_half_day(cursor, out)) return false;
  if (cursor.done() || take_zone(cursor, out)) return true;
  out.fault = ScanFault::zone;
  return false;
}

}  // namespace timeseries
