// Errors of point forecasts, added up window by window in fp64: no list of windows is kept.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace timeseries {

inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// Mean absolute seasonal difference of known values, the denominator of MASE:
///   s = mean over t of |x_t - x_{t-m}|, over the t where both are known, m = `season` >= 1.
/// NaN where there is no such t and where s = 0 (a series that is constant, or repeats itself
/// exactly): nothing to scale by. Hyndman and Koehler 2006, section 2; m > 1 as in M4.
double seasonal_scale(std::span<const double> history, int64_t season);

/// What there is to say of errors e = y - f. sMAPE, MAPE and WAPE in per cent.
///   mse   mean e^2                                mae   mean |e|
///   rmse  square root of mse                      smape mean 200 |e| / (|y| + |f|), 0 where y = f
///   = 0 mase  mean |e| / s, windows with a scale s    mape  mean 100 |e| / |y|, where y != 0 wape
///   100 sum |e| / sum |y|
/// Means are over all known values; with as many of each series they are the mean of the series'
/// own, as in M4 (Makridakis, Spiliotis, Assimakopoulos 2020, section 2.4).
enum class Metric { mse, mae, rmse, smape, mase, mape, wape };
inline constexpr std::array<Metric, 7> kMetrics{Metric::mse,   Metric::mae,  Metric::rmse,
                                                Metric::smape, Metric::mase, Metric::mape,
                                                Metric::wape};
std::string_view name_of(Metric metric);

/// Sums over (target, forecast) pairs; those of two sets of pairs add up to those of their union.
struct ErrorSums {
  int64_t count = 0;       ///< pairs of two known values
  int64_t missing = 0;     ///< pairs left out since the target is NaN
  int64_t unforecast = 0;  ///< pairs left out since only the forecast is NaN
  int64_t nonzero = 0;     ///< of count, those with y != 0
  int64_t scaled = 0;      ///< of count, those of windows with a scale
  double squared = 0, absolute = 0, magnitude = 0;          ///< sums of e^2, |e|, |y|
  double symmetric = 0, relative = 0, scaled_absolute = 0;  ///< of 2|e|/(|y|+|f|), |e/y|, |e|/s

  /// `scale` that is not finite and positive: the pair has no part in MASE.
  void add(double target, double forecast, double scale = kMissing);
  void add(const ErrorSums& other);
  /// Pairs that MASE leaves out.
  int64_t unscaled() const { return count - scaled; }
  /// NaN where no pair defines it.
  double value(Metric metric) const;
};

/// The same for each step of the horizon.
struct HorizonErrors {
  std::vector<ErrorSums> steps;  ///< (T)
  int64_t windows = 0;

  HorizonErrors() = default;
  explicit HorizonErrors(int64_t horizon);
  /// One window of one channel: T targets, T forecasts, and its scale. Throws std::logic_error
  /// where these are not T.
  void add(std::span<const double> target, std::span<const double> forecast,
           double scale = kMissing);
  void add(std::span<const float> target, std::span<const float> forecast, double scale = kMissing);
  void add(const HorizonErrors& other);
  ErrorSums overall() const;
};

}  // namespace timeseries
