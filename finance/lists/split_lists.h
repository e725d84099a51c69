// Which lists train, validate and test: whole lists always, never rows of one list apart.
#pragma once

#include <cstdint>
#include <vector>

#include "finance/lists/rank_lists.h"

namespace finance {

struct ListSplit {
  std::vector<int64_t> train, validation, test;  ///< indices of lists, ascending
};

/// Shares of the lists, drawn by `seed`. Throws attn::UsageError where a share makes no sense,
/// attn::Error where a part that is asked for, or the training part, would be empty.
ListSplit random_split(int64_t lists, double validation, double test, uint64_t seed);

/// The last shares in the order of RankLists::times (all numbers, by value, or all dates of ISO
/// 8601, "2020-01-31" and what follows; attn::Error for others), or, without times, in the order of
/// the file; lists of one time stay together in the earlier part. Throws as random_split.
ListSplit time_split(const RankLists& lists, double validation, double test);

/// `folds` parts of lists drawn by `seed`, sizes differing by one at most. Throws attn::UsageError
/// where folds < 2 or more than lists.
std::vector<std::vector<int64_t>> list_folds(int64_t lists, int64_t folds, uint64_t seed);

}  // namespace finance
