#include "finance/model/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

using nlohmann::json;

std::optional<double> number_of(std::string_view text) {
  const std::string word(text);
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  if (word.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

double share_of_positives(const std::vector<double>& label) {
  const auto positive = std::count_if(label.begin(), label.end(), [](double y) { return y > 0; });
  return static_cast<double>(positive) / static_cast<double>(std::max<size_t>(label.size(), 1));
}

constexpr const char* kMostMoney = "most money on the validation lists, before any cost of hedging";

/// A threshold and what it is, in words.
struct Chosen {
  double value = 0;
  std::string words;
};

Chosen by_prior(const ThresholdRule& rule, const RankLists& lists,
                const std::vector<double>& scores, const Thresholds& known) {
  double share = 0;
  std::string of;
  if (rule.value) {
    share = *rule.value, of = "as given";
  } else if (known.prior) {
    share = *known.prior, of = "positives among the training rows";
  } else if (!lists.label.empty()) {
    share = share_of_positives(lists.label), of = "positives among these rows themselves";
  } else {
    throw attn::UsageError("--threshold prior needs a share (prior:0.05), or labels");
  }
  return {prior_threshold(scores, share),
          fmt::format("the highest {:.4g} % of scores ({})", 100 * share, of)};
}

Chosen choose(const ThresholdRule& rule, const RankLists& lists, const std::vector<double>& scores,
              const Thresholds& known) {
  using Kind = ThresholdRule::Kind;
  const auto needs = [](const char* what) {
    return attn::UsageError(std::string("--threshold ") + what +
                            ": these scores come with no threshold of the kind; it is found on "
                            "the validation lists of a training with --label (tuned) or --profit "
                            "(money)");
  };
  switch (rule.kind) {
    case Kind::fixed:
      return {rule.value.value_or(0), "as given"};
    case Kind::tuned:
      if (!known.macro_f1) throw needs("tuned");
      return {*known.macro_f1, "highest macro-F1 on the validation lists"};
    case Kind::money:
      if (!known.money) throw needs("money");
      return {*known.money, kMostMoney};
    case Kind::automatic:
      if (known.macro_f1) return {*known.macro_f1, "highest macro-F1 on the validation lists"};
      if (lists.label.empty() && !known.prior && known.money) return {*known.money, kMostMoney};
      if (lists.label.empty() && !known.prior) return {0, "0, for want of labels"};
      break;
    case Kind::prior:
      break;
  }
  return by_prior(rule, lists, scores, known);
}

std::vector<double> stakes_of(const HedgeRule& rule, const RankLists& lists) {
  if (rule.stake.empty()) return {};
  const NamedColumn* column = lists.find(rule.stake);
  if (column == nullptr)
    throw attn::UsageError("the column " + rule.stake + " of stakes was not read from " +
                           lists.name);
  return column->values;
}

json number(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

}  // namespace

ThresholdRule parse_threshold(std::string_view word) {
  using Kind = ThresholdRule::Kind;
  if (word == "auto") return {};
  if (word == "tuned") return {Kind::tuned, {}};
  if (word == "money") return {Kind::money, {}};
  if (word == "prior") return {Kind::prior, {}};
  if (word.starts_with("prior:")) {
    const auto share = number_of(word.substr(6));
    if (share && *share > 0 && *share <= 1) return {Kind::prior, share};
  } else if (const auto value = number_of(word)) {
    return {Kind::fixed, value};
  }
  throw attn::UsageError("--threshold " + attn::io::quote_text(word) +
                         ": expected auto, tuned, money, prior, prior:SHARE (above 0, at most 1) "
                         "or a number");
}

Evaluation evaluate_scores(const std::string& name, const RankLists& lists,
                           std::vector<double> scores, const Thresholds& thresholds,
                           const EvaluateOptions& options, const attn::Hooks& hooks) {
  if (lists.label.empty() && lists.profit.empty())
    throw attn::UsageError(lists.name +
                           ": neither labels nor profits are told, by which scores are judged; "
                           "name their columns with --label and --profit");
  Evaluation out;
  out.name = name;
  out.scores = std::move(scores);
  const ScoredLists scored{lists.offsets, out.scores, lists.label, lists.profit, lists.unflagged};
  MetricsOptions metrics = options.metrics;
  const Chosen threshold =
      metrics.thresholds.empty()
          ? choose(options.threshold, lists, out.scores, thresholds)
          : Chosen{std::numeric_limits<double>::quiet_NaN(), "each fold by its own"};
  out.threshold = threshold.value, out.threshold_rule = threshold.words;
  if (metrics.thresholds.empty())
    metrics.thresholds.assign(static_cast<size_t>(lists.lists()), out.threshold);
  out.metrics = rank_metrics(scored, metrics, hooks);
  out.bins = calibration(scored, 10);
  if (lists.profit.empty()) return out;
  const bool by_top = options.hedge.top > 0;
  out.hedge_rule = by_top ? fmt::format("the first {} of each list", options.hedge.top)
                          : "every score from the threshold on";
  out.hedge = hedge_report(scored,
                           by_top ? top_k_decisions(scored, options.hedge.top)
                                  : threshold_decisions(scored, metrics.thresholds),
                           stakes_of(options.hedge, lists), options.hedge.kappa);
  int64_t longest = 1;
  for (int64_t l = 0; l < lists.lists(); ++l)
    longest = std::max(
        longest, lists.offsets[static_cast<size_t>(l) + 1] - lists.offsets[static_cast<size_t>(l)]);
  out.curve = profit_curve(scored, longest);
  return out;
}

json to_json(const HedgeTotals& t) {
  return {{"rows", t.rows},
          {"flagged", t.flagged},
          {"positives", t.positives},
          {"caught", t.caught},
          {"unhedged", t.unhedged},
          {"result", t.result},
          {"money_kept", t.money_kept},
          {"money_lost", t.money_lost},
          {"cost", t.cost},
          {"best", t.best}};
}

json to_json(const Evaluation& e) {
  json out = json::object();
  for (const Metric& m : e.metrics) {
    out[m.name] = number(m.value);
    out[m.name + "_ci"] = {number(m.low), number(m.high)};
  }
  out["scores"] = e.name;
  out["threshold"] = {{"value", number(e.threshold)}, {"rule", e.threshold_rule}};
  out["ties"] = "of equal scores the earlier row stands first";
  if (e.hedge) {
    out["hedge"] = to_json(e.hedge->total);
    out["hedge"]["rule"] = e.hedge_rule;
    out["profit_curve"] = e.curve;
  }
  return out;
}

json to_json(const ScoreComparison& comparison, const std::vector<std::string>& names) {
  json out = {{"scores", json::array()}, {"differences", json::array()}};
  for (size_t i = 0; i < names.size(); ++i) {
    json one = {{"name", names[i]}};
    for (const Metric& m : comparison.metrics[i]) {
      one[m.name] = number(m.value);
      one[m.name + "_ci"] = {number(m.low), number(m.high)};
    }
    out["scores"].push_back(std::move(one));
  }
  for (const ScorePair& pair : comparison.pairs)
    for (const Difference& d : pair.differences)
      out["differences"].push_back({{"from", names[static_cast<size_t>(pair.earlier)]},
                                    {"to", names[static_cast<size_t>(pair.later)]},
                                    {"metric", d.metric},
                                    {"value", number(d.value)},
                                    {"ci", {number(d.low), number(d.high)}},
                                    {"not_better", number(d.not_better)},
                                    {"lists", d.lists}});
  return out;
}

}  // namespace finance
