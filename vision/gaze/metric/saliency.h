// Conditional saliency: a map of where the next fixation may fall, scored at the pixel where it
// did.
#pragma once

#include <cstdint>
#include <span>

#include "vision/gaze/metric/scanpath.h"

namespace gaze {

/// Row-major (height, width).
struct SaliencyMap {
  std::span<const double> values;
  int64_t height = 0, width = 0;
};

struct Pixel {
  int64_t row = 0, column = 0;
};
/// The pixel a fixation lies in; row and column -1 where its position is not finite or lies off a
/// map of that size. Positions are in pixels of the map.
Pixel pixel_of(const Fixation& fixation, int64_t height, int64_t width);

// All are NaN for a pixel off the map, for a map of no pixels or with values that are not finite.
// Averaged over fixations they are cNSS, cIG and cAUC. Throw std::logic_error unless a map has
// height x width values.

/// (s - mean) / sd over the map's pixels (sd with N - 1). 0 for a constant map, as published.
double conditional_nss(const SaliencyMap& map, const Pixel& fixated);

/// log2(p + e) - log2(q + e) bits that the map p gains over the prior q, e = 2.2204e-16. Both are
/// probabilities: NaN where one is negative or above 1 at the pixel. std::logic_error where the
/// maps' sizes differ.
double conditional_information_gain(const SaliencyMap& map, const SaliencyMap& prior,
                                    const Pixel& fixated);

/// With f = share of the other pixels that the fixated one does not exceed:
/// judd   1 - f / 2, the area under the trapezoids of Judd's ROC curve, in [1/2, 1] (published
/// cAUC); rank   1 - f with ties counted half, the probability that the fixated pixel is above
/// another; 1/2
///        by chance.
enum class AucRule { judd, rank };
/// NaN also for a map of one pixel.
double conditional_auc(const SaliencyMap& map, const Pixel& fixated, AucRule rule = AucRule::judd);

}  // namespace gaze
