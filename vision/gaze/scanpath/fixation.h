// What every room of gaze speaks of: fixations on a screen. Header-only; includes no other room.
#pragma once

#include <cmath>
#include <limits>
#include <span>

namespace gaze {

struct Fixation {
  double x = 0, y = 0;  ///< pixels
  double duration = 0;  ///< seconds
};
using Fixations = std::span<const Fixation>;

struct Screen {
  double width = 0, height = 0;  ///< pixels
};

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

inline bool has_position(const Fixation& f) {
  return std::isfinite(f.x) && std::isfinite(f.y);
}

}  // namespace gaze
