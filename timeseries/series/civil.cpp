#include "timeseries/series/civil.h"

#include <chrono>

namespace timeseries {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

/// Days since 1970-01-01. std::chrono ends with the year 32767; the calendar repeats every 400
/// years (146097 days).
int64_t days_from(int64_t year, int64_t month, int64_t day) {
  const int64_t era = floor_div(year, 400);
  const year_month_day date{std::chrono::year(static_cast<int>(year - 400 * era)),
                            std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  return sys_days(date).time_since_epoch().count() + 146097 * era;
}

}  // namespace

int64_t days_in_month(int64_t year, int64_t month) {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool is_valid(const Civil& c) {
  return c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= days_in_month(c.year, c.month) &&
         c.hour >= 0 && c.hour < 24 && c.minute >= 0 && c.minute < 60 && c.second >= 0 &&
         c.second < 60;
}

Instant instant_of(const Civil& c) {
  return days_from(c.year, c.month, c.day) * kDaySeconds + 3600 * c.hour + 60 * c.minute + c.second;
}

Civil civil_of(Instant instant) {
  const int64_t day = floor_div(instant, kDaySeconds), rest = instant - day * kDaySeconds;
  const int64_t era = floor_div(day, 146097);
  const year_month_day date(sys_days(days(day - 146097 * era)));
  return {static_cast<int>(date.year()) + 400 * era,
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          rest / 3600,
          rest / 60 % 60,
          rest % 60};
}

int64_t weekday_of(Instant instant) {
  const int64_t day = floor_div(instant, kDaySeconds) + 3;  // 1970-01-01 was a Thursday
  return day - 7 * floor_div(day, 7);
}

int64_t day_of_year(Instant instant) {
  const int64_t day = floor_div(instant, kDaySeconds);
  return day - days_from(civil_of(instant).year, 1, 1);
}

}  // namespace timeseries
