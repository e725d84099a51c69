// Losses of one list's scores, with their exact gradients. Plain numbers; no LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finance {

enum class LossKind {
  /// PA-BCE (PA-RiskRanker, class GraphBasedLoss): over the K' = min(K, n) members of highest
  /// profit, p falling,
  ///   L = 1/K' sum_{i<j} w_ij log(1 + e^{-(s_i - s_j)}) ,  w_ij = log10(1 + (p_i - p_j))
  pa_bce,
  /// Mean over rows of log(1 + e^s) - y s, y in {0, 1} (label > 0).
  bce,
  /// -1/n sum_i y_i log softmax(s)_i (Rankformer's listwise softmax; Buyl et al. 2023).
  softmax,
  /// NDCG-Loss2/LambdaRank (Burges 2010; Wang et al. 2018): sum over pairs y_i > y_j of
  /// |delta NDCG_ij| log2(1 + e^{-(s_i - s_j)}), delta of swapping them in the order of the scores.
  lambdarank,
  /// ListNet (Cao et al. 2007), top one: -sum_i softmax(y)_i log softmax(s)_i.
  listnet,
  /// RankNet: sum over pairs y_i > y_j of log(1 + e^{-(s_i - s_j)}).
  ranknet,
  /// 1/n sum (s_i - sign(p_i) log(1 + |p_i| / money))^2: regression on signed log profit.
  log_profit
};
/// "pa-bce", "bce", "softmax", "lambdarank", "listnet", "ranknet", "log-profit"; UsageError.
LossKind parse_loss(std::string_view word);
std::string to_string(LossKind kind);
const std::vector<std::string>& loss_names();
bool needs_profit(LossKind kind);
bool needs_label(LossKind kind);

enum class LogBase { ten, natural };
/// Gain of a label in lambdarank: 2^y - 1, or y.
enum class LambdaGain { exponential, linear };

struct LossOptions {
  LossKind kind = LossKind::pa_bce;
  int64_t top = 0;                  ///< K of pa_bce; 0: the whole list
  LogBase log = LogBase::ten;       ///< of w_ij
  double money = 1;                 ///< unit of profit: p / money stands for p
  LambdaGain gain = LambdaGain::exponential;
  int64_t truncation = 0;           ///< lambdarank: pairs with one of both within the first so many; 0: all
};

/// Loss of one list of n scores; adds weight * d loss / d score to `gradient` (n), which may be
/// empty. label, profit (n), or empty where the loss needs them not. n = 0 and n = 1: pairwise
/// losses are 0. Equal profits or labels make no pair. Finite for every finite score. O(n^2) time
/// for pairwise losses, O(n) memory. The result depends on nothing but the arguments.
double list_loss(const LossOptions& options, std::span<const double> score,
                 std::span<const double> label, std::span<const double> profit, double weight,
                 std::span<double> gradient);

/// Mean over the lists of a batch whose loss is not 0 (as the published code drops zeros), each
/// list of one weight whatever its length; for bce and log_profit over all lists. `gradient` (R) is
/// overwritten.
double batch_loss(const LossOptions& options, std::span<const int64_t> offsets,
                  std::span<const double> score, std::span<const double> label,
                  std::span<const double> profit, std::span<double> gradient);

/// One sentence, or "": that K cuts lists short although profits have both signs, so that traders
/// outside the K most profitable never receive a gradient.
std::string truncation_warning(const LossOptions& options, std::span<const int64_t> offsets,
                               std::span<const double> profit);

}  // namespace finance
