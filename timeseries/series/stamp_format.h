// How a column of a file writes its time stamps.
#pragma once

#include <string>

namespace timeseries {

/// A pattern of one-letter codes and literal characters: Y year, m month, d day, b month name,
/// k quarter, h hour, H hour of a 12-hour clock, p am/pm, P AM/PM, i minute, s second; or one code
/// alone: # a whole number without a calendar, E seconds, L milliseconds and U microseconds since
/// 1970. Years have four digits, minutes and seconds two.
struct StampFormat {
  std::string pattern = "#";
  bool pad_month = true, pad_day = true, pad_hour = true;  ///< two digits always: "07", else "7"
  bool full_names = false;                                 ///< "January", else "Jan"
  bool upper_names = false;                                ///< "JAN"
  bool operator==(const StampFormat&) const = default;
};

}  // namespace timeseries
