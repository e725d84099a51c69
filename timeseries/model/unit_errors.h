// Errors in standard deviations of the data, whatever scale a network works on.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "timeseries/forecast/evaluate.h"

namespace timeseries {

/// Sums of ((forecast - target) / unit)^2 and its root over known targets.
class UnitErrors {
 public:
  /// One window in the units of the data; NaN targets are left out.
  void add(std::span<const double> target, std::span<const double> forecast, double unit) {
    ++windows_;
    for (size_t t = 0; t < target.size(); ++t) {
      if (std::isnan(target[t])) continue;
      const double error = (forecast[t] - target[t]) / unit;
      squares_ += error * error;
      magnitudes_ += std::abs(error);
      ++values_;
    }
  }
  Errors errors() const {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    const auto n = static_cast<double>(values_);
    if (values_ == 0) return {kNone, kNone, windows_, 0};
    return {squares_ / n, magnitudes_ / n, windows_, values_};
  }

 private:
  double squares_ = 0, magnitudes_ = 0;
  int64_t windows_ = 0, values_ = 0;
};

}  // namespace timeseries
