// A whole level, read in bounded blocks and reduced by a whole factor on the way.
#pragma once

#include <cstdint>
#include <functional>
#include <opencv2/core/mat.hpp>
#include <string>

#include "attn/hooks.h"
#include "pathology/slide/slide.h"

namespace pathology {

/// Outcome of `read_reduced`.
struct BlockCount {
  int64_t pixels = 0;             ///< of the reduced picture
  int64_t unreadable = 0;         ///< parts that no level gives
  int64_t unreadable_pixels = 0;  ///< of the reduced picture, in these parts
  std::string first_error;        ///< of the first such part: the same for any number of threads
};

/// Size of a level reduced by `factor`: ceil(width / factor) x ceil(height / factor).
cv::Size reduced_size(const Slide& slide, int level, int factor);

/// Reads `level` in blocks of about 2048 x 2048 px, reduces each by `factor` (area mean; what the
/// last pixel of a row or column lacks is white) and calls take(x, y, rgb) with its place in the
/// reduced picture: concurrently, for disjoint places. An unreadable block is halved down to parts
/// of about 256 x 256 px; those that stay unreadable are read from the next finer level, and where
/// that fails, too, counted and not taken.
BlockCount read_reduced(const Slide& slide, int level, int factor, int threads,
                        const attn::Hooks& hooks,
                        const std::function<void(int x, int y, const cv::Mat& rgb)>& take);

}  // namespace pathology
