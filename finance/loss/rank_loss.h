// Losses of one list's scores, with their exact gradients. Plain numbers; no LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finance {

/// s: score, y: label, p: profit, n: rows of the list. sigma(x) = 1 / (1 + e^-x).
enum class LossKind {
  /// PA-BCE (PA-RiskRanker, class GraphBasedLoss): over the K' = min(K, n) members of highest
  /// profit (of equal ones the earlier row), p falling,
  ///   L = 1/K' sum_{i<j} w_ij log(1 + e^{-(s_i - s_j)}) ,  w_ij = log10(1 + (p_i - p_j))
  ///   dL/ds_i = 1/K' (sum_{j<i} w_ji sigma(s_i - s_j) - sum_{j>i} w_ij sigma(s_j - s_i))
  pa_bce,
  /// Mean over rows of log(1 + e^s) - y s, where y is 1 for a label > 0, else 0.
  bce,
  /// -1/n sum_i y_i log softmax(s)_i (Rankformer's listwise softmax; Buyl et al. 2023).
  softmax,
  /// LambdaRank (Burges 2010) as the loss it descends, NDCG-Loss2 of one list (Wang et al. 2018):
  ///   L = sum_{y_i > y_j} D_ij log2(1 + e^{-(s_i - s_j)}) ,
  ///   D_ij = |g_i - g_j| |1 / log2(1 + r_i) - 1 / log2(1 + r_j)| / Z
  /// where r_i = 1, 2, ... is the place of i by falling score (of equal ones the earlier row first)
  /// and Z the greatest DCG that the first T places can have: D_ij is how much NDCG changes when i
  /// and j swap places. g is the gain of a label. With `truncation` T > 0 only pairs with min(r_i,
  /// r_j) <= T count (as LightGBM's lambdarank_truncation_level); T = 0: all pairs, all places. The
  /// gradient is that of L with D held fixed. LightGBM's further scalings (sigmoid, norm) are not
  /// in it.
  lambdarank,
  /// ListNet (Cao et al. 2007), top one: -sum_i softmax(y)_i log softmax(s)_i.
  listnet,
  /// RankNet (Burges et al. 2005): sum over pairs y_i > y_j of log(1 + e^{-(s_i - s_j)}).
  ranknet,
  /// 1/n sum_i (s_i - sign(p_i) log(1 + |p_i| / money))^2: regression on signed log profit.
  log_profit,
  /// 1/n sum_i (s_i - y_i)^2: regression on the label.
  mse
};
/// "pa-bce", "bce", "softmax", "lambdarank", "listnet", "ranknet", "log-profit", "mse"; UsageError.
LossKind parse_loss(std::string_view word);
std::string to_string(LossKind kind);
const std::vector<std::string>& loss_names();
bool needs_profit(LossKind kind);
bool needs_label(LossKind kind);

/// w_ij of pa_bce: log10(1 + gap), ln(1 + gap), or the gap p_i - p_j itself, with which the order
/// of least expected loss is that of expected profit: E[(p_i - p_j)^+] > E[(p_j - p_i)^+].
enum class GapWeight { log10, log, linear };
/// "10", "e", "none": of the logarithm; UsageError.
GapWeight parse_gap_weight(std::string_view word);
std::string to_string(GapWeight weight);
/// Gain of a label in lambdarank: 2^y - 1, or y.
enum class LambdaGain { exponential, linear };

struct LossOptions {
  LossKind kind = LossKind::pa_bce;
  int64_t top = 0;  ///< K of pa_bce; 0: the whole list
  GapWeight weight = GapWeight::log10;
  double money = 1;  ///< unit of profit: p / money stands for p
  LambdaGain gain = LambdaGain::exponential;
  int64_t truncation = 0;  ///< T of lambdarank; 0: all
};
/// UsageError unless top and truncation are at least 0 and money is positive and finite.
void check(const LossOptions& options);

/// Loss of one list of n scores; adds weight * d loss / d score to `gradient` (n), which may be
/// empty. `label`, `profit` (n); the one that the loss does not need may be empty. 0 for n = 0, and
/// of pairwise losses for n = 1: equal profits or labels make no pair. Labels are finite and at
/// least 0, profits finite. Exact and finite for scores up to 1e200 in magnitude; scores that are
/// no finite numbers make a loss that is none. Pairwise losses take O(n^2) time; memory is O(n).
/// The result depends on the arguments alone, but for the last bits, which vary with the
/// instruction set. std::logic_error for lengths that differ.
double list_loss(const LossOptions& options, std::span<const double> score,
                 std::span<const double> label, std::span<const double> profit, double weight,
                 std::span<double> gradient);

/// Of L lists, list l being rows offsets[l] ... offsets[l + 1] - 1: the mean of their losses, each
/// list of one weight whatever its length. bce, log_profit and mse: over all lists that have rows.
/// The others: over the lists whose loss is not 0 (the published code drops zeros): a list without
/// a pair, without a positive label (softmax) or of one row leaves no trace; where all are 0 the
/// loss is 0 and so is the gradient. `gradient` (R, or empty) is overwritten with that of this
/// mean.
double batch_loss(const LossOptions& options, std::span<const int64_t> offsets,
                  std::span<const double> score, std::span<const double> label,
                  std::span<const double> profit, std::span<double> gradient);

/// One sentence for a user, or "": that K of pa_bce cuts lists short in which profits have both
/// signs, so that traders outside the K most profitable never receive a gradient.
std::string truncation_warning(const LossOptions& options, std::span<const int64_t> offsets,
                               std::span<const double> profit);

}  // namespace finance
