#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-rank/evaluate_args.h"
#include "apps/attn-rank/network_args.h"
#include "apps/attn-rank/verbs.h"
#include "apps/common/attention_report.h"
#include "apps/common/run_directory.h"
#include "apps/common/tables.h"
#include "apps/common/timed_hooks.h"
#include "attn/error.h"
#include "attn/probe.h"
#include "finance/lists/split_lists.h"
#include "finance/model/pages.h"
#include "finance/model/train_run.h"
#include "libattn/io/outputs.h"
#include "libattn/io/run_json.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct TrainArgs {
  fs::path train, out;
  std::optional<fs::path> valid, valid_lengths;
  std::vector<std::string> with, valid_with;
  double validation = 0.2, checkpoint_seconds = 10;
  bool resume = true;
  ListArgs lists;
  NetworkArgs network;
};

void declare_files(TrainArgs& args, OptionTable& table) {
  table.add({.name = "train",
             .target = &args.train,
             .help = "table of lists to learn from",
             .unit = "FILE",
             .required = true});
  table.add({.name = "valid",
             .target = &args.valid,
             .help = "table of lists that choose the epoch and the thresholds",
             .unit = "FILE"});
  table.add({.name = "validation",
             .target = &args.validation,
             .help = "without --valid: share of the lists of --train that do so, the last by "
                     "--time, or drawn by --seed, for each of several --members anew; 0: none",
             .unit = "0..1",
             .min = 0,
             .max = 0.9});
  table.add({.name = "out",
             .target = &args.out,
             .help = "run directory",
             .unit = "DIR",
             .required = true});
  table.add({.name = "with",
             .target = &args.with,
             .help = "scores of other models for --train as features: FILE or FILE:COLUMN; they "
                     "must come from models that did not see the row",
             .unit = "FILE"});
  table.add({.name = "valid-with",
             .target = &args.valid_with,
             .help = "the same for --valid, as many, in that order",
             .unit = "FILE"});
  table.add({.name = "valid-lengths",
             .target = &args.valid_lengths,
             .help = "what --lengths is to --train, for --valid",
             .unit = "FILE"});
  table.add({.name = "resume",
             .target = &args.resume,
             .help = "go on from the checkpoint of the same call, or leave a finished run as it "
                     "is; --no-resume starts anew"});
}

void declare(TrainArgs& args, OptionTable& table) {
  declare_files(args, table);
  declare_lists(args.lists, table, ListUse::learned);
  declare_network(args.network, table);
  table.group("Checkpoints");
  table.add({.name = "checkpoint-every",
             .target = &args.checkpoint_seconds,
             .help = "seconds from a checkpoint to the next; 0: every epoch",
             .unit = "s",
             .min = 0});
}

// What goes with --train and what goes with --valid.
void check_pairs(const TrainArgs& args) {
  const auto with = split_names(args.with), valid_with = split_names(args.valid_with);
  if (!args.valid) {
    if (!valid_with.empty()) throw UsageError("--valid-with has no place without --valid");
    if (args.valid_lengths) throw UsageError("--valid-lengths has no place without --valid");
    return;
  }
  if (with.size() != valid_with.size())
    throw UsageError(fmt::format("--with names {} and --valid-with {}; they go in pairs",
                                 counted(std::ssize(with), "file", "files"),
                                 counted(std::ssize(valid_with), "file", "files")));
  if (args.lists.lengths.has_value() != args.valid_lengths.has_value())
    throw UsageError("--lengths and --valid-lengths go in pairs; give both or neither");
}

// What trains and what validates.
struct Parts {
  finance::RankLists train;
  std::optional<finance::RankLists> validation;
  std::vector<std::string> with;
};

// Several members, each with validation lists of its own.
bool holds_out(const TrainArgs& args) {
  return !args.valid && !args.lists.time && args.network.members > 1;
}

Parts read_parts(const TrainArgs& args, const Context& context) {
  const auto options = args.lists.options(context);
  Parts out;
  const auto with = read_score_files(args.with);
  out.with = finance::score_feature_names(with);
  auto lists = read_told(args.train, options);
  finance::add_score_features(lists, with);
  if (args.valid) {
    auto files = read_score_files(args.valid_with);
    for (size_t i = 0; i < files.size(); ++i)  // one name for both
      files[i].known_as = finance::score_name(with[i]);
    // The columns of the training file, whatever else this one holds.
    auto same = options;
    same.features = lists.feature_names;
    same.features.resize(same.features.size() - with.size());
    if (!same.features.empty()) same.ignore.clear();
    same.lengths = args.valid_lengths;
    out.validation = read_told(*args.valid, same);
    finance::add_score_features(*out.validation, files);
    out.train = std::move(lists);
    return out;
  }
  if (args.validation == 0 || holds_out(args)) {
    out.train = std::move(lists);
    return out;
  }
  const auto split = args.lists.time
                         ? finance::time_split(lists, args.validation, 0)
                         : finance::random_split(lists.lists(), args.validation, 0,
                                                 static_cast<uint64_t>(context.common.seed));
  out.train = finance::selected(lists, split.train);
  out.validation = finance::selected(lists, split.validation);
  log_info(fmt::format("{} train, {} validate", counted(out.train.lists(), "list", "lists"),
                       counted(out.validation->lists(), "list", "lists")));
  return out;
}

