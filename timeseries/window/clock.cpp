#include "timeseries/window/clock.h"

#include <algorithm>

#include "timeseries/series/civil.h"

namespace timeseries {
namespace {

constexpr int64_t kMonday = 4 * kDaySeconds;  // 1970-01-05

/// Months since 1970-01.
int64_t month_index(Instant instant) {
  const Civil civil = civil_of(instant);
  return 12 * (civil.year - 1970) + civil.month - 1;
}

/// Mondays to Fridays since 1970-01-05; a weekend counts as the Friday before.
int64_t business_index(Instant instant) {
  const int64_t week = floor_div(instant - kMonday, 7 * kDaySeconds);
  return 5 * week + std::min<int64_t>(weekday_of(instant), 4);
}

int64_t unit_seconds(Unit unit) {
  switch (unit) {
    case Unit::second:
      return 1;
    case Unit::minute:
      return 60;
    case Unit::hour:
      return 3600;
    case Unit::week:
      return 7 * kDaySeconds;
    default:
      return kDaySeconds;
  }
}

}  // namespace

int64_t step_index(Instant instant, const Frequency& f) {
  switch (f.unit) {
    case Unit::index:
      return floor_div(instant, f.count);
    case Unit::month:
      return floor_div(month_index(instant), f.count);
    case Unit::quarter:
      return floor_div(month_index(instant), 3 * f.count);
    case Unit::year:
      return floor_div(month_index(instant), 12 * f.count);
    case Unit::business_day:
      return floor_div(business_index(instant), f.count);
    default:
      return floor_div(instant - kMonday, unit_seconds(f.unit) * f.count);
  }
}

int64_t phase_of(Instant instant, const Frequency& f, int64_t season) {
  if (f.count == 1 && f.unit == Unit::week && season == 52)
    return std::min<int64_t>(day_of_year(instant) / 7, 51);
  if (f.count == 1 && f.unit == Unit::day && season == 365)
    return std::min<int64_t>(day_of_year(instant), 364);
  const int64_t index = step_index(instant, f);
  return index - season * floor_div(index, season);
}

}  // namespace timeseries
