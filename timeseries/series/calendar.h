// Steps of time: their names, and counting them on the calendar.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "timeseries/series/series.h"

namespace timeseries {

/// "h", "15min", "D", "B", "W", "M", "Q", "Y", "s", "index", as pandas writes them, with a count
/// before; MS, QS, YS (starts) and ME, QE, YE (ends) as well, anchors such as W-SUN or Q-DEC, and
/// words ("hourly", "2 weeks"). Brought to the largest unit: "60min" is "h", "7D" is "W", "3M" is
/// "Q". Throws UsageError for anything else, "m" among it.
Frequency parse_frequency(std::string_view text);

/// The shortest text that parse_frequency reads back.
std::string frequency_text(const Frequency& frequency);

/// "1 hour", "15 minutes", "1 business day", for sentences.
std::string frequency_words(const Frequency& frequency);

/// The same step in the largest unit of whole counts.
Frequency normalised(Frequency frequency);

/// The instant `n` steps after (n < 0: before) `from`. Months, quarters and years keep the day of
/// the month as far as the month has one, or its end where `month_end`; business days skip
/// Saturdays and Sundays, and a weekend instant counts as the Friday before at the same time of
/// day.
Instant advance(Instant from, const Frequency& frequency, int64_t n);

/// n such that advance(from, frequency, n) = to; none where there is no such n.
std::optional<int64_t> steps_between(Instant from, Instant to, const Frequency& frequency);

/// Steps of the usual season: h 24, D 7, W 52, M 12, Q 4, B 5, x min 1440 / x, with a count k the
/// k-th part of it; 1 where that is not whole and for all others.
int64_t season_length(const Frequency& frequency);

}  // namespace timeseries
