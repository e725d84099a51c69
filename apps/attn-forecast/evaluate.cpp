#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/attn-forecast/model_args.h"
#include "apps/attn-forecast/series_args.h"
#include "apps/attn-forecast/verbs.h"
#include "apps/common/attention_report.h"
#include "apps/common/run_directory.h"
#include "apps/common/tables.h"
#include "apps/common/timed_hooks.h"
#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "timeseries/model/evaluate_protocol.h"
#include "timeseries/model/outputs.h"
#include "timeseries/score/level_text.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct EvaluateArgs {
  SeriesArgs series;
  ModelArgs model;
  std::string protocol;
  std::optional<fs::path> test, out;
  std::optional<int64_t> horizon;
  int64_t seeds = 1;
  std::vector<std::string> baselines{"dlinear", "patchtst"};
  bool naive = true;
};

void declare(EvaluateArgs& args, OptionTable& table) {
  table.add({.name = "protocol",
             .target = &args.protocol,
             .help = "which rows train, validate and test",
             .required = true});
  table.find("protocol")->choices = timeseries::protocol_names();
  table.add({.name = "test",
             .target = &args.test,
             .help = "rows that follow those of --data, where the test part is a file of its own",
             .unit = "FILE"});
  table.add({.name = "horizon",
             .target = &args.horizon,
             .help = "rows to forecast (the protocol's, else 96)",
             .unit = "STEPS",
             .min = 1});
  table.add({.name = "seeds",
             .target = &args.seeds,
             .help = "runs, of seeds --seed and on",
             .unit = "N",
             .min = 1,
             .max = 1000});
  table.add({.name = "baselines",
             .target = &args.baselines,
             .help = "networks beside, trained as their authors do; none"});
  table.add({.name = "naive", .target = &args.naive, .help = "last value and last season beside"});
  table.add({.name = "out",
             .target = &args.out,
             .help = "run directory: run.json, and the models, which the same call goes on from",
             .unit = "DIR"});
  declare_season(args.series, table);
  declare_series(args.series, table);
  declare_model(args.model, table);
}

std::vector<timeseries::Network> baselines_of(const EvaluateArgs& args,
                                              timeseries::Network evaluated) {
  std::vector<timeseries::Network> out;
  for (const auto& word : split_names(args.baselines)) {
    if (word == "none") continue;
    const auto network = timeseries::parse_network(word);
    if (network != evaluated) out.push_back(network);
  }
  return out;
}

// Before any work.
void check_outputs(const EvaluateArgs& args, const Context& context) {
  const fs::path attention = context.common.attention_report.value_or(fs::path());
  const fs::path run_json = args.out ? *args.out / "run.json" : fs::path();
  timeseries::refuse_overwriting({attention, run_json},
                                 {args.series.data, args.test.value_or(fs::path())});
  if (!attention.empty()) timeseries::require_writable(attention, "--attention-report");
}

timeseries::SeriesSet read(const EvaluateArgs& args) {
  const auto kind = timeseries::protocol_of(args.protocol).kind;
  const bool tail = kind == timeseries::Protocol::Kind::tail;
  if (args.test && !tail)
    throw UsageError("--test has no place in the protocol " + args.protocol +
                     ", which takes its test part from --data");
  auto set = args.series.read();
  if (!args.test) return set;
  auto test = read_told(*args.test, args.series.options());
  return timeseries::joined(std::move(set), test.set);
}

std::string over_seeds_text(const timeseries::MethodEvaluation& method,
                            double timeseries::TestScores::*metric) {
  const auto value = timeseries::over_seeds(method, metric);
  if (!std::isfinite(value.mean)) return "-";
  const std::string mean = fmt::format("{:.4f}", value.mean);
  return std::isfinite(value.sd) ? mean + fmt::format(" ± {:.4f}", value.sd) : mean;
}

std::string table_of(const timeseries::EvaluationResult& result) {
  using Scores = timeseries::TestScores;
  const bool m4 = !result.methods.empty() && !result.methods.front().seeds.empty() &&
                  std::isfinite(result.methods.front().seeds.front().mase);
  std::vector<std::vector<std::string>> rows{{"method", "MSE", "MAE"}};
  if (m4) rows[0].insert(rows[0].end(), {"sMAPE", "MASE"});
  rows[0].insert(rows[0].end(),
                 {timeseries::level_text(result.level) + " held", "parameters", "seconds"});
  for (const auto& method : result.methods) {
    auto& row = rows.emplace_back(std::vector<std::string>{method.method,
                                                           over_seeds_text(method, &Scores::mse),
                                                           over_seeds_text(method, &Scores::mae)});
    if (m4)
      row.insert(row.end(),
                 {over_seeds_text(method, &Scores::smape), over_seeds_text(method, &Scores::mase)});
    const double held = timeseries::over_seeds(method, &Scores::coverage).mean;
    row.push_back(std::isfinite(held) ? fmt::format("{:.1f} %", 100 * held) : "-");
    row.push_back(number_words(method.parameters));
    row.push_back(fmt::format("{:.1f}", method.seconds));
  }
  return fmt::format("{}: look-back {}, horizon {}, {} of {}\n", result.protocol, result.lookback,
                     result.horizon, counted(result.test_windows, "test window", "test windows"),
                     counted(result.channels, "channel", "channels")) +
         text_table(rows);
}

int run(const EvaluateArgs& args, const Context& context) {
  if (!args.out) context.if_interrupted = "without --out an evaluation keeps nothing";
  check_outputs(args, context);
  const auto set = read(args);
  timeseries::EvaluateOptions options;
  options.protocol = timeseries::protocol_of(args.protocol);
  options.model = args.model.resolve(std::ssize(set.channels), args.series.season, context);
  options.horizon = args.horizon;
  options.seeds = args.seeds;
  options.baselines = baselines_of(args, options.model.network);
  options.naive = args.naive;
  std::optional<RunDirectory> directory;
  if (args.out) {
    options.files.folder = *args.out;
    directory = RunDirectory::open(*args.out, context);
    directory->begin(context);
  }
  const AttentionReport attention(context);
  const TimedHooks timed(context.hooks, "epochs");
  const auto result = timeseries::evaluate_protocol(set, options, timed.hooks());
  context.progress.finish();
  const auto document = timeseries::to_json(result);
  if (directory) directory->end(context, document);
  attention.write(args.protocol + ", " + timeseries::name_of(set));
  if (context.common.json)
    print_json(document);
  else
    print(table_of(result));
  return kDone;
}

}  // namespace

Verb evaluate_verb() {
  return bind(
      Verb{.name = "evaluate",
           .summary = "train and test by a protocol of the literature, every window counted",
           .example = "attn-forecast evaluate --data ETTh1.csv --protocol ett-hour "
                      "--lookback 96 --horizon 96 --seeds 3 --json",
           .attention = true},
      declare, run);
}

}  // namespace attn::app
