#include "finance/score/compare_scores.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "attn/error.h"
#include "finance/score/weighted_metrics.h"

namespace finance {
namespace {

void check_names(std::span<const NamedScores> scorings) {
  if (scorings.empty())
    throw attn::UsageError("there is no scoring to compare: expected one at least");
  std::set<std::string> seen;
  for (const NamedScores& scoring : scorings)
    if (!seen.insert(scoring.name).second)
      throw attn::UsageError(
          fmt::format("two scorings are named '{}': give each a name of its own", scoring.name));
}

WeightedMetrics table_of(ScoredLists lists, const NamedScores& scoring, MetricsOptions options) {
  lists.score = scoring.score;
  options.threshold = scoring.threshold;
  try {
    return {lists, options};
  } catch (const attn::UsageError&) {
    throw;
  } catch (const attn::Error& error) {
    throw attn::Error(fmt::format("{}: {}", scoring.name, error.what()));
  }
}

Difference difference(const Metric& later, const Metric& earlier, const std::vector<double>& a,
                      const std::vector<double>& b, double level) {
  std::vector<double> gaps;
  int64_t not_better = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double gap = a[i] - b[i];
    if (std::isnan(gap)) continue;
    gaps.push_back(gap);
    if (gap <= 0) ++not_better;
  }
  const double share = gaps.empty()
                           ? std::numeric_limits<double>::quiet_NaN()
                           : static_cast<double>(not_better) / static_cast<double>(gaps.size());
  const auto [low, high] = attn::train::percentile_interval(std::move(gaps), level);
  return {later.name, later.value - earlier.value, low, high, share, later.lists};
}

}  // namespace

ScoreComparison compare_scores(const ScoredLists& lists, std::span<const NamedScores> scorings,
                               const MetricsOptions& options, ComparedPairs pairs,
                               const attn::Hooks& hooks) {
  check_names(scorings);
  std::vector<WeightedMetrics> tables;
  for (const NamedScores& scoring : scorings) tables.push_back(table_of(lists, scoring, options));
  const std::vector<Resampled> resamples = resampled(tables, options, hooks);
  ScoreComparison out;
  for (size_t s = 0; s < tables.size(); ++s)
    out.metrics.push_back(described(tables[s], resamples[s], options.level));
  for (size_t later = 1; later < tables.size(); ++later) {
    const size_t before = pairs == ComparedPairs::each ? later : 1;
    for (size_t earlier = 0; earlier < before; ++earlier) {
      ScorePair pair{static_cast<int64_t>(earlier), static_cast<int64_t>(later), {}};
      for (size_t m = 0; m < out.metrics[later].size(); ++m)
        pair.differences.push_back(difference(out.metrics[later][m], out.metrics[earlier][m],
                                              resamples[later][m], resamples[earlier][m],
                                              options.level));
      out.pairs.push_back(std::move(pair));
    }
  }
  return out;
}

}  // namespace finance
