#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-mil/attention_report.h"
#include "apps/attn-mil/model_args.h"
#include "apps/attn-mil/reports.h"
#include "apps/attn-mil/verbs.h"
#include "apps/common/console.h"
#include "apps/common/run_directory.h"
#include "apps/common/timed_hooks.h"
#include "libattn/io/run_json.h"
#include "libattn/io/text.h"
#include "pathology/chain/outputs.h"
#include "pathology/mil/mil_run.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct TrainArgs {
  BagArgs bags;
  ModelArgs model;
  pathology::SplitOptions split;
  std::optional<fs::path> split_file;
  fs::path out;
  int64_t bootstrap = 1000;
  double checkpoint_seconds = 10;
  bool resume = true;
};

void declare(TrainArgs& args, OptionTable& table) {
  args.model.config.optimisation.patience = 10;
  declare_bags(args.bags, table);
  table.add({.name = "out",
             .target = &args.out,
             .help = "run directory",
             .unit = "DIR",
             .required = true});
  table.add({.name = "resume",
             .target = &args.resume,
             .help = "go on from the checkpoint of the same call, or leave a finished run as it "
                     "is; --no-resume starts anew"});
  declare_model(args.model, table);
  table.group("Split (by patient)");
  table.add({.name = "validation",
             .target = &args.split.validation,
             .help = "share of patients to choose the epoch by; 0: the last epoch",
             .unit = "0..1",
             .min = 0,
             .max = 0.9});
  table.add({.name = "test",
             .target = &args.split.test,
             .help = "share of patients to test on",
             .unit = "0..1",
             .min = 0,
             .max = 0.9});
  table.add({.name = "stratified",
             .target = &args.split.stratified,
             .help = "the same mix of classes in every part"});
  table.add({.name = "splits",
             .target = &args.split_file,
             .help = "a split to use instead: bag,part",
             .unit = "FILE.csv"});
  table.group("Evaluation and checkpoints");
  table.add({.name = "bootstrap",
             .target = &args.bootstrap,
             .help = "resamples of the intervals",
             .unit = "N",
             .min = 0});
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
    print(metrics_table(metrics) + fmt::format("run directory: {}\n", out.string()));
}

// The metrics of a finished run on the same bags with the same split whose files are there and
// whole, or null.
nlohmann::json finished_metrics(const RunDirectory& run, const pathology::BagSet& set,
                                const pathology::TrainRunOptions& options, const Context& context) {
  if (!run.finished(context)) return {};
  if (!fs::exists(run.report()) || !pathology::training_stands(run.path()) ||
      !trained_on(pathology::load_mil_model(run.model()), set, split_for(set, options)))
    return {};
  return io::read_run_json(run.path()).value("metrics", nlohmann::json());
}

void tell_attention(const AttentionReport& attention, const TrainArgs& args) {
  if (attention) attention.write(args.model.model, read_entropies(args.out / "predictions.csv"));
}

pathology::TrainRunOptions options_of(const TrainArgs& args, const Context& context) {
  pathology::TrainRunOptions options;
  options.config = args.model.resolve(context, args.split_file || args.split.validation > 0);
  options.split = args.split;
  options.split_file = args.split_file.value_or(fs::path());
  options.bootstrap = args.bootstrap;
  options.checkpoint_seconds = args.checkpoint_seconds;
  return options;
}

int run(const TrainArgs& args, const Context& context) {
  const auto options = options_of(args, context);
  args.bags.check_outputs(context, pathology::own_files_of_run(args.out),
                          args.split_file.value_or(fs::path()));
  const auto set = args.bags.load(context.hooks);
  log_info(pathology::classes_text(set));
  pathology::warn_of_single_patients(set, context.hooks);
  const auto directory = RunDirectory::open(args.out, context);
  const AttentionReport attention(context);
  if (args.resume) {
    const auto before = finished_metrics(directory, set, options, context);
    if (!before.is_null()) {
      log_info(fmt::format("{} is finished; --no-resume trains anew", args.out.string()));
      tell_attention(attention, args);
      tell(args.out, before, context);
      return kDone;
    }
  } else {
    std::error_code ignored;
    fs::remove(directory.checkpoint(), ignored);
  }
  directory.begin(context);
  log_info(io::size_text(training_bytes(set, options.config)) + " of memory at most");
  const TimedHooks timed(context.hooks, "epochs");
  const auto result = pathology::train_run(set, options, args.out, timed.hooks());
  context.progress.finish();
  training_report(result, set, context).write(directory.report());
  directory.end(context, result.metrics);
  tell_attention(attention, args);
  tell(args.out, result.metrics, context);
  return kDone;
}

}  // namespace

Verb train_verb() {
  return bind(
      Verb{.name = "train",
           .summary = "train a model on bags of features, with validation and test by patient",
           .example = "attn-mil train --bags W/features --labels W/data/labels.csv --model abmil "
                      "--aem 0.1 --seed 1 --out W/run",
           .attention = true},
      declare, run);
}

}  // namespace attn::app
