// How good quantiles and intervals are: pinball loss, coverage, width, interval score.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "timeseries/score/metrics.h"

namespace timeseries {

/// Pinball loss of the q-quantile f: q (y - f) where y >= f, else (1 - q)(f - y). Koenker and
/// Bassett 1978.
double pinball_loss(double target, double forecast, double quantile);

struct QuantileSums {
  int64_t count = 0, missing = 0, unforecast = 0;  ///< as in ErrorSums
  int64_t below = 0;                               ///< targets at or below the quantile
  double loss = 0;

  void add(double target, double forecast, double quantile);
  void add(const QuantileSums& other);
  double mean_loss() const;    ///< NaN where count = 0
  double share_below() const;  ///< of a calibrated q-quantile: q
};

/// Sums of several quantiles at each step of the horizon.
struct HorizonQuantiles {
  std::vector<double> quantiles;   ///< (Q), each in (0, 1)
  std::vector<QuantileSums> sums;  ///< (Q,T) row-major
  int64_t horizon = 0;

  HorizonQuantiles() = default;
  HorizonQuantiles(std::vector<double> quantile_levels, int64_t steps);
  /// T targets, (Q,T) forecasts. Throws std::logic_error where the sizes differ.
  void add(std::span<const double> target, std::span<const double> forecasts);
  void add(const HorizonQuantiles& other);
  const QuantileSums& at(size_t quantile, int64_t step) const;
  QuantileSums overall(size_t quantile) const;
};

/// Interval [l, u] of level a: covered where l <= y <= u. Its score, smaller is better, is
///   (u - l) + 2 / (1 - a) ((l - y)+ + (y - u)+),  Gneiting and Raftery 2007, equation 43;
/// divided by the window's scale and averaged it is M4's MSIS.
struct IntervalSums {
  int64_t count = 0, missing = 0, unforecast = 0;  ///< unforecast: a bound is NaN
  int64_t covered = 0, below = 0, above = 0;       ///< targets inside, under, over
  int64_t scaled = 0;                              ///< of count, those of windows with a scale
  double width = 0, score = 0, scaled_width = 0, scaled_score = 0;

  void add(double target, double low, double high, double level, double scale = kMissing);
  void add(const IntervalSums& other);
  double coverage() const;  ///< share in [0, 1]; NaN where count = 0, as the others
  double mean_width() const;
  double mean_score() const;
  double mean_scaled_width() const;
  double mean_scaled_score() const;
};

/// Sums of intervals of several levels at each step of the horizon.
struct HorizonIntervals {
  std::vector<double> levels;      ///< (K), each in (0, 1)
  std::vector<IntervalSums> sums;  ///< (K,T) row-major
  int64_t horizon = 0;

  HorizonIntervals() = default;
  HorizonIntervals(std::vector<double> interval_levels, int64_t steps);
  /// T targets, (K,T) bounds each, and the window's scale. Throws std::logic_error where the sizes
  /// differ.
  void add(std::span<const double> target, std::span<const double> low,
           std::span<const double> high, double scale = kMissing);
  void add(const HorizonIntervals& other);
  const IntervalSums& at(size_t level, int64_t step) const;
  IntervalSums overall(size_t level) const;
};

}  // namespace timeseries
