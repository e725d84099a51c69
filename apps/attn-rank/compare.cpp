#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/attn-rank/evaluate_args.h"
#include "apps/attn-rank/verbs.h"
#include "apps/common/tables.h"
#include "attn/error.h"
#include "finance/report/rank_pages.h"
#include "libattn/io/outputs.h"

namespace attn::app {
namespace {

namespace fs = std::filesystem;

struct CompareArgs {
  std::vector<std::string> files;
  fs::path data;
  std::optional<fs::path> out;
  bool each = false;
  ListArgs lists;
  JudgeArgs judge;
};

void declare(CompareArgs& args, OptionTable& table) {
  table.add({.name = "SCORES",
             .target = &args.files,
             .help = "files of scores, FILE or FILE:COLUMN; the first is what others are held "
                     "against",
             .required = true,
             .positional = true});
  table.add({.name = "data",
             .target = &args.data,
             .help = "table of lists with labels or profits",
             .unit = "FILE",
             .required = true});
  table.add({.name = "out", .target = &args.out, .help = "a page", .unit = "FILE.html"});
  table.add(
      {.name = "each", .target = &args.each, .help = "every pair, not each against the first"});
  declare_lists(args.lists, table, ListUse::learned);
  declare_judging(args.judge, table);
}

std::string text_of(const finance::ScoreComparison& result, const std::vector<std::string>& names) {
  std::vector<std::vector<std::string>> rows{{"metric"}};
  for (const auto& name : names) rows[0].push_back(name);
  for (size_t m = 0; m < result.metrics.front().size(); ++m) {
    rows.push_back({result.metrics.front()[m].name});
    for (const auto& of : result.metrics) rows.back().push_back(figure(of[m].value));
  }
  std::string text = text_table(rows);
  rows = {{"difference", "from", "to", "value", "interval", "not better"}};
  for (const auto& pair : result.pairs)
    for (const auto& d : pair.differences)
      rows.push_back(
          {d.metric, names[static_cast<size_t>(pair.earlier)],
           names[static_cast<size_t>(pair.later)], figure(d.value),
           std::isfinite(d.low) ? figure(d.low) + " to " + figure(d.high) : "-",
           std::isfinite(d.not_better) ? fmt::format("{:.1f} %", 100 * d.not_better) : "-"});
  return text + text_table(rows);
}

int run(const CompareArgs& args, const Context& context) {
  context.if_interrupted = "a comparison keeps nothing";
  if (args.out) {
    io::refuse_overwriting({*args.out}, files_read({args.data}, args.lists, args.files));
    require_page(*args.out, "--out");
  }
  const auto options = args.judge.options(context);
  ListArgs columns = args.lists;
  if (args.judge.stake) columns.have_at_hand(*args.judge.stake);
  auto reading = columns.options(context);
  reading.find_features = false;
  const auto lists = read_told(args.data, reading);
  const auto files = read_score_files(args.files);
  std::vector<std::vector<double>> scores, curves;
  std::vector<std::string> names = split_names(args.files);
  std::vector<finance::NamedScores> scorings;
  std::string rule;
  scores.reserve(files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    auto judged = finance::evaluate_scores(names[i], lists, finance::scores_for(files[i], lists),
                                           {}, options, context.hooks);
    rule = judged.threshold_rule;
    scores.push_back(std::move(judged.scores));
    curves.push_back(std::move(judged.curve));
    scorings.push_back({names[i], scores.back(), judged.threshold});
  }
  const auto result = finance::compare_scores(
      {lists.offsets, {}, lists.label, lists.profit}, scorings, options.metrics,
      args.each ? finance::ComparedPairs::each : finance::ComparedPairs::against_first,
      context.hooks);
  context.progress.finish();
  if (args.out)
    finance::comparison_page(result, names, curves, lists_text(lists), options.metrics.level)
        .write(*args.out);
  if (context.common.json)
    print_json(finance::to_json(result, names));
  else
    print(text_of(result, names) + "flagged: " + rule + "\n");
  return kDone;
}

}  // namespace

Verb compare_verb() {
  return bind(Verb{.name = "compare",
                   .summary = "several files of scores of the same lists side by side, with "
                              "paired bootstrap intervals of their differences",
                   .example = "attn-rank compare mine.csv trees.csv:lambdarank --data X.csv --list "
                              "qid --label risky --profit pnl --out compare.html"},
              declare, run);
}

}  // namespace attn::app
