// Where a step of time stands in a season.
#pragma once

#include <cstdint>

#include "timeseries/series/series.h"

namespace timeseries {

/// Number of whole steps of `frequency` from a fixed instant (1970-01-05, a Monday) to `instant`,
/// on the calendar for months, quarters, years and business days. One step later it is one more, so
/// that it goes on from file to file.
int64_t step_index(Instant instant, const Frequency& frequency);

/// Place of `instant` in a season of `season` steps, 0 ... season - 1: step_index modulo season.
/// Where the season is the year (52 of 1 week, 365 of 1 day) the place is told by the day of the
/// year, since the index would drift against it. season >= 1.
int64_t phase_of(Instant instant, const Frequency& frequency, int64_t season);

}  // namespace timeseries
