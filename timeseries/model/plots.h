// Results as the pictures of timeseries/plot take them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "timeseries/model/backtest_model.h"
#include "timeseries/model/fit_model.h"
#include "timeseries/model/patch_view.h"
#include "timeseries/model/predict.h"
#include "timeseries/plot/backtest_plot.h"
#include "timeseries/plot/forecast_plot.h"
#include "timeseries/plot/patch_plot.h"
#include "timeseries/plot/training_plot.h"

namespace timeseries {

/// One channel of one forecast of `result`, with the last `shown` rows before it (0: all).
ForecastPlot forecast_plot(const ForecastResult& result, size_t index, int64_t channel,
                           const SeriesSet& set, int64_t shown);
/// The forecast numbered `index` of a backtest, with what came.
ForecastPlot backtest_forecast_plot(const BacktestResult& result, size_t index,
                                    const SeriesSet& set, int64_t shown);
/// Errors by step (mae and mase) of all methods, and coverage.
BacktestPlot backtest_plot(const BacktestResult& result);
PatchPlot patch_plot(const PatchViews& views, size_t index, const SeriesSet& set);
TrainingPlot training_plot(const attn::train::TrainResult& result, const std::string& title,
                           const std::string& loss_label);

}  // namespace timeseries
