#include "finance/score/rank_metrics.h"

#include "finance/score/weighted_metrics.h"

namespace finance {

std::vector<Metric> rank_metrics(const ScoredLists& scored, const MetricsOptions& options) {
  const WeightedMetrics table(scored, options);
  return described(table, resampled({&table, 1}, options).front(), options.level);
}

}  // namespace finance
