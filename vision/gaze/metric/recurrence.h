// Recurrence quantification (Anderson, Bischof, Laidlaw, Risko and Kingstone 2013; of two scanpaths
// 2015): where gaze comes back to, and in which order.
#pragma once

#include "vision/gaze/metric/scanpath.h"

namespace gaze {

struct RecurrenceOptions {
  double radius = 64;  ///< pixels: R_ij = [distance <= radius]
  size_t line = 2;     ///< L, the fewest points of a line
};

/// In percent. Without a recurrent point all are 0.
struct Recurrence {
  double recurrence = kNaN;   ///< share of pairs that recur
  double determinism = kNaN;  ///< share of recurrent points on diagonals of length >= L
  double laminarity = kNaN;   ///< share on vertical and horizontal lines of length >= L
  double corm = kNaN;         ///< centre of recurrence mass: mean distance in time, of n - 1
};

// O(n^2) time, O(n) memory. attn::UsageError for options that make no sense.

/// Of one scanpath, over i < j, R = sum R_ij: REC = 200 R / (n (n - 1)), DET = 100 |diagonals| / R,
/// LAM = 100 (|horizontals| + |verticals|) / 2R, CORM = 100 sum (j - i) R_ij / ((n - 1) R); all in
/// [0, 100]. Four NaN for fewer than two fixations and for a position that is not finite.
Recurrence recurrence(Fixations path, const RecurrenceOptions& options = {});

/// Of two, both cut to the n fixations of the shorter, over all i (of a), j (of b), C = sum C_ij:
/// REC = 100 C / n^2; DET over all diagonals, the main one as well (none that fall); LAM and CORM
/// as above, CORM signed: above 0 where b is later at the places of a. For n = 1 only REC is
/// defined. Four NaN where one is empty or, in what is left of it, has a position that is not
/// finite.
Recurrence cross_recurrence(Fixations a, Fixations b, const RecurrenceOptions& options = {});

}  // namespace gaze
