// One stamp taken apart. Of parse_stamps alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "timeseries/series/civil.h"

namespace timeseries {

enum class ScanFault { none, empty, unknown, short_year, fraction, zone };

/// What a stamp holds. In `date` the numbers of a date that ends with the year are x and w, since
/// the column tells which is the day.
struct ScannedStamp {
  ScanFault fault = ScanFault::none;
  std::string date;  ///< pattern of the date, "#" for a whole number
  std::string time;  ///< pattern from the blank or T on; empty without a time of day
  std::string zone;  ///< literally
  Civil civil;
  int64_t first = 0, second = 0;  ///< x and w
  int64_t number = 0;
  int digits = 0;                                                      ///< of the number
  bool short_month = false, short_day = false, short_hour = false;     ///< one digit
  bool padded_month = false, padded_day = false, padded_hour = false;  ///< two, the first 0
  bool full_name = false, short_name = false, upper_name = false;
};

/// Takes `text` (no blanks around) apart. Fields are not checked against the calendar.
ScannedStamp scan_stamp(std::string_view text);

}  // namespace timeseries
