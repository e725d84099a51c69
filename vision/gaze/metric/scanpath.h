// What a scanpath metric takes: fixations on a screen. Plain numbers; no LibTorch.
//
// The rule of all metrics here: what is undefined is NaN, and each says when. Undefined for all
// that look at positions: an empty scanpath, and one with a position that is not finite. Positions
// off the screen are positions like others. Options that make no sense are attn::UsageError.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "vision/gaze/scanpath/fixation.h"

namespace gaze {

/// NaN for what overflowed.
inline double finite_or_nan(double value) {
  return std::isfinite(value) ? value : kNaN;
}

/// Not empty, and every position is finite.
bool positions_defined(Fixations path);

/// Euclidean, in pixels.
inline double distance(const Fixation& a, const Fixation& b) {
  const double dx = a.x - b.x, dy = a.y - b.y;
  return std::sqrt(dx * dx + dy * dy);
}

/// The first `most` of a sequence (of fixations, of symbols), or all that it has.
template <class Of>
std::span<const Of> truncated(std::span<const Of> sequence, size_t most) {
  return sequence.first(std::min(most, sequence.size()));
}

/// Throws attn::UsageError unless both sides are finite and positive.
void check_screen(const Screen& screen);

}  // namespace gaze
