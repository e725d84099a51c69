#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-forecast/levels.h"
#include "apps/attn-forecast/pictures.h"
#include "apps/attn-forecast/reports.h"
#include "apps/attn-forecast/series_args.h"
#include "apps/attn-forecast/verbs.h"
#include "apps/common/attention_report.h"
#include "apps/common/run_directory.h"
#include "apps/common/tables.h"
#include "apps/common/timed_hooks.h"
#include "timeseries/model/outputs.h"
#include "timeseries/model/plots.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct BacktestArgs {
  fs::path run;
  SeriesArgs series;
  std::optional<int64_t> horizon, stride, refit;
  int64_t windows = 8;
  std::optional<std::string> levels;
  bool dlinear = true;
  std::optional<fs::path> out, report, forecasts;
};

void declare(BacktestArgs& args, OptionTable& table) {
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory, or model file",
             .unit = "PATH",
             .required = true});
  table.add({.name = "windows",
             .target = &args.windows,
             .help = "origins of each series, the last one horizon before its end; 0: all behind "
                     "the training rows",
             .unit = "N",
             .min = 0});
  table.add({.name = "stride",
             .target = &args.stride,
             .help = "rows between origins (the horizon)",
             .unit = "STEPS",
             .min = 1});
  table.add({.name = "refit",
             .target = &args.refit,
             .help = "train anew on the rows before the origin at every K-th window; 0: never "
                     "(once, where the model has seen rows that are to be forecast)",
             .unit = "K",
             .min = 0});
  table.add({.name = "horizon",
             .target = &args.horizon,
             .help = "rows to forecast, at most as trained (as trained)",
             .unit = "STEPS",
             .min = 1});
  table.add({.name = "levels",
             .target = &args.levels,
             .help = "intervals to hold so many per cent of the values, or none (80,95)",
             .unit = "80,95"});
  table.add({.name = "dlinear",
             .target = &args.dlinear,
             .help = "DLinear, trained on the rows before the first origin, beside"});
  table.add({.name = "out",
             .target = &args.out,
             .help = "run directory: report.html, forecasts.csv, run.json, and refits, which the "
                     "same call goes on from",
             .unit = "DIR"});
  table.add({.name = "report",
             .target = &args.report,
             .help = "page with the errors by step, the coverage and the forecasts; as .svg the "
                     "errors alone",
             .unit = "FILE.html"});
  table.add({.name = "forecasts",
             .target = &args.forecasts,
             .help = "every forecast beside what came",
             .unit = "FILE.csv"});
  declare_season(args.series, table);
  declare_series(args.series, table);
}

timeseries::BacktestModelOptions options_of(const BacktestArgs& args,
                                            const timeseries::ForecastModel& model) {
  timeseries::BacktestModelOptions options;
  options.horizon = args.horizon.value_or(0);
  options.windows = args.windows;
  options.stride = args.stride.value_or(0);
  options.levels = levels_for(model, args.levels);
  options.refit_every = args.refit;
  options.dlinear = args.dlinear;
  options.season = args.series.season.value_or(0);
  if (args.out) options.files.folder = *args.out / "refits";
  return options;
}

// Before any work.
void check_outputs(const BacktestArgs& args, const Context& context) {
  const fs::path attention = context.common.attention_report.value_or(fs::path());
  std::vector<fs::path> written{args.report.value_or(fs::path()),
                                args.forecasts.value_or(fs::path()), attention};
  if (args.out)
    for (const char* name : {"run.json", "report.html", "forecasts.csv"})
      written.push_back(*args.out / name);
  timeseries::refuse_overwriting(written, {args.series.data});
  timeseries::refuse_overwriting(written, timeseries::files_of_run(args.run));
  if (args.report) check_picture(*args.report, "--report");
  if (args.forecasts) timeseries::require_writable(*args.forecasts, "--forecasts");
  if (!attention.empty()) timeseries::require_writable(attention, "--attention-report");
}

void write_files(const BacktestArgs& args, const timeseries::BacktestResult& result,
                 const timeseries::SeriesSet& set, const Context& context) {
  if (args.report && is_page(*args.report))
    backtest_report(result, set, context).write(*args.report);
  else if (args.report)
    write_svg(*args.report,
              timeseries::horizon_chart(timeseries::backtest_plot(result).metrics.front()));
  if (args.forecasts) timeseries::write_backtest_forecasts(*args.forecasts, result, set);
  if (!args.out) return;
  backtest_report(result, set, context).write(*args.out / "report.html");
  timeseries::write_backtest_forecasts(*args.out / "forecasts.csv", result, set);
}

int run(const BacktestArgs& args, const Context& context) {
  if (!args.out) context.if_interrupted = "without --out a backtest keeps nothing";
  check_outputs(args, context);
  const auto model = timeseries::load_forecast_model(timeseries::model_path_of(args.run));
  const auto options = options_of(args, model);
  const auto set = args.series.read_for(model);
  std::optional<RunDirectory> directory;
  if (args.out) {
    directory = RunDirectory::open(*args.out, context);
    directory->begin(context);
  }
  const AttentionReport attention(context);
  const TimedHooks timed(context.hooks, "epochs");
  const auto result = timeseries::backtest_model(model, set, options, timed.hooks());
  context.progress.finish();
  auto document = timeseries::to_json(result);
  write_files(args, result, set, context);
  if (directory) directory->end(context, document);
  attention.write(args.run.string() + ", " + timeseries::name_of(set));
  if (context.common.json) {
    document["run"] = args.run.string();
    document["data"] = timeseries::name_of(set);
    print_json(document);
  } else {
    print(backtest_text(result));
  }
  return kDone;
}

}  // namespace

Verb backtest_verb() {
  return bind(Verb{.name = "backtest",
                   .summary = "how a model would have done, beside methods without one",
                   .example = "attn-forecast backtest --run RUN --data series.csv --windows 8 "
                              "--report backtest.html",
                   .attention = true},
              declare, run);
}

}  // namespace attn::app
