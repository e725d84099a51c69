// How good an order of traders is, by label and by money. Plain numbers; no LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "attn/hooks.h"

namespace finance {

/// Scores of rows in lists (as RankLists), with what is known of the rows; `label` or `profit` may
/// be empty. Ties are broken by row: of equal scores the earlier row stands first.
struct ScoredLists {
  std::span<const int64_t> offsets;  ///< (L+1)
  std::span<const double> score, label, profit;
  /// What a row brings where it is not flagged; empty: -profit. Looked at by hedge_report alone.
  std::span<const double> unflagged = {};

  int64_t lists() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

/// The rows of one list, 0-based within it, by falling score, stable. Throws attn::Error for a
/// score that is NaN (as do those below), naming the row.
std::vector<int64_t> ranked(std::span<const double> score);

/// What a row of label y gains: y itself (scikit-learn's ndcg_score), 2^y - 1 (LightGBM, XGBoost).
enum class Gain { linear, exponential };
/// What a list without a positive label counts as: not at all (scikit-learn in the published code),
/// 1 (LightGBM).
enum class EmptyList { skip, one };

struct NdcgRule {
  Gain gain = Gain::linear;
  EmptyList empty = EmptyList::skip;
};

// Of one list. NaN where it counts as nothing: the mean over lists leaves it out. Labels are >= 0
// and need not be whole numbers. A list of no rows counts as nothing. attn::Error where the two
// columns differ in length.

/// NDCG@k = sum_{r<k} g_r / log2(r + 2), rows by falling score, over the same of the ideal order.
/// Beside scikit-learn: its ndcg_score lets tied scores share the mean of their places, ours has
/// them by row, as LightGBM has.
double ndcg(std::span<const double> score, std::span<const double> label, int64_t k,
            const NdcgRule& rule = {});
/// 1 / rank of the first row with label > 0; NaN where there is none.
double reciprocal_rank(std::span<const double> score, std::span<const double> label);
/// Positives among the first k, over k: a list shorter than k cannot reach 1 (as trec_eval has it).
double precision(std::span<const double> score, std::span<const double> label, int64_t k);
/// Sum of the profit of the first min(k, n) rows.
double profit_at(std::span<const double> score, std::span<const double> profit, int64_t k);

/// What is told of a table of scores.
struct MetricsOptions {
  std::vector<int64_t> at{1, 3, 5, 10};
  NdcgRule ndcg;
  double threshold = 0;                 ///< of decisions: a row is flagged where score >= threshold
  std::vector<double> thresholds = {};  ///< (L) in its place, where each list has one of its own
  int64_t resamples = 1000;             ///< 0: no intervals (NaN)
  double level = 0.95;
  uint64_t seed = 1;
};

struct Metric {
  std::string name;          ///< "profit@5", "ndcg@10", "mrr", "auc", "macro_f1", ...
  double value = 0;          ///< NaN: undefined
  double low = 0, high = 0;  ///< bootstrap interval
  int64_t lists = 0;         ///< lists that count
};

/// Means over lists of ndcg@k, precision@k, mrr, profit@k; over all rows auc (label > 0 against 0,
/// ties half), macro_f1 (of the classes that occur or are decided), precision, recall of the
/// decisions, and pnl_of_mistakes = -sum |profit| over rows whose decision is not (label > 0). Of
/// each the larger is the better. What needs a column that is empty is left out.
///
/// Intervals: percentile bootstrap over lists (Efron 1979), lists drawn with replacement, the same
/// draws for every metric; resamples where a metric is undefined are left out of its interval; same
/// seed, same result. Lists are not cut: what is drawn is a list with all its rows. Time:
/// O(R log R), and O(R) a resample, nearly all of it the AUC's.
///
/// Throws attn::Error for a score or profit that is not finite, a label that is not finite or is
/// negative (naming row and list, counted from 1), for lengths that differ and for no lists;
/// attn::UsageError for options that make no sense; Interrupted.
std::vector<Metric> rank_metrics(const ScoredLists& scored, const MetricsOptions& options,
                                 const attn::Hooks& hooks = {});

}  // namespace finance
