// Where instants stand in the cycles of the clock and the calendar.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "timeseries/series/series.h"

namespace timeseries {

/// Names of the features that suit `frequency`, two ("hour-of-day-sin", "hour-of-day-cos") for each
/// cycle of four steps or more: minute of the hour, hour of the day, day of the week, day of the
/// month (for steps of a day), day of the year; month of the year for months and quarters. None for
/// Unit::index.
std::vector<std::string> cyclic_feature_names(const Frequency& frequency);

/// (instants, names) row-major, sin and cos of 2 pi s, s in [0, 1) the share of the cycle that is
/// over.
std::vector<double> cyclic_features(std::span<const Instant> instants, const Frequency& frequency);

/// The instants of rows 0 ... rows - 1 of `series`, and of as many behind its end as are asked for.
std::vector<Instant> instants_of(const Series& series, const Frequency& frequency, int64_t rows);

}  // namespace timeseries
