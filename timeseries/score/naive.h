// Forecasts without a model: the floor that every model is printed beside.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace timeseries {

/// All take the known past x_0 ... x_{n-1} of one channel (NaN: missing), a season of m >= 1 steps
/// and a horizon T >= 0, and give f_1 ... f_T for steps n ... n+T-1. Step h has its place in the
/// season; "its values" are the known x_t with n - 1 + h - t a multiple of m, looked for from the
/// newest back. Where there is none, the last known value of the series stands in; where that is
/// missing too, NaN. Throw std::logic_error for m < 1, k < 1, T < 0.

/// f_h = the last known value.
std::vector<double> last_value(std::span<const double> history, int64_t horizon);

/// f_h = the newest of its values.
std::vector<double> seasonal_naive(std::span<const double> history, int64_t season,
                                   int64_t horizon);

/// f_h = x_t + (n - 1 + h - t) / m * D, x_t the newest of its values and D the mean of all known
/// seasonal differences x_t - x_{t-m} (0 where there is none). With m = 1 and nothing missing the
/// drift method of Hyndman and Athanasopoulos (Forecasting: Principles and Practice, section 5.2).
std::vector<double> seasonal_drift(std::span<const double> history, int64_t season,
                                   int64_t horizon);

/// f_h = mean of its values in the k seasons before the origin; where all of these are missing, the
/// newest of its values.
std::vector<double> seasonal_mean(std::span<const double> history, int64_t season, int64_t seasons,
                                  int64_t horizon);

}  // namespace timeseries
