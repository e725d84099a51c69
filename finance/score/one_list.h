// One list in the order of its scores: what the metrics of a list are taken from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "finance/score/rank_metrics.h"

namespace finance {

/// Columns by falling score; those not given are empty.
struct OneList {
  std::vector<double> score, label, profit;
  std::vector<double> ideal;  ///< labels, falling
  double threshold = 0;       ///< of its decisions

  int64_t rows() const { return static_cast<int64_t>(score.size()); }
};

/// `label` and `profit` (n) or empty.
OneList in_order(std::span<const double> score, std::span<const double> label,
                 std::span<const double> profit);

// As the functions of rank_metrics.h.
double ndcg(const OneList& list, int64_t k, const NdcgRule& rule);
double reciprocal_rank(const OneList& list);
double precision(const OneList& list, int64_t k);
double profit_at(const OneList& list, int64_t k);  ///< NaN for a list of no rows

}  // namespace finance
