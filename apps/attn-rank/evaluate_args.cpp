#include "apps/attn-rank/evaluate_args.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "apps/common/tables.h"
#include "attn/error.h"
#include "libattn/io/text.h"

namespace attn::app {
namespace {

std::vector<int64_t> places_of(const std::vector<std::string>& words) {
  std::vector<int64_t> out;
  for (const auto& word : split_names(words)) {
    int64_t k = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), k);
    if (error != std::errc() || end != word.data() + word.size() || k < 1)
      throw UsageError("--at " + io::quote_text(word) + ": expected whole numbers from 1 on");
    out.push_back(k);
  }
  return out;
}

std::string money_text(double value) {
  return fmt::format("{:.2f}", value);
}

}  // namespace

void declare_judging(JudgeArgs& args, OptionTable& table) {
  table.group("Judging");
  table.add({.name = "at",
             .target = &args.at,
             .help = "of profit@K, ndcg@K and precision@K",
             .unit = "K"});
  table.add({.name = "ndcg-gain",
             .target = &args.gain,
             .help = "of a label: y (scikit-learn) or 2^y - 1 (LightGBM)",
             .choices = {"linear", "exponential"}});
  table.add({.name = "empty-is-one",
             .target = &args.empty_is_one,
             .help = "a list without a positive label has NDCG 1 (LightGBM) instead of none"});
  table.add({.name = "threshold",
             .target = &args.threshold,
             .help = "score from which on a row is flagged: tuned (macro-F1) or money (most of it) "
                     "on the validation lists, prior or prior:SHARE (the highest share of scores), "
                     "a number; auto: tuned where the model has it, else prior",
             .unit = "RULE"});
  table.add({.name = "hedge-top",
             .target = &args.hedge_top,
             .help = "hedge the first so many of each list; 0: all from the threshold on",
             .unit = "K",
             .min = 0});
  table.add({.name = "stake",
             .target = &args.stake,
             .help = "column of stakes, of which hedging costs --kappa",
             .unit = "COLUMN"});
  table.add({.name = "kappa",
             .target = &args.kappa,
             .help = "cost of hedging a unit of stake",
             .min = 0});
  table.add({.name = "resamples",
             .target = &args.resamples,
             .help = "of lists, for the intervals; 0: none",
             .unit = "N",
             .min = 0,
             .max = 1000000});
  table.add({.name = "level",
             .target = &args.level,
             .help = "of the intervals",
             .unit = "%",
             .min = 1,
             .max = 99.99});
}

finance::EvaluateOptions JudgeArgs::options(const Context& context) const {
  finance::EvaluateOptions o;
  o.metrics.at = places_of(at);
  o.metrics.ndcg = {gain == "linear" ? finance::Gain::linear : finance::Gain::exponential,
                    empty_is_one ? finance::EmptyList::one : finance::EmptyList::skip};
  o.metrics.resamples = resamples;
  o.metrics.level = level / 100;
  o.metrics.seed = static_cast<uint64_t>(context.common.seed);
  o.threshold = finance::parse_threshold(threshold);
  o.hedge = {hedge_top, kappa, stake.value_or("")};
  if (kappa > 0 && !stake) throw UsageError("--kappa needs a column of stakes; give --stake");
  return o;
}

void declare_scored(ScoredArgs& args, OptionTable& table) {
  table.add({.name = "data",
             .target = &args.data,
             .help = "table of lists with labels or profits; - for standard input",
             .unit = "FILE",
             .required = true});
  table.add({.name = "run",
             .target = &args.run,
             .help = "run directory of a training, or its model file",
             .unit = "RUN"});
  table.add({.name = "scores",
             .target = &args.scores,
             .help = "instead: scores made by this or any other program, FILE or FILE:COLUMN, in "
                     "the data's order or with a column row",
             .unit = "FILE"});
  table.add({.name = "with",
             .target = &args.with,
             .help = "scores of other models that the training had, too: FILE or FILE:COLUMN",
             .unit = "FILE"});
  declare_lists(args.lists, table, ListUse::judged);
}

std::vector<std::filesystem::path> files_read(const ScoredArgs& args) {
  auto files = files_read({args.data}, args.lists, args.with);
  if (args.scores) files.push_back(score_path(*args.scores));
  if (args.run) files.push_back(finance::model_path(*args.run));
  return files;
}

Scored read_scored(const ScoredArgs& args, const std::optional<std::string>& stake,
                   const Context& context) {
  if (args.run.has_value() == args.scores.has_value())
    throw UsageError("give --run, or --scores with --list, --label and --profit: one of the two");
  Scored out;
  ListArgs columns = args.lists;
  if (stake) columns.have_at_hand(*stake);
  if (args.run) {
    out.model = finance::load_rank_model(*args.run);
    out.name = args.run->string();
    out.thresholds = out.model->thresholds;
    const auto with = read_score_files(args.with);
    finance::check_with(*out.model, with);
    out.lists = read_told(args.data, columns.options_for(*out.model, true, context));
    finance::add_score_features(out.lists, with);
    out.scores = finance::model_scores(*out.model, out.lists, context.hooks);
    return out;
  }
  if (!args.with.empty()) throw UsageError("--with is for a model; it has no place with --scores");
  out.name = *args.scores;
  auto options = columns.options(context);
  options.find_features = false;
  const auto file = read_score_file(*args.scores);
  out.lists = read_told(args.data, options);
  out.scores = finance::scores_for(file, out.lists);
  return out;
}

std::vector<std::string> metric_names(const nlohmann::json& metrics) {
  std::vector<std::string> names;
  for (const auto& [name, value] : metrics.items()) names.push_back(name);
  const auto key = [](const std::string& name) {
    const size_t at = name.find('@');
    return std::pair(name.substr(0, at), at == std::string::npos
                                             ? 0L
                                             : std::strtol(name.c_str() + at + 1, nullptr, 10));
  };
  std::sort(names.begin(), names.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return names;
}

std::string evaluation_text(const finance::Evaluation& e) {
  std::vector<std::vector<std::string>> rows{{"metric", "value", "interval", "lists"}};
  for (const auto& m : e.metrics)
    rows.push_back({m.name, figure(m.value),
                    std::isfinite(m.low) ? figure(m.low) + " to " + figure(m.high) : "-",
                    number_words(m.lists)});
  std::string text = text_table(rows);
  text += fmt::format("flagged: score >= {:.6g} ({})\n", e.threshold, e.threshold_rule);
  if (!e.hedge) return text;
  const auto& t = e.hedge->total;
  text += fmt::format(
      "hedged: {} ({} of {} rows): result {} instead of {} without a hedge (best possible {})\n",
      e.hedge_rule, number_words(t.flagged), number_words(t.rows), money_text(t.result),
      money_text(t.unhedged), money_text(t.best));
  text += fmt::format("        losses avoided {}, gains given away {}, cost {}\n",
                      money_text(t.money_kept), money_text(t.money_lost), money_text(t.cost));
  return text;
}

}  // namespace attn::app
