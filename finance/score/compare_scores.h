// Several scorings of the same lists side by side, and whether one is really better.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finance/score/rank_metrics.h"

namespace finance {

/// One model's scores of the rows.
struct NamedScores {
  std::string name;
  std::span<const double> score;  ///< (R)
  double threshold = 0;           ///< of its decisions; that of MetricsOptions is not used
};

/// How a metric of `later` differs from that of `earlier`; of each metric the larger is the better.
struct Difference {
  std::string metric;
  double value = 0;          ///< later - earlier
  double low = 0, high = 0;  ///< percentile interval of the paired bootstrap
  double not_better = 0;     ///< share of the resamples with later - earlier <= 0
  int64_t lists = 0;         ///< lists that count
};
struct ScorePair {
  int64_t earlier = 0, later = 0;  ///< indices of scorings
  std::vector<Difference> differences;
};

struct ScoreComparison {
  std::vector<std::vector<Metric>> metrics;  ///< of each scoring, as rank_metrics gives them
  std::vector<ScorePair> pairs;
};

enum class ComparedPairs { against_first, each };

/// The metrics of every scoring, and for every scoring after the first its difference from the
/// first (or, `each`, from all before it).
///
/// Paired bootstrap over lists: each resample draws lists once and takes all scorings on them, so
/// that what makes a list easy or hard for all of them drops out of the difference. Two marginal
/// intervals that overlap do not say that the difference is none: this does. The draws are those of
/// rank_metrics of the same seed. `not_better` speaks for one pair and one metric chosen before
/// looking; of many, some are small by luck. Resamples where the metric is undefined are left out.
///
/// `lists.score` is not used. Throws as rank_metrics, naming the scoring; attn::UsageError where
/// there is no scoring or two have one name.
ScoreComparison compare_scores(const ScoredLists& lists, std::span<const NamedScores> scorings,
                               const MetricsOptions& options,
                               ComparedPairs pairs = ComparedPairs::against_first,
                               const attn::Hooks& hooks = {});

}  // namespace finance
