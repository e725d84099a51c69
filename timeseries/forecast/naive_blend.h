// A network's forecast beside a naive one: how much each counts, by how regular a window is.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace timeseries {

/// y = n + g(rho) (f - n), f a forecast of a window x_1 ... x_L, n its naive one (repeat_season),
///   rho = d / s ;  d = root mean square of x_t - x_{t-S}, s = sd, over the known values
/// the share of a window's spread that its season does not tell. g is linear in log2 rho between
/// kKnots knots at 2^-7, 2^-6, ..., 2, constant beyond. A network taught over many series errs by a
/// few per cent of their spread, which is much for one that repeats itself to the digit. (A
/// combination of forecasts with weights fitted on held-out rows: Bates and Granger 1969.)
struct NaiveBlend {
  static constexpr int64_t kKnots = 9;
  std::vector<int64_t> seasons;  ///< S of each naive forecast, in 1 ... L
  at::Tensor weight;  ///< (seasons, kKnots) in [0,1]: g at the knots; ones change nothing
};

/// y of values (N,L), NaN: missing, and f = forecast (N,T), one season after the other. A window
/// without two known values one season apart, or of one value only, keeps its forecast.
at::Tensor blended(const at::Tensor& values, const at::Tensor& forecast, const NaiveBlend& blend);

/// Writes blend.weight: ones but for the season of least error
///   sum_windows mean_h ((y_h - n_h) - g (f_h - n_h))^2 / u^2 ,  u the least d of all seasons
/// (0.001 s at least) over the known targets, g the knots in [0,1] of least error, each drawn to 1
/// as strongly as by four windows of its own of which no two overlap. `overlap` >= 1: windows that
/// share each target row. Windows whose values stay the same tell nothing.
void fit_blend(const NaiveBlend& blend, const at::Tensor& values, const at::Tensor& forecast,
               const at::Tensor& target, double overlap);

}  // namespace timeseries
