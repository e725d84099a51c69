#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "timeseries/series/civil.h"
#include "timeseries/series/month_names.h"
#include "timeseries/series/stamp.h"

namespace timeseries {
namespace {

std::string padded(int64_t value, int width) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%0*lld", width, static_cast<long long>(value));
  return text.data();
}

std::string month_name(int64_t month, const StampFormat& format) {
  const std::string_view full = kMonthNames.at(static_cast<size_t>(month - 1));
  std::string name(format.full_names ? full : full.substr(0, 3));
  if (format.upper_names)
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::toupper(c); });
  return name;
}

std::string field(char code, const Civil& c, const StampFormat& format) {
  switch (code) {
    case 'Y':
      return padded(c.year, 4);
    case 'm':
      return padded(c.month, format.pad_month ? 2 : 1);
    case 'd':
      return padded(c.day, format.pad_day ? 2 : 1);
    case 'b':
      return month_name(c.month, format);
    case 'k':
      return std::to_string((c.month + 2) / 3);
    case 'h':
      return padded(c.hour, format.pad_hour ? 2 : 1);
    case 'H':
      return padded((c.hour + 11) % 12 + 1, format.pad_hour ? 2 : 1);
    case 'p':
      return c.hour < 12 ? "am" : "pm";
    case 'P':
      return c.hour < 12 ? "AM" : "PM";
    case 'i':
      return padded(c.minute, 2);
    case 's':
      return padded(c.second, 2);
    default:
      return std::string(1, code);
  }
}

}  // namespace

std::string format_stamp(Instant instant, const StampFormat& format) {
  if (format.pattern == "#" || format.pattern == "E") return std::to_string(instant);
  if (format.pattern == "L") return std::to_string(instant * 1000);
  if (format.pattern == "U") return std::to_string(instant * 1'000'000);
  const Civil civil = civil_of(instant);
  std::string text;
  for (const char code : format.pattern) text += field(code, civil, format);
  return text;
}

}  // namespace timeseries
