#include "apps/attn-forecast/reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "apps/attn-forecast/series_args.h"
#include "apps/common/tables.h"
#include "timeseries/model/patch_view.h"
#include "timeseries/model/plots.h"
#include "timeseries/score/level_text.h"

namespace attn::app {
namespace {

using report::Report;
using report::ReportSection;
using report::ReportTable;

constexpr size_t kPictures = 12;  // on a page

ReportTable table_of(std::vector<std::vector<std::string>> rows) {
  ReportTable table{.columns = rows.front(), .rows = {}};
  table.rows.assign(rows.begin() + 1, rows.end());
  return table;
}

std::string number_text(const nlohmann::json& value) {
  return value.is_number() ? figure(value.get<double>()) : "-";
}

// {"80": 0.79, "95": 0.94} as "80 %: 79.0 %, 95 %: 94.0 %".
std::string coverage_text(const nlohmann::json& coverage) {
  std::string out;
  for (const auto& [level, share] : coverage.items())
    if (share.is_number())
      out += fmt::format("{}{} %: {:.1f} %", out.empty() ? "" : ", ", level,
                         100 * share.get<double>());
  return out.empty() ? "-" : out;
}

// The lowest MAE of the naive methods.
std::string least_naive(const nlohmann::json& methods) {
  nlohmann::json least;
  for (const auto& [name, errors] : methods.items()) {
    const auto mae = errors.value("mae", nlohmann::json());
    if (mae.is_number() && (least.is_null() || mae < least)) least = mae;
  }
  return number_text(least);
}

// The kept model over the rows behind those it was trained on, naive methods beside.
timeseries::BacktestResult over_held_out(const timeseries::TrainRunResult& run,
                                         const timeseries::SeriesSet& set, const Context& context) {
  timeseries::BacktestModelOptions options;
  options.windows = 0;
  options.refit_every = 0;
  options.dlinear = false;
  if (run.fit.model.intervals.levels.empty()) options.levels.clear();
  Hooks hooks = context.hooks;
  hooks.warn = {};  // that the epoch was chosen by these rows, the page says
  return timeseries::backtest_model(run.fit.model, set, options, hooks);
}

// The last forecast of each channel, series by series.
std::vector<size_t> latest_of_each(const timeseries::BacktestResult& result) {
  std::vector<size_t> latest;
  for (size_t i = 0; i < result.forecasts.size(); ++i) {
    const auto& one = result.forecasts[i];
    const auto same = std::find_if(latest.begin(), latest.end(), [&](size_t k) {
      return result.forecasts[k].series == one.series && result.forecasts[k].channel == one.channel;
    });
    if (same == latest.end())
      latest.push_back(i);
    else if (result.forecasts[*same].origin < one.origin)
      *same = i;
    if (latest.size() > 4 * kPictures) break;
  }
  if (latest.size() > kPictures) latest.resize(kPictures);
  return latest;
}

void add_forecasts(Report& page, const timeseries::BacktestResult& result,
                   const timeseries::SeriesSet& set) {
  page.heading("Forecasts and what came");
  const int64_t shown = 3 * result.horizon;
  for (const size_t i : latest_of_each(result)) {
    const auto section =
        timeseries::forecast_section(timeseries::backtest_forecast_plot(result, i, set, shown));
    page.columns({section});
  }
}

void add_curves(Report& page, const timeseries::ModelFit& fit) {
  std::vector<ReportSection> charts;
  if (!fit.forecaster.history.empty())
    charts.push_back(timeseries::training_section(
        timeseries::training_plot(fit.forecaster, "Forecaster", "error (standardised)")));
  if (!fit.entropy.history.empty())
    charts.push_back(timeseries::training_section(
        timeseries::training_plot(fit.entropy, "Entropy model", "cross-entropy (nats)")));
  if (charts.empty()) return;
  page.heading("Training").columns(charts);
}

void add_patches(Report& page, const timeseries::ForecastModel& model,
                 const timeseries::SeriesSet& set, const Context& context) {
  if (!model.patcher) return;
  timeseries::PatchViewOptions options;
  const auto longest =
      std::max_element(set.series.begin(), set.series.end(),
                       [](const auto& a, const auto& b) { return a.rows < b.rows; });
  if (longest == set.series.end() || longest->rows < model.lookback()) return;
  options.series = longest->id;
  const auto views = timeseries::view_patches(model, set, options, context.hooks);
  page.heading("Patches");
  page.paragraph(
      "The last look-back of a channel, cut where the entropy model cannot tell what follows.");
  page.columns({timeseries::patch_section(timeseries::patch_plot(views, 0, set))});
}

// A part of a page of finished work, or why it cannot be shown.
void add_or_say(Report& page, const std::function<void()>& add) {
  try {
    add();
  } catch (const StorageError&) {
    throw;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    page.note(std::string("This part cannot be shown: ") + error.what());
  }
}

constexpr const char* kKnowsTargets =
    "the model was trained or validated on rows that are forecast here, so its errors are too "
    "small.";

std::string subtitle_of(const timeseries::SeriesSet& set, int64_t horizon) {
  return fmt::format("{}; {} ahead", set_text(set), counted(horizon, "step", "steps"));
}

}  // namespace

std::vector<std::vector<std::string>> metrics_rows(const nlohmann::json& metrics) {
  const bool tested = metrics.contains("test");
  std::vector<std::vector<std::string>> rows{{"part", "windows", "MSE", "MAE", "naive MAE"}};
  if (tested) rows[0].push_back("intervals held");
  for (const char* part : {"validation", "test"}) {
    if (!metrics.contains(part) || !metrics[part].is_object() || metrics[part].empty()) continue;
    const auto& of = metrics[part];
    rows.push_back({part, number_words(of.value("windows", int64_t{0})),
                    number_text(of.value("mse", nlohmann::json())),
                    number_text(of.value("mae", nlohmann::json())),
                    least_naive(of.value("naive", nlohmann::json::object()))});
    // The intervals are made of the validation rows, which they hold by construction.
    if (tested && part == std::string_view("test"))
      rows.back().push_back(coverage_text(of.value("coverage", nlohmann::json::object())));
    else if (tested)
      rows.back().push_back("-");
  }
  return rows;
}

std::string metrics_text(const nlohmann::json& metrics) {
  const auto rows = metrics_rows(metrics);
  return rows.size() == 1 ? "no part validates or tests\n" : text_table(rows);
}

void add_settings(Report& page, const Context& context) {
  ReportSection inside;
  inside.preformatted(context.command);
  inside.preformatted(resolved(context.options).dump(2));
  inside.preformatted(context.version().dump(2));
  page.details("Settings and versions", inside);
}

Report training_report(const timeseries::TrainRunResult& run, const timeseries::SeriesSet& set,
                       const Context& context) {
  const auto& model = run.fit.model;
  Report page("attn-forecast: training run", subtitle_of(set, model.horizon()));
  if (metrics_rows(run.metrics).size() > 1) {
    auto table = table_of(metrics_rows(run.metrics));
    table.caption =
        "In standard deviations of the training rows; every window counts. The epoch kept is that "
        "of the lowest validation error, and the scale, the linear map, how much the network "
        "counts, and the intervals rest on the same rows: only a test part (--test) is untouched. "
        "Naive: last "
        "season's value or the last one, whichever errs less.";
    page.table(table);
  }
  add_curves(page, run.fit);
  const bool held_out =
      std::any_of(run.split.train.begin(), run.split.train.end(), [&](const auto& range) {
        const auto i = static_cast<size_t>(&range - run.split.train.data());
        return set.series[i].rows - range.end >= model.horizon();
      });
  if (held_out) {
    add_or_say(page, [&] {
      const auto result = over_held_out(run, set, context);
      add_forecasts(page, result, set);
      page.heading("Error by horizon");
      page.paragraph(
          "In the units of the data, over the rows behind those it was trained on, beside methods "
          "without a model.");
      page.columns({timeseries::backtest_section(timeseries::backtest_plot(result))});
    });
  }
  add_or_say(page, [&] { add_patches(page, model, set, context); });
  add_settings(page, context);
  return page;
}

std::vector<std::vector<std::string>> backtest_rows(const timeseries::BacktestResult& result) {
  std::vector<std::vector<std::string>> rows{{"method", "MAE", "RMSE", "MASE", "sMAPE"}};
  for (const double level : result.levels)
    rows.front().push_back(timeseries::level_text(level) + " held");
  for (const auto& method : result.methods) {
    const auto sums = method.errors.overall();
    std::vector<std::string> row{method.method};
    for (const auto metric : {timeseries::Metric::mae, timeseries::Metric::rmse,
                              timeseries::Metric::mase, timeseries::Metric::smape})
      row.push_back(figure(sums.value(metric)));
    for (size_t k = 0; k < result.levels.size(); ++k) {
      const double held = k < method.intervals.levels.size()
                              ? method.intervals.overall(k).coverage()
                              : timeseries::kMissing;
      row.push_back(std::isfinite(held) ? fmt::format("{:.1f} %", 100 * held) : "-");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string backtest_text(const timeseries::BacktestResult& result) {
  return fmt::format(
      "{} of one channel, {} ahead, {} apart\n{}{}", counted(result.windows, "window", "windows"),
      counted(result.horizon, "step", "steps"), result.stride, text_table(backtest_rows(result)),
      result.knows_targets ? std::string(kKnowsTargets) + "\n" : "");
}

Report backtest_report(const timeseries::BacktestResult& result, const timeseries::SeriesSet& set,
                       const Context& context) {
  Report page("attn-forecast: backtest", subtitle_of(set, result.horizon));
  page.paragraph(fmt::format(
      "{} of one channel, origins {} apart; {} The model was trained anew {}.",
      counted(result.windows, "window", "windows"), counted(result.stride, "row", "rows"),
      result.knows_targets ? kKnowsTargets : "no forecast knows a row behind its origin.",
      counted(result.refits, "time", "times")));
  page.table(table_of(backtest_rows(result)));
  page.columns({timeseries::backtest_section(timeseries::backtest_plot(result))});
  add_forecasts(page, result, set);
  add_settings(page, context);
  return page;
}

Report forecast_report(const timeseries::ForecastResult& result, const timeseries::SeriesSet& set,
                       int64_t shown) {
  Report page("attn-forecast: forecast", subtitle_of(set, result.horizon));
  size_t drawn = 0;
  size_t left_out = 0;
  for (size_t i = 0; i < result.series.size(); ++i)
    for (int64_t c = 0; c < std::ssize(result.channels); ++c) {
      if (drawn == kPictures) {
        ++left_out;
        continue;
      }
      ++drawn;
      page.columns(
          {timeseries::forecast_section(timeseries::forecast_plot(result, i, c, set, shown))});
    }
  if (left_out > 0)
    page.note(fmt::format("{} more channels are not drawn; --series and --channel choose one.",
                          left_out));
  return page;
}

}  // namespace attn::app
