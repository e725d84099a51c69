#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/attn-rank/evaluate_args.h"
#include "apps/attn-rank/network_args.h"
#include "apps/attn-rank/verbs.h"
#include "apps/common/attention_report.h"
#include "apps/common/run_directory.h"
#include "apps/common/tables.h"
#include "apps/common/timed_hooks.h"
#include "finance/model/cross_validate.h"
#include "libattn/io/outputs.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct CvArgs {
  fs::path data;
  std::optional<fs::path> out;
  std::vector<std::string> with;
  int64_t folds = 5;
  double validation = 0.2;
  ListArgs lists;
  NetworkArgs network;
  JudgeArgs judge;
};

void declare(CvArgs& args, OptionTable& table) {
  table.add({.name = "data",
             .target = &args.data,
             .help = "table of lists with labels or profits",
             .unit = "FILE",
             .required = true});
  table.add({.name = "folds",
             .target = &args.folds,
             .help = "parts of the lists, drawn by --seed whatever their time, each tested once",
             .unit = "N",
             .min = 2,
             .max = 1000});
  table.add({.name = "validation",
             .target = &args.validation,
             .help = "share of the lists of the other folds that chooses the epoch and the "
                     "thresholds, the last by --time, or drawn by --seed, for each of several "
                     "--members anew",
             .unit = "0..1",
             .min = 0,
             .max = 0.9});
  table.add({.name = "with",
             .target = &args.with,
             .help = "scores of other models as features: FILE or FILE:COLUMN; they must come from "
                     "models that did not see the row",
             .unit = "FILE"});
  table.add({.name = "out",
             .target = &args.out,
             .help = "run directory: run.json, and scores.csv, each row's by the model that did "
                     "not see it, for --with of another",
             .unit = "DIR"});
  declare_lists(args.lists, table, ListUse::learned);
  declare_network(args.network, table);
  declare_judging(args.judge, table);
}

std::string text_of(const nlohmann::json& document) {
  std::vector<std::vector<std::string>> rows{{"metric", "mean over folds", "sd", "all rows"}};
  const auto cell = [](const nlohmann::json& value) {
    return value.is_number() ? figure(value.get<double>()) : std::string("-");
  };
  for (const auto& name : metric_names(document.at("mean"))) {
    const auto& value = document.at("mean").at(name);
    rows.push_back(
        {name, cell(value.at("mean")), cell(value.at("sd")), cell(document.at("pooled").at(name))});
  }
  return text_table(rows) + "flagged: by the threshold of each fold (--threshold)\n";
}

int run(const CvArgs& args, const Context& context) {
  context.if_interrupted = "a cross-validation keeps nothing";
  const fs::path page = context.common.attention_report.value_or(fs::path());
  io::refuse_overwriting({page, args.out ? *args.out / "run.json" : fs::path(),
                          args.out ? *args.out / "scores.csv" : fs::path()},
                         files_read({args.data}, args.lists, args.with));
  const auto options = args.network.resolve(context, args.validation > 0);
  const auto judge = args.judge.options(context);
  ListArgs columns = args.lists;
  if (args.judge.stake) columns.have_at_hand(*args.judge.stake);
  auto lists = read_told(args.data, columns.options(context));
  finance::add_score_features(lists, read_score_files(args.with));
  finance::check_run({lists, args.validation > 0 ? &lists : nullptr, {}, {}}, options);
  std::optional<RunDirectory> directory;
  if (args.out) {
    directory = RunDirectory::open(*args.out, context);
    directory->begin(context);
  }
  const AttentionReport attention(context);
  const TimedHooks timed(context.hooks, "folds");
  const auto result =
      finance::cross_validate(lists, options, args.folds, args.validation, judge, timed.hooks());
  const auto document = finance::to_json(result);
  context.progress.finish();
  if (directory) {
    finance::write_fold_scores(result, lists, *args.out / "scores.csv");
    directory->end(context, document);
  }
  attention.write(lists.name);
  if (context.common.json)
    print_json(document);
  else
    print(text_of(document));
  return kDone;
}

}  // namespace

Verb cv_verb() {
  return bind(Verb{.name = "cv",
                   .summary = "train and test by folds of the lists",
                   .example = "attn-rank cv --data market.csv --list qid --label risky --profit "
                              "pnl --ignore stake --folds 5",
                   .attention = true},
              declare, run);
}

}  // namespace attn::app
