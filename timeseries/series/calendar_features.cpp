#include "timeseries/series/calendar_features.h"

#include <cmath>
#include <numbers>

#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"

namespace timeseries {
namespace {

/// Share of a cycle that is over at an instant.
using Share = double (*)(Instant);

struct Cycle {
  const char* name;
  Share share;
};

double share_of(Instant instant, int64_t cycle) {
  return static_cast<double>(instant - cycle * floor_div(instant, cycle)) /
         static_cast<double>(cycle);
}

constexpr Cycle kHour{"minute-of-hour", [](Instant t) { return share_of(t, 3600); }};
constexpr Cycle kDay{"hour-of-day", [](Instant t) { return share_of(t, kDaySeconds); }};
constexpr Cycle kWeek{"day-of-week", [](Instant t) {
                        // from Monday: 1970-01-05
                        return share_of(t - 4 * kDaySeconds, 7 * kDaySeconds);
                      }};
constexpr Cycle kMonth{"day-of-month", [](Instant t) {
                         const Civil c = civil_of(t);
                         return static_cast<double>(c.day - 1) /
                                static_cast<double>(days_in_month(c.year, c.month));
                       }};
constexpr Cycle kYear{"day-of-year", [](Instant t) {
                        const int64_t days = days_in_month(civil_of(t).year, 2) + 337;
                        return static_cast<double>(day_of_year(t)) / static_cast<double>(days);
                      }};
constexpr Cycle kMonths{"month-of-year",
                        [](Instant t) { return static_cast<double>(civil_of(t).month - 1) / 12; }};

/// Seconds of a step that is no longer than weeks.
int64_t step_seconds(const Frequency& f) {
  return advance(0, f, 1);
}

std::vector<Cycle> cycles_of(const Frequency& f) {
  std::vector<Cycle> out;
  switch (f.unit) {
    case Unit::index:
    case Unit::year:
      return out;
    case Unit::month:
    case Unit::quarter:
      if (4 * f.count * (f.unit == Unit::quarter ? 3 : 1) <= 12) out.push_back(kMonths);
      return out;
    case Unit::business_day:
      if (f.count == 1) out = {kWeek, kMonth};
      if (f.count <= 65) out.push_back(kYear);
      return out;
    default:
      break;
  }
  const int64_t step = step_seconds(f);
  if (4 * step <= 3600) out.push_back(kHour);
  if (4 * step <= kDaySeconds) out.push_back(kDay);
  if (4 * step <= 7 * kDaySeconds) out.push_back(kWeek);
  if (step == kDaySeconds) out.push_back(kMonth);
  if (4 * step <= 366 * kDaySeconds) out.push_back(kYear);
  return out;
}

}  // namespace

std::vector<std::string> cyclic_feature_names(const Frequency& frequency) {
  std::vector<std::string> out;
  for (const Cycle& cycle : cycles_of(frequency)) {
    out.push_back(std::string(cycle.name) + "-sin");
    out.push_back(std::string(cycle.name) + "-cos");
  }
  return out;
}

std::vector<double> cyclic_features(std::span<const Instant> instants, const Frequency& frequency) {
  const std::vector<Cycle> cycles = cycles_of(frequency);
  std::vector<double> out;
  out.reserve(2 * cycles.size() * instants.size());
  for (const Instant instant : instants) {
    for (const Cycle& cycle : cycles) {
      const double angle = 2 * std::numbers::pi * cycle.share(instant);
      out.push_back(std::sin(angle));
      out.push_back(std::cos(angle));
    }
  }
  return out;
}

std::vector<Instant> instants_of(const Series& series, const Frequency& frequency, int64_t rows) {
  std::vector<Instant> out;
  out.reserve(static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; ++row) out.push_back(advance(series.start, frequency, row));
  return out;
}

}  // namespace timeseries
