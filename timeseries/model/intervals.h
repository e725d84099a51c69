// Conformal intervals of a model: made on validation windows, asked for at any level.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "attn/hooks.h"
#include "timeseries/forecast/evaluate.h"
#include "timeseries/model/forecast_model.h"
#include "timeseries/window/plan.h"

namespace timeseries {

/// The scale of one window's residuals, in the units of `history`, whose last `lookback` values (or
/// fewer) are the window: with `scaled` residual_scale of the window, where that is undefined of
/// the whole history, else 0; without, unit() of `moments`.
double interval_scale(std::span<const double> history, int64_t lookback, int64_t season,
                      bool scaled, const Moments& moments);

struct Calibration {
  ConformalIntervals intervals;
  Errors errors;  ///< standardised, over all windows
};

/// Residuals of the windows (of validation), in the units of the data over interval_scale, as
/// quantiles at stored_levels(), and the errors. No levels where no residual is known: no value was
/// there to compare with, or nothing ever moved, so that there is no scale.
Calibration calibrate(const ForecastModel& model, const SeriesSet& set, const WindowSource& source,
                      std::span<const Window> windows, const attn::Hooks& hooks);

/// Intervals at any levels in (0, 1): stored ones as they are, others linear between their
/// neighbours (0 at level 0). Throws UsageError above the highest stored level, for levels outside
/// of (0, 1) and where the model has none.
ConformalIntervals intervals_at(const ConformalIntervals& stored, std::vector<double> levels);

/// "80", "80,95" or "0.8": levels in (0, 1), ascending. Throws UsageError.
std::vector<double> parse_levels(std::string_view text);

}  // namespace timeseries
