// The civil (proleptic Gregorian) calendar.
#pragma once

#include <cstdint>

#include "timeseries/series/series.h"

namespace timeseries {

constexpr int64_t kDaySeconds = 86400;

/// A date and a time of day without a zone; months and days from 1.
struct Civil {
  int64_t year = 1970;
  int64_t month = 1, day = 1;
  int64_t hour = 0, minute = 0, second = 0;
  bool operator==(const Civil&) const = default;
};

/// floor(a / b), b > 0.
constexpr int64_t floor_div(int64_t a, int64_t b) {
  return a / b - static_cast<int64_t>(a % b < 0);
}

int64_t days_in_month(int64_t year, int64_t month);

/// Whether the fields name a date and a time of day: month 1 ... 12, hour 0 ... 23, no second 60.
bool is_valid(const Civil& civil);

/// Seconds since 1970-01-01 00:00; the inverse of civil_of for valid fields.
Instant instant_of(const Civil& civil);
Civil civil_of(Instant instant);

/// 0 for Monday ... 6 for Sunday.
int64_t weekday_of(Instant instant);

/// 0 for January 1st.
int64_t day_of_year(Instant instant);

}  // namespace timeseries
