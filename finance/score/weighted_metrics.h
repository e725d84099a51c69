// The metrics of a table under many weightings of its lists, as the bootstrap needs them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "finance/score/one_list.h"
#include "finance/score/rank_metrics.h"
#include "libattn/train/metrics.h"

namespace finance {

/// Every metric but the AUC is a function of sums over lists of a few numbers a list, so a
/// weighting takes O(L); the AUC takes one pass over rows that are sorted once.
class WeightedMetrics {
 public:
  /// Throws as rank_metrics.
  WeightedMetrics(const ScoredLists& scored, const MetricsOptions& options);

  int64_t lists() const { return lists_; }
  size_t size() const { return entries_.size(); }
  const std::string& name(size_t metric) const { return entries_[metric].name; }
  /// Lists that count in this metric.
  int64_t counted(size_t metric) const { return entries_[metric].counted; }
  /// (size()), with list l counted weight[l] times, weight (L).
  std::vector<double> values(std::span<const int64_t> weight) const;

 private:
  using OfList = std::function<double(const OneList&)>;
  enum class Kind { mean, ratio, negative_sum, auc, macro_f1 };
  struct Entry {
    std::string name;
    Kind kind;
    size_t over = 0, under = 0;  // columns
    int64_t counted = 0;
  };

  void plan(const ScoredLists& scored, const MetricsOptions& options);
  void plan_decisions(bool money);
  void fill(const ScoredLists& scored, const MetricsOptions& options);
  size_t column(OfList of);
  void mean(std::string name, const OfList& of);
  double value(const Entry& entry, const std::vector<double>& sums,
               std::span<const int64_t> weight) const;
  double macro_f1(const std::vector<double>& sums) const;

  int64_t lists_ = 0;
  std::vector<OfList> columns_;
  std::vector<double> table_;  // (L, columns)
  std::vector<Entry> entries_;
  size_t rows_ = 0, flagged_ = 0, positives_ = 0, caught_ = 0;  // columns of the decisions
  std::optional<attn::train::WeightedAuc> auc_;
};

/// (B) values of each metric of each table, [table][metric][resample]: resample b draws L lists
/// with replacement from the stream (seed, b), the same for every table. All have L lists.
using Resampled = std::vector<std::vector<double>>;
std::vector<Resampled> resampled(std::span<const WeightedMetrics> tables,
                                 const MetricsOptions& options, const attn::Hooks& hooks);

/// Values and intervals.
std::vector<Metric> described(const WeightedMetrics& table, const Resampled& resamples,
                              double level);

}  // namespace finance
