// How good an order of traders is, by label and by money. Plain numbers; no LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace finance {

/// Scores of rows in lists (as RankLists), with what is known of the rows; `label` or `profit` may
/// be empty. Ties are broken by row: of equal scores the earlier row stands first.
struct ScoredLists {
  std::span<const int64_t> offsets;  ///< (L+1)
  std::span<const double> score, label, profit;

  int64_t lists() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

/// The rows of one list, 0-based within it, by falling score, stable.
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

/// Of one list; NaN where it counts as nothing (mean over lists leaves it out).
/// NDCG@k = sum_{r<k} g_r / log2(r + 2) over the same of the ideal order. No list of gains has to
/// be integers.
double ndcg(std::span<const double> score, std::span<const double> label, int64_t k,
            const NdcgRule& rule = {});
/// 1 / rank of the first row with label > 0.
double reciprocal_rank(std::span<const double> score, std::span<const double> label);
/// Share of positives among the first k (of min(k, n) rows).
double precision(std::span<const double> score, std::span<const double> label, int64_t k);
/// Sum of the profit of the first min(k, n) rows.
double profit_at(std::span<const double> score, std::span<const double> profit, int64_t k);

/// What is told of a table of scores.
struct MetricsOptions {
  std::vector<int64_t> at{1, 3, 5, 10};
  NdcgRule ndcg;
  double threshold = 0;  ///< of decisions: a row is flagged where score >= threshold
  int64_t resamples = 1000;
  double level = 0.95;
  uint64_t seed = 1;
};

struct Metric {
  std::string name;                ///< "profit@5", "ndcg@10", "mrr", "auc", "macro_f1", ...
  double value = 0;                ///< NaN: undefined
  double low = 0, high = 0;        ///< bootstrap interval
  int64_t lists = 0;               ///< lists that count
};

/// Means over lists of ndcg@k, precision@k, profit@k, mrr; over all rows auc (label > 0 against 0,
/// ties half), macro_f1, precision, recall of the decisions, and pnl_of_mistakes = -sum |profit|
/// over rows whose decision is not (label > 0). What needs a column that is empty is left out.
/// Intervals: percentile bootstrap over lists (Efron 1979), lists drawn with replacement, the same
/// draws for every metric; same seed, same result. Throws attn::Error for a score that is not
/// finite (naming the row) and for lengths that differ; no lists: an Error.
std::vector<Metric> rank_metrics(const ScoredLists& scored, const MetricsOptions& options);

}  // namespace finance
