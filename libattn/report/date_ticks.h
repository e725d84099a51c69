// Ticks of an axis of dates: round years, quarters, months, weeks, days, hours, minutes, seconds.
#pragma once

#include <string>
#include <vector>

namespace attn::report {

/// One tick. `label` is short; `context` says what it leaves open, and stands below it at the first
/// tick and wherever it changes: the year of months and days ("Jul" / "2016", "4 Jul" / "2016"),
/// the day of times ("06:00" / "4 Jul 2016"), nothing for years ("2016").
struct DateTick {
  double at = 0;
  std::string label;
  std::string context = {};
};

/// Ticks within [low, high], both in seconds since 1970-01-01 00:00 without a zone: the finest of
/// 1, 2, 5, 10, 15, 30 s or min; 1, 2, 3, 6, 12 h; 1, 2 days (odd days of the month); 1, 2 weeks
/// (Mondays); 1, 2, 3, 6 months; 1, 2, 5, 10, 20, 50 ... years that gives at most `most` of them,
/// `most` >= 1. None where an end is not finite or lies beyond the years -9999 ... 9999.
std::vector<DateTick> date_ticks(double low, double high, int most);

}  // namespace attn::report
