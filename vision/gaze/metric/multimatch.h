// MultiMatch (Jarodzka, Holmqvist and Nystroem 2010; Dewhurst et al. 2012): two scanpaths aligned
// as saccade vectors and compared in five dimensions.
#pragma once

#include <optional>
#include <string>

#include "vision/gaze/metric/scanpath.h"

namespace gaze {

/// When neighbouring saccades are taken as one before they are compared: where the angle between
/// them, or the length of the first, is below its threshold and a fixation beside them is shorter
/// than `duration`.
struct MultiMatchGrouping {
  double direction = 0;  ///< degrees
  double duration = 0;   ///< seconds
  double amplitude = 0;  ///< pixels
};

/// 1: equal. Below 0 only where points lie off the screen (or, with grouping, where merged saccades
/// reach farther than its diagonal).
struct MultiMatch {
  double vector = kNaN, direction = kNaN, length = kNaN, position = kNaN, duration = kNaN;
  std::string undefined;  ///< why some of them are NaN; empty where none is
};

/// Saccades v1_i (n - 1 of them), v2_j; M_ij = |v1_i - v2_j|. Of the paths from (0, 0) to the last
/// pair by steps right, down and diagonal the one with the least sum of M over the nodes entered,
/// and over its nodes, both ends included, the medians of
///   |v1 - v2|, the angle between them, | |v1| - |v2| |, the distance of the saccades' starts,
///   |d1 - d2| / max(d1, d2) of the fixations at those starts;
/// vector = 1 - median / (2 diagonal), direction = 1 - median / pi, length and position =
/// 1 - median / diagonal, duration = 1 - median. O(n m) time and memory.
///
/// Equal to multimatch-gaze 0.1.3 (with SciPy 1.17, whose choice between paths of equal sum is
/// ours), where that gives numbers, grouping included. It groups only where both direction and
/// amplitude are not 0: leave `grouping` out otherwise. Where it fails we give numbers: a scanpath
/// grouped to one saccade stays as that saccade (its length pass looks for a saccade before it:
/// IndexError), and the cosine of parallel saccades is cut to [-1, 1] (ValueError). A saccade of
/// length 0 has no direction and is not merged by it.
///
/// Five NaN where a path has less than 3 fixations or a position that is not finite. `duration`
/// alone is NaN where a matched duration is negative or not finite or both are 0. Throws
/// attn::UsageError for a screen or thresholds that make no sense.
MultiMatch multimatch(Fixations a, Fixations b, const Screen& screen,
                      const std::optional<MultiMatchGrouping>& grouping = {});

}  // namespace gaze
