// The shortest path through the grid of saccade pairs.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "vision/gaze/metric/saccades.h"

namespace gaze {

/// Pairs (i, j) from (0, 0) to (n - 1, m - 1) by steps right, down and diagonal, both ends
/// included, with the least sum of |v1_i - v2_j| over the pairs entered; of paths of equal sum the
/// one that scipy.sparse.csgraph.dijkstra finds. n, m >= 1. O(n m); where sums are equal O(n m log
/// n m).
std::vector<std::pair<size_t, size_t>> align(const std::vector<Saccade>& a,
                                             const std::vector<Saccade>& b);

}  // namespace gaze
