#include "finance/score/decisions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "attn/error.h"
#include "finance/score/check_lists.h"
#include "libattn/train/metrics.h"

namespace finance {
namespace {

/// The midpoint, or the higher of two numbers that have none between them: the lower stays below.
double between(double higher, double lower) {
  const double middle = std::midpoint(higher, lower);
  return middle > lower ? middle : higher;
}

/// The cut of highest worth: `flag(row)` tells that one more row is flagged, by falling score, and
/// `worth()` what those flagged so far are worth.
template <class Flag, class Worth>
double best_cut(std::span<const double> score, Flag flag, Worth worth) {
  const std::vector<int64_t> order = ranked(score);
  const auto at = [&](size_t place) { return score[static_cast<size_t>(order[place])]; };
  double best = worth();
  double cut = std::nextafter(at(0), std::numeric_limits<double>::infinity());
  for (size_t i = 0; i < order.size(); ++i) {
    flag(static_cast<size_t>(order[i]));
    const bool last = i + 1 == order.size();
    if (!last && at(i + 1) == at(i)) continue;
    const double value = worth();
    if (!(value > best)) continue;
    best = value;
    cut = last ? at(i) : between(at(i), at(i + 1));
  }
  return cut;
}

}  // namespace

std::vector<bool> top_k_decisions(const ScoredLists& scored, int64_t k) {
  check_lists(scored);
  if (k < 0)
    throw attn::UsageError(fmt::format("the first {} rows of each list: expected 0 or more", k));
  std::vector<bool> flagged(scored.score.size(), false);
  for (int64_t l = 0; l < scored.lists(); ++l) {
    const std::vector<int64_t> order = ranked(rows_of(scored, scored.score, l));
    const auto first = std::min(static_cast<size_t>(k), order.size());
    for (size_t r = 0; r < first; ++r)
      flagged[static_cast<size_t>(scored.offsets[static_cast<size_t>(l)] + order[r])] = true;
  }
  return flagged;
}

std::vector<bool> threshold_decisions(std::span<const double> score, double threshold) {
  check_column(score, "score");
  check_threshold(threshold);
  std::vector<bool> flagged(score.size());
  std::transform(score.begin(), score.end(), flagged.begin(),
                 [&](double s) { return s >= threshold; });
  return flagged;
}

std::vector<bool> threshold_decisions(const ScoredLists& scored,
                                      std::span<const double> thresholds) {
  check_lists(scored);
  check_length("thresholds", thresholds.size(), static_cast<size_t>(scored.lists()));
  std::vector<bool> flagged;
  flagged.reserve(scored.score.size());
  for (int64_t l = 0; l < scored.lists(); ++l) {
    const double threshold = thresholds[static_cast<size_t>(l)];
    check_threshold(threshold);
    for (const double s : rows_of(scored, scored.score, l)) flagged.push_back(s >= threshold);
  }
  return flagged;
}

double prior_threshold(std::span<const double> score, double prior) {
  check_column(score, "score");
  if (!(prior >= 0 && prior <= 1))
    throw attn::UsageError(fmt::format("a prior of {}: expected a share between 0 and 1", prior));
  const auto flagged = std::llround(prior * static_cast<double>(score.size()));
  std::vector<double> falling(score.begin(), score.end());
  const auto place = falling.begin() + std::max<int64_t>(flagged, 1) - 1;
  std::nth_element(falling.begin(), place, falling.end(), std::greater<>());
  return *place;
}

double tuned_threshold(std::span<const double> score, std::span<const double> label) {
  check_column(score, "score");
  check_length("labels", label.size(), score.size());
  check_column(label, "label");
  const auto rows = static_cast<int64_t>(score.size());
  const int64_t positives =
      std::count_if(label.begin(), label.end(), [](double y) { return y > 0; });
  int64_t flagged = 0, caught = 0;
  return best_cut(
      score,
      [&](size_t row) {
        ++flagged;
        if (label[row] > 0) ++caught;
      },
      [&] {
        const std::array<int64_t, 4> confusion{rows - positives - flagged + caught,
                                               flagged - caught, positives - caught, caught};
        return attn::train::macro_f1(confusion, 2);
      });
}

double money_threshold(std::span<const double> score, std::span<const double> profit,
                       std::span<const double> cost) {
  check_column(score, "score");
  check_length("profits", profit.size(), score.size());
  check_column(profit, "profit");
  if (!cost.empty()) {
    check_length("costs", cost.size(), score.size());
    check_column(cost, "cost");
  }
  double kept = 0;
  return best_cut(
      score, [&](size_t row) { kept += profit[row] - (cost.empty() ? 0 : cost[row]); },
      [&] { return kept; });
}

}  // namespace finance
