// Whom to hedge: from scores to decisions, and what they are worth.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "finance/score/rank_metrics.h"

namespace finance {

// All throw attn::Error for columns that are refused by rank_metrics, for lengths that differ and
// for tables without rows; attn::UsageError for options that make no sense.

/// The first k of each list, ties by row.
std::vector<bool> top_k_decisions(const ScoredLists& scored, int64_t k);

/// score >= threshold.
std::vector<bool> threshold_decisions(std::span<const double> score, double threshold);
/// The same with a threshold for each list, (L).
std::vector<bool> threshold_decisions(const ScoredLists& scored,
                                      std::span<const double> thresholds);

/// The threshold that flags the share `prior` of all rows (the published rule "with prior": the
/// round(prior R) highest scores, one at least): the lowest score flagged. Rows tied with it are
/// flagged as well.
double prior_threshold(std::span<const double> score, double prior);

// The two that follow try every cut between neighbouring different scores, at the midpoint, and
// both ends: the lowest score, which flags all, and the next number above the highest, which flags
// none. Of cuts of equal worth the one that flags fewer. O(R log R).

/// The threshold with the highest macro-F1 of label > 0 on these rows. For a validation part, never
/// for the rows it is judged by.
double tuned_threshold(std::span<const double> score, std::span<const double> label);
/// The threshold that keeps most money on these rows: highest sum of profit - cost over score >=
/// it. `cost` empty: none.
double money_threshold(std::span<const double> score, std::span<const double> profit,
                       std::span<const double> cost);

/// The broker hedges (A-book) the flagged rows and keeps the others (B-book).
///   unhedged result = -sum_i p_i ;  avoided = sum_flagged p_i ;  cost = kappa sum_flagged stake_i
///   result = -sum_{not flagged} p_i - cost = unhedged + avoided - cost
/// Where costs of decisions are known instead, the unhedged result is the sum of what not flagging
/// each row brings (ScoredLists::unflagged), and p_i what flagging it saves.
struct HedgeTotals {
  int64_t rows = 0, flagged = 0;
  int64_t positives = 0, caught = 0;  ///< rows with label > 0, and those of them flagged
  double unhedged = 0;                ///< result without any hedge
  double result = 0;                  ///< with these hedges
  double money_kept = 0;              ///< sum of max(p, 0) over flagged rows: losses avoided
  double money_lost = 0;              ///< sum of max(-p, 0) over flagged rows: gains given away
  double cost = 0;                    ///< of hedging
  double best = 0;  ///< result of knowing every p: all rows with p > their cost flagged
};
struct HedgeReport {
  HedgeTotals total;
  std::vector<HedgeTotals> lists;  ///< (L)
  /// (L) result - unhedged, added up in the order of the lists.
  std::vector<double> cumulative;
};
/// `scored` needs profits; scores are not looked at and may be empty, as may labels. `stake` empty:
/// no cost. Throws attn::Error where sums of money are not finite.
HedgeReport hedge_report(const ScoredLists& scored, const std::vector<bool>& flagged,
                         std::span<const double> stake, double kappa);

/// Mean over lists of profit@k for k = 1 ... most: the curve of how far down the list hedging pays.
/// Lists shorter than k count with all they have.
std::vector<double> profit_curve(const ScoredLists& scored, int64_t most);

/// How a score is read as a probability.
enum class ScoreScale { as_is, logit };

/// Calibration: rows in `bins` groups of equal count (differing by one at most; fewer groups where
/// there are fewer rows) by rising score, ties split by row; mean of the score as it is or of
/// logistic(score), and the share of positives, mean profit. NaN for what has no column.
struct CalibrationBin {
  int64_t rows = 0;
  double score = 0, positives = 0, profit = 0;  ///< means
  double low = 0, high = 0;                     ///< Wilson's 95 % interval of `positives`
};
std::vector<CalibrationBin> calibration(const ScoredLists& scored, int64_t bins,
                                        ScoreScale scale = ScoreScale::as_is);

/// Wilson's (1927) score interval of level 95 % for a share of which `hits` of `n` were seen,
///   (p + z^2/2n -/+ z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n),  z = 1.959964
std::pair<double, double> wilson_interval(int64_t hits, int64_t n);

}  // namespace finance
