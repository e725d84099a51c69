// Inside timeseries/model: the pieces that forecasts of whole sets and of streams are made of.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "timeseries/model/forecast_model.h"
#include "timeseries/model/predict.h"
#include "timeseries/score/conformal.h"
#include "timeseries/series/series.h"

namespace timeseries {

/// The horizon asked for, the model's where 0. Throws UsageError beyond the model's.
int64_t chosen_horizon(const ForecastModel& model, int64_t asked);
/// Rows that a series must have, a quarter of the look-back where 0 is asked for.
int64_t least_rows(const ForecastModel& model, int64_t asked);

/// Why series `s` cannot be forecast, in one sentence; empty where it can. `rows`: all there were,
/// of which `s` may hold the last alone.
std::string hindrance(const SeriesSet& set, const Series& s, int64_t rows, int64_t lookback,
                      int64_t least);

/// Throws Error where no value that the windows are to forecast is known: there is nothing to
/// compare with.
void require_targets(const SeriesSet& set, std::span<const Window> windows, int64_t horizon);

/// The set with covariates known ahead for `horizon` steps at least: those that are not there are
/// missing, for forecasts of fewer steps than the network's.
SeriesSet with_ahead(const SeriesSet& set, int64_t horizon);

/// A forecast of so many levels, channels and steps, all numbers missing.
SeriesForecast blank_forecast(size_t levels, size_t channels, int64_t horizon);
/// Writes the first T of `forecast` and its bounds to the place of a channel.
void put_channel(SeriesForecast& to, const ConformalIntervals& intervals, size_t channel,
                 std::span<const double> forecast, double scale);

}  // namespace timeseries
