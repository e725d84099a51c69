// Series of known make, for examples, tests and benchmarks.
#pragma once

#include <cstdint>

#include "timeseries/series/series.h"

namespace timeseries {

/// Per series, with time as the share of the day, week or year that is over, e standard normal, all
/// else drawn once for the series:
///   y_t = level + trend t / rows + daily S_d(t) + weekly S_w(t) + yearly S_y(t) + shifts_t
///         + covariate_effect (weather_{t-1} + promotion_t) + sigma_t e_t
///   sigma_t = noise (1 + heteroscedastic (S_d(t) + 1) / 2)      (S_w where a step is a day or
///   more)
/// S are two harmonics, each series with its own phase, amplitude 1. Units: those of the noise.
struct SimulateOptions {
  int64_t series = 1;
  int64_t rows = 24 * 120;
  Frequency frequency{Unit::hour};
  Instant start = 1577836800;  ///< 2020-01-01 00:00
  double level = 20, trend = 4;
  double daily = 5;                         ///< where a step is less than a day
  double weekly = 3;                        ///< where a step is less than a week
  double yearly = 4;                        ///< where a step is a day or more
  double level_shifts = 1, shift_size = 3;  ///< expected number in a series, sd of each
  double noise = 1, heteroscedastic = 1;
  double missing = 0;          ///< expected share of rows in missing stretches
  double missing_length = 12;  ///< mean length of a stretch
  bool covariates = false;     ///< `weather` past, `promotion` known ahead, `size` static
  double covariate_effect = 2;
  int64_t ahead = 48;  ///< rows of `promotion` behind the last value
  uint64_t seed = 0;
};

/// Ids S1, S2, ..., none for a single series; one channel `value`; stamps as "2020-01-01 00:00:00"
/// in a column `date`. The same on every machine, and series i the same whatever their number.
/// Throws UsageError for counts below 1, shares outside of 0 ... 1 and a frequency without a
/// calendar.
SeriesSet simulate(const SimulateOptions& options);

}  // namespace timeseries
