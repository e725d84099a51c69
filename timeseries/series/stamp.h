// Time stamps as files write them: a whole column read at once, and written back in its own form.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "timeseries/series/series.h"

namespace timeseries {

/// Which of two numbers before a year is the day: told by the column where one of them is above 12
/// or all are equal.
enum class DateOrder { automatic, day_first, month_first };

/// "day-first", "month-first" or "auto". Throws UsageError.
DateOrder parse_date_order(std::string_view text);

struct StampColumn {
  std::vector<Instant> instants;
  StampFormat format;  ///< pattern "#" where the stamps are whole numbers without a calendar
};

struct StampOptions {
  DateOrder order = DateOrder::automatic;
  /// "FILE: row 17, column date" for the item `i` of the column; the first words of every error.
  std::function<std::string(size_t i)> locate;
};

/// Reads a column of stamps, all of one form:
///  - dates 2016-07-01, 2016/7/1, 1.7.2016, 07/01/2016, 20160701, 1-Jul-2016, Jul 1, 2016; months
///    2016-07, 07/2016, 201607, Jul 2016; quarters 2016Q3, Q3 2016; years 2016;
///  - behind a date, after a blank or T: 13, 13:00, 13:00:00, 13:00:00.000, 1:00 PM; a stamp
///    without a time of day among others with one is midnight;
///  - behind a time Z, UTC, +02:00, +0200 or +02, the same in the whole column: the instant is the
///    column's own clock, from which the zone's offset is already told apart;
///  - whole numbers: years where all are 1500 ... 2200; seconds, milliseconds or microseconds since
///    1970 where all have 10, 13 or 16 digits; else rows without a calendar (up to 2^53).
/// Throws Error naming the row, what was found and what was expected: no stamp, another form than
/// the first, no such date, a year of two digits, fractions of a second, zones that differ, an
/// order of day and month that cannot be told (--date-order names it).
StampColumn parse_stamps(std::span<const std::string> texts, const StampOptions& options);

/// Whether `text` alone is a stamp with a calendar, other than a plain number of any but 4 digits.
bool looks_like_stamp(std::string_view text);

/// The instant as the column writes it. Fields that the pattern lacks are left out.
std::string format_stamp(Instant instant, const StampFormat& format);

}  // namespace timeseries
