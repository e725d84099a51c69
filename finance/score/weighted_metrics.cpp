#include "finance/score/weighted_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "attn/error.h"
#include "finance/score/check_lists.h"
#include "libattn/random/rng.h"

namespace finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr uint64_t kBootstrap = 0x626f6f74;  // "boot": the stream's purpose

void check_options(const MetricsOptions& options) {
  for (const int64_t k : options.at) check_depth(k);
  if (options.resamples < 0)
    throw attn::UsageError(
        fmt::format("{} resamples of the bootstrap: expected 0 or more", options.resamples));
  if (!(options.level > 0 && options.level < 1))
    throw attn::UsageError(
        fmt::format("a bootstrap level of {}: expected between 0 and 1", options.level));
  check_threshold(options.threshold);
  for (const double each : options.thresholds) check_threshold(each);
}

/// Sum of `of` over the rows of a list.
template <class Of>
auto row_sum(Of of) {
  return [of](const OneList& list) {
    double sum = 0;
    for (size_t r = 0; r < list.score.size(); ++r) sum += of(list, r);
    return sum;
  };
}

attn::train::WeightedAuc auc_of(const ScoredLists& scored) {
  std::vector<int64_t> positive(scored.label.size()), list(scored.label.size());
  for (size_t i = 0; i < positive.size(); ++i) positive[i] = scored.label[i] > 0 ? 1 : 0;
  for (size_t l = 0; l + 1 < scored.offsets.size(); ++l)
    std::fill(list.begin() + scored.offsets[l], list.begin() + scored.offsets[l + 1],
              static_cast<int64_t>(l));
  return {scored.score, positive, list};
}

}  // namespace

WeightedMetrics::WeightedMetrics(const ScoredLists& scored, const MetricsOptions& options)
    : lists_(scored.lists()) {
  check_options(options);
  check_lists(scored);
  if (!options.thresholds.empty())
    check_length("thresholds", options.thresholds.size(), static_cast<size_t>(lists_));
  plan(scored, options);
  fill(scored, options);
  if (!scored.label.empty()) auc_ = auc_of(scored);
}

size_t WeightedMetrics::column(OfList of) {
  columns_.push_back(std::move(of));
  return columns_.size() - 1;
}

/// Mean over the lists where `of` is a number.
void WeightedMetrics::mean(std::string name, const OfList& of) {
  const size_t over = column([of](const OneList& list) {
    const double value = of(list);
    return std::isnan(value) ? 0 : value;
  });
  const size_t under = column([of](const OneList& list) { return std::isnan(of(list)) ? 0 : 1; });
  entries_.push_back({std::move(name), Kind::mean, over, under});
}

void WeightedMetrics::plan(const ScoredLists& scored, const MetricsOptions& options) {
  const bool labels = !scored.label.empty(), money = !scored.profit.empty();
  const auto means_at = [&](const char* what, auto of) {
    for (const int64_t k : options.at)
      mean(fmt::format("{}@{}", what, k), [of, k](const OneList& list) { return of(list, k); });
  };
  if (labels) {
    const NdcgRule rule = options.ndcg;
    means_at("ndcg", [rule](const OneList& list, int64_t k) { return ndcg(list, k, rule); });
    means_at("precision", [](const OneList& list, int64_t k) { return precision(list, k); });
    mean("mrr", [](const OneList& list) { return reciprocal_rank(list); });
  }
  if (money) means_at("profit", [](const OneList& list, int64_t k) { return profit_at(list, k); });
  if (labels) plan_decisions(money);
}

void WeightedMetrics::plan_decisions(bool money) {
  const auto flagged = [](const OneList& list, size_t r) {
    return list.score[r] >= list.threshold;
  };
  const auto positive = [](const OneList& list, size_t r) { return list.label[r] > 0; };
  rows_ = column(row_sum([](const OneList&, size_t) { return 1; }));
  flagged_ = column(row_sum(flagged));
  positives_ = column(row_sum(positive));
  caught_ = column(row_sum(
      [=](const OneList& list, size_t r) { return flagged(list, r) && positive(list, r); }));
  entries_.push_back({"auc", Kind::auc});
  entries_.push_back({"macro_f1", Kind::macro_f1});
  entries_.push_back({"precision", Kind::ratio, caught_, flagged_});
  entries_.push_back({"recall", Kind::ratio, caught_, positives_});
  if (!money) return;
  const size_t mistakes = column(row_sum([=](const OneList& list, size_t r) {
    return flagged(list, r) == positive(list, r) ? 0 : std::abs(list.profit[r]);
  }));
  entries_.push_back({"pnl_of_mistakes", Kind::negative_sum, mistakes});
}

