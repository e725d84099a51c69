#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-forecast/model_args.h"
#include "apps/attn-forecast/reports.h"
#include "apps/attn-forecast/series_args.h"
#include "apps/attn-forecast/verbs.h"
#include "apps/common/attention_report.h"
#include "apps/common/run_directory.h"
#include "apps/common/tables.h"
#include "apps/common/timed_hooks.h"
#include "attn/probe.h"
#include "libattn/io/run_json.h"
#include "timeseries/model/outputs.h"
#include "timeseries/model/train_run.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct TrainArgs {
  SeriesArgs series;
  ModelArgs model;
  int64_t horizon = 0;
  timeseries::SplitOptions split;
  fs::path out;
  double checkpoint_seconds = 10;
  bool resume = true;
};

void declare(TrainArgs& args, OptionTable& table) {
  table.add({.name = "horizon",
             .target = &args.horizon,
             .help = "rows to forecast",
             .unit = "STEPS",
             .min = 1,
             .max = 100000,
             .required = true});
  table.add({.name = "out",
             .target = &args.out,
             .help = "run directory",
             .unit = "DIR",
             .required = true});
  table.add({.name = "resume",
             .target = &args.resume,
             .help = "go on from the checkpoint of the same call, or leave a finished run as it "
                     "is; --no-resume starts anew"});
  declare_season(args.series, table);
  declare_series(args.series, table);
  declare_model(args.model, table);
  table.group("Split (by time) and checkpoints");
  table.add({.name = "validation",
             .target = &args.split.validation,
             .help = "share of each series' last rows to choose the epoch and take the intervals "
                     "by; two horizons at least",
             .unit = "0..1",
             .min = 0,
             .max = 0.9});
  table.add({.name = "test",
             .target = &args.split.test,
             .help = "share behind those that only tests",
             .unit = "0..1",
             .min = 0,
             .max = 0.9});
  table.add({.name = "checkpoint-every",
             .target = &args.checkpoint_seconds,
             .help = "0: every epoch",
             .unit = "s",
             .min = 0});
}

void tell(const fs::path& out, const nlohmann::json& metrics, const Context& context) {
  if (context.common.json)
    print_json({{"run", out.string()}, {"metrics", metrics}});
  else
    print(metrics_text(metrics) + fmt::format("run directory: {}\n", out.string()));
}

// Before any work.
void check_outputs(const TrainArgs& args, const Context& context) {
  auto written = timeseries::files_of_training(args.out);
  for (const char* name : {"run.json", "report.html"}) written.push_back(args.out / name);
  written.push_back(context.common.attention_report.value_or(fs::path()));
  timeseries::refuse_overwriting(written,
                                 {args.series.data, args.model.settings.value_or(fs::path())});
  if (context.common.attention_report)
    timeseries::require_writable(*context.common.attention_report, "--attention-report");
}

// The metrics of a finished run of the same series and options whose files are there and whole, or
// null.
nlohmann::json finished_metrics(const RunDirectory& run, const timeseries::SeriesSet& set,
                                const timeseries::TrainRunOptions& options,
                                const Context& context) {
  if (!run.finished(context) || !fs::exists(run.report()) ||
      !timeseries::training_stands(run.path(), set, options))
    return {};
  return io::read_run_json(run.path()).value("metrics", nlohmann::json());
}

int run(const TrainArgs& args, const Context& context) {
  check_outputs(args, context);
  const auto set = args.series.read();
  timeseries::TrainRunOptions options;
  options.model = args.model.resolve(std::ssize(set.channels), args.series.season, context);
  options.model.horizon = args.horizon;
  options.split = args.split;
  options.checkpoint_seconds = args.checkpoint_seconds;
  options.resume = args.resume;
  const auto split = timeseries::tail_split(set, args.horizon, args.split);
  const auto estimate = timeseries::estimate_fit(set, split, options.model);
  const auto directory = RunDirectory::open(args.out, context);
  const AttentionReport attention(context);
  const std::string subject = args.out.string() + ", " + timeseries::name_of(set);
  const auto before =
      args.resume ? finished_metrics(directory, set, options, context) : nlohmann::json();
  if (!before.is_null()) {
    log_info(fmt::format("{} is finished; --no-resume trains anew", args.out.string()));
    attention.write(subject);
    tell(args.out, before, context);
    return kDone;
  }
  log_info(timeseries::told(estimate));
  directory.begin(context);
  const TimedHooks timed(context.hooks, "epochs");
  const auto result = timeseries::train_run(set, options, args.out, timed.hooks());
  context.progress.finish();
  {
    const ProbePause repeated;  // forecasts for the page
    training_report(result, set, context).write(directory.report());
  }
  directory.end(context, result.metrics);
  attention.write(subject);
  tell(args.out, result.metrics, context);
  return kDone;
}

}  // namespace

Verb train_verb() {
  return bind(
      Verb{
          .name = "train",
          .summary = "learn from a table of series, and how far off forecasts are",
          .example = "attn-forecast train --data series.csv --horizon 48 --max-epochs 20 --out RUN",
          .attention = true},
      declare, run);
}

}  // namespace attn::app
