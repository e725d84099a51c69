// The pages of attn-rank: what a model's scores are worth, whom it compares with whom. Plain data
// in, one self-contained HTML page out. Knows no LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "finance/lists/rank_lists.h"
#include "finance/score/compare_scores.h"
#include "finance/score/decisions.h"
#include "finance/score/rank_metrics.h"
#include "libattn/report/report.h"

namespace finance {

/// Of one list of n traders: who looked at whom.
struct ListAttention {
  std::string list;             ///< its id
  int64_t first = 0;            ///< its first row among those of the lists
  int64_t rows = 0;             ///< n
  std::vector<double> weights;  ///< (n,n) row i: how much trader i looked at each, sums to 1; mean
                                ///< over the heads of the last layer
  std::vector<double> entropy;  ///< (n) nats, of every head of that layer, averaged
};

/// One epoch of a training.
struct TrainingEpoch {
  double loss = 0, validation = 0;  ///< NaN without validation
};

/// What a page tells. Parts that are empty are left out.
struct RankPage {
  std::string title, subtitle;
  std::vector<std::pair<std::string, std::string>> facts;  ///< of the model and the data
  std::vector<std::string> remarks;                        ///< what the reader must not miss
  const RankLists* lists = nullptr;
  std::span<const double> scores;  ///< (R)
  std::vector<Metric> metrics;
  double level = 0.95;  ///< of their intervals
  std::string threshold_rule, hedge_rule;
  double threshold = 0;
  const HedgeReport* hedge = nullptr;
  std::vector<double> curve;  ///< mean profit@k, k = 1, 2, ...
  std::vector<CalibrationBin> bins;
  std::vector<ListAttention> attention;
  std::vector<TrainingEpoch> training;
  std::string selected_by;  ///< "profit@5"
};

/// Facts, metrics with intervals; profit by the number hedged beside the best order and chance;
/// money over the lists (or times); calibration; the lists where hedging earned and lost most, with
/// their first traders; attention maps with entropies; training curves.
attn::report::Report rank_page(const RankPage& page);

/// Several scorings side by side: a table of metrics, bars of the differences with their intervals.
attn::report::Report comparison_page(const ScoreComparison& comparison,
                                     const std::vector<std::string>& names,
                                     const std::vector<std::vector<double>>& curves,
                                     const std::string& subtitle);

}  // namespace finance
