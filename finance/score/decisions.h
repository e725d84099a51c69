// Whom to hedge: from scores to decisions, and what they are worth.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finance/score/rank_metrics.h"

namespace finance {

/// The first k of each list.
std::vector<bool> top_k_decisions(const ScoredLists& scored, int64_t k);
/// The threshold that flags the share `prior` of all rows (the published rule "with prior": the
/// round(prior R) highest scores, one at least). Decisions: score >= it.
double prior_threshold(std::span<const double> score, double prior);
/// The threshold with the highest macro-F1 on these rows: every midpoint between neighbouring
/// scores is tried, in O(R log R), and the ends; of equals the one that flags fewer. For a
/// validation part, never for the rows it is judged by.
double tuned_threshold(std::span<const double> score, std::span<const double> label);
/// The threshold that keeps most money on these rows: highest sum of profit - cost over score >=
/// it.
double money_threshold(std::span<const double> score, std::span<const double> profit,
                       std::span<const double> cost);
std::vector<bool> threshold_decisions(std::span<const double> score, double threshold);

/// The broker hedges (A-book) the flagged rows and keeps the others (B-book).
///   unhedged result = -sum_i p_i ;  avoided = sum_flagged p_i ;  cost = kappa sum_flagged stake_i
///   result = -sum_{not flagged} p_i - cost
struct HedgeTotals {
  int64_t rows = 0, flagged = 0, positives = 0, caught = 0;
  double unhedged = 0;      ///< result without any hedge
  double result = 0;        ///< with these hedges
  double money_kept = 0;    ///< sum of max(p, 0) over flagged rows: losses avoided
  double money_lost = 0;    ///< sum of max(-p, 0) over flagged rows: gains given away
  double cost = 0;          ///< of hedging
  double best = 0;          ///< result of knowing every p: all rows with p > their cost flagged
};
struct HedgeReport {
  HedgeTotals total;
  std::vector<HedgeTotals> lists;          ///< (L)
  std::vector<double> cumulative;          ///< (L) result of hedging over not hedging, added up in the order of the lists
};
/// `stake` empty: no cost. Throws attn::Error for lengths that differ.
HedgeReport hedge_report(const ScoredLists& scored, const std::vector<bool>& flagged,
                         std::span<const double> stake, double kappa);

/// Mean over lists of profit@k for k = 1 ... most: the curve of how far down the list hedging pays.
/// Lists shorter than k count with all they have.
std::vector<double> profit_curve(const ScoredLists& scored, int64_t most);

/// Calibration: rows in `bins` groups of equal count by score; mean of logistic(score) or of the
/// score as it is, and the share of positives, mean profit.
struct CalibrationBin {
  int64_t rows = 0;
  double score = 0, positives = 0, profit = 0;  ///< means
  double low = 0, high = 0;                     ///< Wilson's 95 % interval of `positives`
};
std::vector<CalibrationBin> calibration(const ScoredLists& scored, int64_t bins);

}  // namespace finance
