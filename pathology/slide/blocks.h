// A whole level, read in bounded blocks and reduced by a whole factor on the way.
#pragma once

#include <cstdint>
#include <functional>
#include <opencv2/core/mat.hpp>
#include <opencv2/core/types.hpp>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/slide/slide.h"

namespace pathology {

/// Outcome of `read_reduced`.
struct BlockCount {
  int64_t pixels = 0;                ///< of the reduced picture
  std::vector<cv::Rect> unreadable;  ///< parts of it that no level gives, in no fixed order
  int64_t unreadable_pixels = 0;     ///< in these parts
  std::string first_error;           ///< of the first such part: the same for any number of threads
  double unreadable_share() const {
    return pixels == 0 ? 0 : static_cast<double>(unreadable_pixels) / static_cast<double>(pixels);
  }
};

/// Size of a level reduced by `factor`: ceil(width / factor) x ceil(height / factor).
cv::Size reduced_size(const Slide& slide, int level, int factor);

/// Reads `level` in blocks of about 2048 x 2048 px, reduces each by `factor` (area mean; what the
/// last pixel of a row or column lacks is white) and calls take(x, y, rgb) with its place in the
/// reduced picture: concurrently, for disjoint places. An unreadable block of level 0 as it is is
/// cut down to the slide's stored tiles, any other to parts of about 64 x 64 px of the level (8 x 8
/// of a much reduced picture); those that stay unreadable are read from the next finer level, and
/// where that fails, too, listed and not taken. Once more than the share `most_unreadable` of the
/// picture is listed, what remains is not read.
BlockCount read_reduced(const Slide& slide, int level, int factor, int threads,
                        const attn::Hooks& hooks,
                        const std::function<void(int x, int y, const cv::Mat& rgb)>& take,
                        double most_unreadable = 1);

}  // namespace pathology
