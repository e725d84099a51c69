// The inner loops of the pairwise losses: plain arrays, one call per list.
#pragma once

#include <cstdint>

namespace finance {

/// w of a pair (i, j) with value_i > value_j.
enum class PairWeight {
  log_gap,  ///< log(1 + (value_i - value_j))
  gap,      ///< value_i - value_j
  one,
  swap  ///< (value_i - value_j) |discount_i - discount_j| max(reach_i, reach_j)
};

/// n rows by falling value. Arrays hold padded_rows(n) numbers and are aligned to 64 bytes; behind
/// row n - 1, value is +infinity (no row is above it, so it makes no pair) and all else finite.
struct PairList {
  int64_t rows = 0;
  const double *score = nullptr, *value = nullptr;
  const double *discount = nullptr, *reach = nullptr;  ///< of PairWeight::swap alone
};

/// n rounded up to whole vectors of every instruction set.
inline constexpr int64_t padded_rows(int64_t n) {
  return (n + 7) / 8 * 8;
}

/// L = sum over pairs value_i > value_j of w_ij log(1 + e^{-(s_i - s_j)}); dL/ds overwrites
/// `gradient` (padded_rows(n), aligned).
double pair_loss(PairWeight weight, const PairList& list, double* gradient);

}  // namespace finance
