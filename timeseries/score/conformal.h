// Split-conformal intervals, a width for every step of the horizon, from residuals of validation.
//
// Of n exchangeable residuals and one more, the new one is at most the k-th smallest of the n,
// k = ceil((n + 1) a), with probability at least a (Vovk, Gammerman, Shafer 2005; Lei, G'Sell,
// Rinaldo, Tibshirani, Wasserman 2018, theorem 2.2). Each step of the horizon has its own quantile,
// as in Stankeviciute, Alaa, van der Schaar 2021, smoothed over the steps where residuals are few
// (conformal_intervals), but none of their correction for the whole path:
// a level holds at each step by itself. Residuals of neighbouring windows depend on each other and
// series drift, so that the promise is approximate: report the coverage.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "timeseries/score/residuals.h"

namespace timeseries {

struct ConformalOptions {
  std::vector<double> levels{0.5, 0.8, 0.9, 0.95};  ///< each in (0, 1)
  bool symmetric = true;  ///< one quantile of |r| at level a; else two, of -r and r, at (1 + a) / 2
                          ///< (Romano, Patterson, Candes 2019, theorem 2)
  double shrink = 50;     ///< >= 0; see conformal_intervals
  double smooth = 1000;   ///< >= 0; see conformal_intervals
};

/// What the model file keeps: y lies in [f + s low, f + s high], s the window's scale.
struct ConformalIntervals {
  std::vector<double> levels;  ///< (K) ascending
  int64_t horizon = 0;         ///< T
  int64_t channels = 1;        ///< C; 1: the same for every channel
  bool symmetric = true;
  std::vector<double> low, high;   ///< (K,C,T); a higher level holds the lower ones
  std::vector<int64_t> residuals;  ///< (C,T) how many of that step they rest on, pooled ones
                                   ///< included
};

/// The k-th smallest of `ascending`, k = ceil((n + 1) level); infinity where k > n.
double conformal_quantile(std::span<const double> ascending, double level);

/// Fewest residuals of which that quantile is finite: level / (1 - level), rounded up.
int64_t residuals_needed(double level);

/// Of n residuals at step t, of level quantile q_t, the offset at t is
///   v q_t + (1 - v) a_t q,  v = n / (n + smooth),
/// a_t the mean over the steps within max(T/8, 1) of t of their mean |r|, q the quantile of r / a
/// over all steps (of each at most 1,000, evenly spread): so few residuals at each step give a band
/// whose width goes smoothly from step to step, and levels that lie apart. With C > 1 channels of
/// n_c residuals at a step, the offset of a channel is
///   w q_c + (1 - w) q_pooled,  w = n_c / (n_c + shrink),
/// of such offsets, and q_pooled where n_c is less than the highest level needs; residuals must
/// then be scaled, or the channels of one unit. The theorem above holds for smooth = 0 and C = 1 or
/// shrink = 0; blending trades it for less noise. Where residuals are fewer than a level needs,
/// its quantile is the largest of them, short of the infinite one that the theorem asks for: see
/// told().
/// A step without any takes those of the nearest step that has some. Throws Error where no step has
/// any; UsageError for levels outside (0, 1) or none.
ConformalIntervals conformal_intervals(const ResidualSample& sample,
                                       const ConformalOptions& options);

/// One sentence about levels that rest on too few residuals; empty where there is none.
std::string told(const ConformalIntervals& intervals);

/// Bounds of all levels around one forecast.
struct IntervalBounds {
  std::vector<double> low, high;  ///< (K,T)
};

/// Bounds of a forecast of 1 to T steps of `channel`, whose window has the scale `scale` (that of
/// the residuals; 1 where they are not scaled; NaN gives NaN). Throws Error for more steps than T.
IntervalBounds bounds_of(const ConformalIntervals& intervals, int64_t channel,
                         std::span<const double> forecast, double scale = 1);

/// The intervals of some of the levels only, in ascending order. Throws UsageError naming a level
/// that they do not hold and those that they do.
ConformalIntervals select_levels(const ConformalIntervals& intervals, std::vector<double> levels);

void to_json(nlohmann::json& j, const ConformalIntervals& intervals);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, ConformalIntervals& intervals);

}  // namespace timeseries
