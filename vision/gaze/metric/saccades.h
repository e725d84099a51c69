// A scanpath as saccade vectors, and MultiMatch's grouping of them.
#pragma once

#include <vector>

#include "vision/gaze/metric/multimatch.h"

namespace gaze {

struct Saccade {
  double x = 0, y = 0;    ///< start
  double dx = 0, dy = 0;  ///< vector
  double length = 0;
  double angle = 0;  ///< atan2(dy, dx)
};

struct Saccades {
  std::vector<Saccade> of;
  /// Of the fixations at their starts; behind those one or, after grouping, two more.
  std::vector<double> duration;
};

/// n - 1 saccades of n >= 2 fixations.
Saccades saccades(Fixations path);

/// Direction pass and length pass by turns until the number of durations stays. At least one
/// saccade is left of one or more.
Saccades grouped(Saccades path, const MultiMatchGrouping& grouping);

}  // namespace gaze