void WeightedMetrics::fill(const ScoredLists& scored, const MetricsOptions& options) {
  table_.reserve(static_cast<size_t>(lists_) * columns_.size());
  int64_t with_rows = 0;
  std::vector<int64_t> counted(columns_.size(), 0);  // lists with a number that is not 0
  for (int64_t l = 0; l < lists_; ++l) {
    OneList list = in_order(rows_of(scored, scored.score, l), rows_of(scored, scored.label, l),
                            rows_of(scored, scored.profit, l));
    list.threshold =
        options.thresholds.empty() ? options.threshold : options.thresholds[static_cast<size_t>(l)];
    if (list.rows() > 0) ++with_rows;
    for (size_t c = 0; c < columns_.size(); ++c) {
      table_.push_back(columns_[c](list));
      if (table_.back() != 0) ++counted[c];
    }
  }
  for (Entry& entry : entries_)
    entry.counted = entry.kind == Kind::mean ? counted[entry.under] : with_rows;
}

double WeightedMetrics::macro_f1(const std::vector<double>& sums) const {
  const auto count = [&](size_t c) { return static_cast<int64_t>(sums[c]); };
  const int64_t caught = count(caught_);
  const int64_t wrong = count(flagged_) - caught, missed = count(positives_) - caught;
  const std::array<int64_t, 4> confusion{count(rows_) - caught - wrong - missed, wrong, missed,
                                         caught};
  return attn::train::macro_f1(confusion, 2);
}

double WeightedMetrics::value(const Entry& entry, const std::vector<double>& sums,
                              std::span<const int64_t> weight) const {
  switch (entry.kind) {
    case Kind::auc:
      return (*auc_)(weight);
    case Kind::macro_f1:
      return macro_f1(sums);
    case Kind::negative_sum:
      return 0 - sums[entry.over];
    case Kind::mean:
    case Kind::ratio:
      break;
  }
  return sums[entry.under] > 0 ? sums[entry.over] / sums[entry.under] : kNaN;
}

std::vector<double> WeightedMetrics::values(std::span<const int64_t> weight) const {
  std::vector<double> sums(columns_.size(), 0);
  for (size_t l = 0; l < weight.size(); ++l) {
    if (weight[l] == 0) continue;
    const double* row = &table_[l * sums.size()];
    const auto times = static_cast<double>(weight[l]);
    for (size_t c = 0; c < sums.size(); ++c) sums[c] += times * row[c];
  }
  std::vector<double> out;
  for (const Entry& entry : entries_) out.push_back(value(entry, sums, weight));
  return out;
}

std::vector<Resampled> resampled(std::span<const WeightedMetrics> tables,
                                 const MetricsOptions& options, const attn::Hooks& hooks) {
  std::vector<Resampled> out;
  for (const WeightedMetrics& table : tables) out.emplace_back(table.size());
  std::vector<int64_t> weight(static_cast<size_t>(tables.front().lists()));
  for (int64_t b = 0; b < options.resamples; ++b) {
    hooks.check();
    auto random = attn::random::Rng::keyed({options.seed, kBootstrap, static_cast<uint64_t>(b)});
    std::fill(weight.begin(), weight.end(), 0);
    for (size_t i = 0; i < weight.size(); ++i)
      ++weight[static_cast<size_t>(random.below(static_cast<int>(weight.size())))];
    for (size_t t = 0; t < tables.size(); ++t) {
      const std::vector<double> values = tables[t].values(weight);
      for (size_t m = 0; m < values.size(); ++m) out[t][m].push_back(values[m]);
    }
  }
  return out;
}

std::vector<Metric> described(const WeightedMetrics& table, const Resampled& resamples,
                              double level) {
  const std::vector<int64_t> once(static_cast<size_t>(table.lists()), 1);
  const std::vector<double> values = table.values(once);
  std::vector<Metric> out;
  for (size_t m = 0; m < values.size(); ++m) {
    const auto [low, high] = attn::train::percentile_interval(resamples[m], level);
    out.push_back({table.name(m), values[m], low, high, table.counted(m)});
  }
  return out;
}

}  // namespace finance
