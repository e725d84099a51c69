// The pages attn-forecast writes, and the tables that stand in them and on stdout.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apps/common/app.h"
#include "libattn/report/report.h"
#include "timeseries/model/backtest_model.h"
#include "timeseries/model/predict.h"
#include "timeseries/model/train_run.h"

namespace attn::app {

/// The metrics of train_run, one row for each part.
std::vector<std::vector<std::string>> metrics_rows(const nlohmann::json& metrics);
std::string metrics_text(const nlohmann::json& metrics);

/// report.html of a training run: errors, training curves, forecasts of the last rows that were not
/// trained on, patches, error by horizon and coverage, settings.
report::Report training_report(const timeseries::TrainRunResult& run,
                               const timeseries::SeriesSet& set, const Context& context);

/// Errors of all methods, one row each, with the coverage of the levels.
std::vector<std::vector<std::string>> backtest_rows(const timeseries::BacktestResult& result);
/// These with the windows above them, and below them whether the model knew what it forecasts.
std::string backtest_text(const timeseries::BacktestResult& result);

/// Page of a backtest: the table, error by horizon, coverage, the model's forecasts.
report::Report backtest_report(const timeseries::BacktestResult& result,
                               const timeseries::SeriesSet& set, const Context& context);

/// Page of forecasts: a picture of each channel of each series, of so many at most.
report::Report forecast_report(const timeseries::ForecastResult& result,
                               const timeseries::SeriesSet& set, int64_t shown);

/// What was called, the resolved options and the versions, behind a click.
void add_settings(report::Report& page, const Context& context);

}  // namespace attn::app
