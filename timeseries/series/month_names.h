// The months' English names.
#pragma once

#include <array>
#include <cctype>
#include <cstddef>
#include <string_view>

namespace timeseries {

inline constexpr std::array<std::string_view, 12> kMonthNames{
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

struct MonthName {
  int month = 0;                           ///< 1 ... 12, 0 for another word
  bool full = false, abbreviated = false;  ///< both false for May, which is either
};

/// The month of a name or its first three letters, in any case.
inline MonthName month_of(std::string_view word) {
  const auto same = [word](std::string_view name) {
    if (word.size() != name.size()) return false;
    for (size_t i = 0; i < word.size(); ++i)
      if (std::tolower(static_cast<unsigned char>(word[i])) !=
          std::tolower(static_cast<unsigned char>(name[i])))
        return false;
    return true;
  };
  for (size_t m = 0; m < kMonthNames.size(); ++m) {
    const std::string_view name = kMonthNames[m];
    const int month = static_cast<int>(m) + 1;
    if (same(name)) return {month, name.size() > 3, false};
    if (same(name.substr(0, 3))) return {month, false, true};
  }
  return {};
}

}  // namespace timeseries
