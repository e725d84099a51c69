#include "timeseries/series/calendar.h"

#include <algorithm>

#include "timeseries/series/civil.h"

namespace timeseries {
namespace {

int64_t seconds_of(Unit unit) {
  switch (unit) {
    case Unit::minute:
      return 60;
    case Unit::hour:
      return 3600;
    case Unit::day:
      return kDaySeconds;
    case Unit::week:
      return 7 * kDaySeconds;
    default:
      return 1;  // seconds, and the index
  }
}

int64_t months_of(Unit unit) {
  switch (unit) {
    case Unit::month:
      return 1;
    case Unit::quarter:
      return 3;
    case Unit::year:
      return 12;
    default:
      return 0;
  }
}

Instant add_months(Instant from, int64_t months, bool month_end) {
  Civil c = civil_of(from);
  const int64_t index = 12 * c.year + c.month - 1 + months;
  c.year = floor_div(index, 12);
  c.month = index - 12 * c.year + 1;
  const int64_t last = days_in_month(c.year, c.month);
  c.day = month_end ? last : std::min(c.day, last);
  return instant_of(c);
}

/// Business days since Monday 1970-01-05, and the time of day.
int64_t business_index(Instant instant) {
  const int64_t since = floor_div(instant, kDaySeconds) - 4, week = floor_div(since, 7);
  return 5 * week + std::min<int64_t>(since - 7 * week, 4);
}

Instant add_business_days(Instant from, int64_t n) {
  const int64_t index = business_index(from) + n, week = floor_div(index, 5);
  const int64_t day = 4 + 7 * week + (index - 5 * week);
  return day * kDaySeconds + (from - floor_div(from, kDaySeconds) * kDaySeconds);
}

int64_t candidate_steps(Instant from, Instant to, const Frequency& f) {
  if (const int64_t months = months_of(f.unit); months > 0) {
    const Civil a = civil_of(from), b = civil_of(to);
    return floor_div(12 * (b.year - a.year) + b.month - a.month, months * f.count);
  }
  if (f.unit == Unit::business_day)
    return floor_div(business_index(to) - business_index(from), f.count);
  return floor_div(to - from, seconds_of(f.unit) * f.count);
}

}  // namespace

Instant advance(Instant from, const Frequency& f, int64_t n) {
  if (const int64_t months = months_of(f.unit); months > 0)
    return add_months(from, n * f.count * months, f.month_end);
  if (f.unit == Unit::business_day) return add_business_days(from, n * f.count);
  return from + n * f.count * seconds_of(f.unit);
}

std::optional<int64_t> steps_between(Instant from, Instant to, const Frequency& f) {
  const int64_t n = candidate_steps(from, to, f);
  if (advance(from, f, n) != to) return {};
  return n;
}

Frequency normalised(Frequency f) {
  const auto lift = [&f](Unit small, int64_t count, Unit large) {
    if (f.unit != small || f.count % count != 0) return;
    f.unit = large;
    f.count /= count;
  };
  lift(Unit::second, 60, Unit::minute);
  lift(Unit::minute, 60, Unit::hour);
  lift(Unit::hour, 24, Unit::day);
  lift(Unit::day, 7, Unit::week);
  lift(Unit::month, 3, Unit::quarter);
  lift(Unit::quarter, 4, Unit::year);
  return f;
}

int64_t season_length(const Frequency& f) {
  const auto share = [&f](int64_t season) { return season % f.count == 0 ? season / f.count : 1; };
  switch (f.unit) {
    case Unit::minute:
      return share(1440);
    case Unit::hour:
      return share(24);
    case Unit::day:
      return share(7);
    case Unit::business_day:
      return share(5);
    case Unit::week:
      return share(52);
    case Unit::month:
      return share(12);
    case Unit::quarter:
      return share(4);
    default:
      return 1;
  }
}

}  // namespace timeseries