void check_outputs(const TrainArgs& args, const Context& context) {
  auto written = finance::files_of_training(args.out, args.network.members);
  for (const char* name : {"run.json", "report.html"}) written.push_back(args.out / name);
  written.push_back(context.common.attention_report.value_or(fs::path()));
  auto scores = args.with;
  scores.insert(scores.end(), args.valid_with.begin(), args.valid_with.end());
  io::refuse_overwriting(written, files_read({args.train, args.valid.value_or(fs::path()),
                                              args.valid_lengths.value_or(fs::path())},
                                             args.lists, scores));
  if (context.common.attention_report)
    io::require_writable(*context.common.attention_report, "--attention-report");
}

void tell(const fs::path& out, const nlohmann::json& metrics, const Context& context) {
  if (context.common.json) {
    print_json({{"run", out.string()}, {"metrics", metrics}});
    return;
  }
  std::string text;
  if (metrics.contains("validation")) {
    std::vector<std::vector<std::string>> rows{{"validation", "value"}};
    for (const auto& name : metric_names(metrics["validation"])) {
      const auto& value = metrics["validation"][name];
      rows.push_back({name, value.is_number() ? figure(value.get<double>()) : "-"});
    }
    text = text_table(rows);
  }
  print(text + fmt::format("run directory: {}\n", out.string()));
}

// The metrics of a finished run of the same lists and options whose files are there, or null.
nlohmann::json finished_metrics(const RunDirectory& run, const finance::TrainRunData& data,
                                const finance::TrainRunOptions& options, const Context& context) {
  if (!run.finished(context) || !fs::exists(run.report()) || !fs::exists(run.model())) return {};
  try {
    const auto model = finance::load_rank_model(run.model());
    if (model.training.value("digest", "") != finance::run_digest(data, options)) return {};
  } catch (const NewerFormat&) {
    throw;
  } catch (const StorageError&) {
    throw;
  } catch (const Error&) {
    return {};
  }
  return io::read_run_json(run.path()).value("metrics", nlohmann::json());
}

void write_page(const finance::TrainedRanker& model, const Parts& parts, const RunDirectory& run,
                const Context& context) {
  const ProbePause repeated;
  const auto& lists = parts.validation ? *parts.validation : parts.train;
  finance::EvaluateOptions options;
  options.metrics.seed = static_cast<uint64_t>(context.common.seed);
  const auto result = finance::evaluate_scores(run.path().string(), lists,
                                               finance::model_scores(model, lists, context.hooks),
                                               model.thresholds, options);
  auto page = finance::page_of(result, lists, &model, 3, run.path());
  page.title = "Training report";
  page.remarks.push_back(
      parts.validation
          ? "These are the validation lists, by which the epoch and the thresholds were chosen: "
            "what they say is kind to the model. Judge it on lists that it has not seen: attn-rank "
            "report --data."
          : "These are the lists that the model was trained on: what they say is no measure of its "
            "worth.");
  finance::rank_page(page).write(run.report());
}

int run(const TrainArgs& args, const Context& context) {
  check_pairs(args);
  check_outputs(args, context);
  auto options = args.network.resolve(context, args.valid || args.validation > 0);
  options.checkpoint_seconds = args.checkpoint_seconds;
  options.resume = args.resume;
  if (holds_out(args)) options.hold_out = args.validation;
  const auto parts = read_parts(args, context);
  const finance::TrainRunData data{parts.train, parts.validation ? &*parts.validation : nullptr,
                                   args.lists.options(context), parts.with};
  finance::check_run(data, options);
  const auto directory = RunDirectory::open(args.out, context);
  const AttentionReport attention(context);
  const std::string subject = args.out.string() + ", " + parts.train.name;
  const auto before =
      args.resume ? finished_metrics(directory, data, options, context) : nlohmann::json();
  if (!before.is_null()) {
    log_info(fmt::format("{} is finished; --no-resume trains anew", args.out.string()));
    attention.write(subject);
    tell(args.out, before, context);
    return kDone;
  }
  directory.begin(context);
  const TimedHooks timed(context.hooks, "epochs");
  const auto model = finance::train_run(data, options, args.out, timed.hooks());
  context.progress.finish();
  write_page(model, parts, directory, context);
  directory.end(context, model.metrics);
  attention.write(subject);
  tell(args.out, model.metrics, context);
  return kDone;
}

}  // namespace

Verb train_verb() {
  return bind(
      Verb{.name = "train",
           .summary = "learn to rank from a table of lists",
           .example = "attn-rank train --train T.csv --valid V.csv --list qid --label risky "
                      "--profit pnl --ignore stake --out RUN",
           .attention = true},
      declare, run);
}

}  // namespace attn::app
