#include "finance/score/rank_metrics.h"

#include "finance/score/weighted_metrics.h"

namespace finance {

std::vector<Metric> rank_metrics(const ScoredLists& scored, const MetricsOptions& options,
                                 const attn::Hooks& hooks) {
  const WeightedMetrics table(scored, options);
  return described(table, resampled({&table, 1}, options, hooks).front(), options.level);
}

}  // namespace finance
