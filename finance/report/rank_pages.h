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
  std::string list;                  ///< its id
  int64_t first = 0;                 ///< its first row among those of the lists
  int64_t rows = 0;                  ///< n
  std::vector<double> weights = {};  ///< (n,n) row i: how much trader i looked at each, sums to 1;
                                     ///< mean over the heads of the last layer
  std::vector<double> entropy = {};  ///< (n) nats, of every head of that layer, averaged
};

/// One epoch of a training.
struct TrainingEpoch {
  double loss = 0;        ///< mean over the training lists
  double validation = 0;  ///< RankPage::selected_by of the validation lists; NaN without them
};

/// What a page tells. Parts that are empty are left out, numbers that are not finite are "-".
struct RankPage {
  std::string title, subtitle = {};
  std::vector<std::pair<std::string, std::string>> facts = {};  ///< of the model and the data
  std::vector<std::string> remarks = {};                        ///< what the reader must not miss
  const RankLists* lists = nullptr;
  std::span<const double> scores = {};  ///< (R); empty: traders stand in the order of the rows
  std::vector<Metric> metrics = {};
  double level = 0.95;                               ///< of their intervals
  std::string threshold_rule = {}, hedge_rule = {};  ///< in words
  double threshold = 0;                              ///< a row is flagged where score >= threshold
  const HedgeReport* hedge = nullptr;                ///< of the lists
  std::vector<double> curve = {};                    ///< mean profit@k, k = 1, 2, ...
  std::vector<CalibrationBin> bins = {};             ///< of the scores as they are
  std::vector<ListAttention> attention = {};         ///< the first three are shown
  std::vector<TrainingEpoch> training = {};
  std::string selected_by = {};  ///< "profit@5"
  int64_t best_epoch = 0;        ///< that was kept, from 1; 0: none is marked
};

/// Facts and remarks; metrics with intervals; mean profit by the number hedged, beside the best
/// order and chance; money over the lists (over their times where all are ISO dates, ascending);
/// the lists where hedging earned and lost most, with their first traders; risk and profit by tenth
/// of the score; whom traders were compared with, and how widely; training. Some 2 MB at most,
/// however many lists there are. "Row N" is the N-th of the data, counted from 1, as in files of
/// scores. Throws std::logic_error where columns differ in length.
attn::report::Report rank_page(const RankPage& page);

/// Several scorings of the same lists side by side: profit@5 (or the first metric there is) with
/// intervals, metrics, profit by the number hedged, differences. `names` of the scorings; `curves`
/// as RankPage::curve, or empty; `level` of the intervals. Throws std::logic_error where there are
/// not as many of each.
attn::report::Report comparison_page(const ScoreComparison& comparison,
                                     const std::vector<std::string>& names,
                                     const std::vector<std::vector<double>>& curves,
                                     const std::string& subtitle, double level = 0.95);

}  // namespace finance
