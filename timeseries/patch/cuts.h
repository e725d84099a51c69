// Where windows are cut into patches.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace timeseries {

/// Patches of N rows of L positions, packed: patches offsets[n] ... offsets[n+1] - 1 are those of
/// row n, patch p covers positions begin[p] ... begin[p+1] - 1, the last of a row up to L - 1.
struct PatchCuts {
  at::Tensor offsets;  ///< (N+1) int64
  at::Tensor begin;  ///< (P) int64: strictly ascending within a row, the first 0, all below L (the
                     ///< published rule alone ends some rows by a patch without positions, at L)
  int64_t length = 0;  ///< L
};

/// The cuts of rows whose patches begin at `begins`. std::logic_error where they are not as above.
PatchCuts pack_cuts(const std::vector<std::vector<int64_t>>& begins, int64_t length);

/// Number of positions of each patch, (P) int64.
at::Tensor patch_lengths(const PatchCuts& cuts);

/// Positions a patch holds in the mean over all rows; 0 without rows.
double mean_patch_length(const PatchCuts& cuts);

}  // namespace timeseries
