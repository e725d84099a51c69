// How far two scanpaths of n and m fixations lie apart, in pixels.
#pragma once

#include "vision/gaze/metric/scanpath.h"

namespace gaze {

// All are NaN where a scanpath is empty or has a position that is not finite. d_ij = |a_i - b_j|.

/// Dynamic time warping: the least sum of d over the pairs of a path from (1, 1) to (n, m) by steps
/// right, down and diagonal. Symmetric. O(n m) time, O(min(n, m)) memory, as the next.
double dtw(Fixations a, Fixations b);
/// Discrete Frechet distance (Eiter and Mannila 1994): the same with the greatest d of the path for
/// the sum. Symmetric; at least the Hausdorff distance.
double frechet(Fixations a, Fixations b);
/// max(max_i min_j d, max_j min_i d). Symmetric, and blind to order, as the next. O(n m).
double hausdorff(Fixations a, Fixations b);
/// EyeAnalysis (Mathot et al. 2012): (sum_i min_j d + sum_j min_i d) / max(n, m). Symmetric.
double eye_analysis(Fixations a, Fixations b);

/// Time-delay embedding (Wang et al. 2011): of each window of k fixations of `predicted` the least
/// (sum of the k distances) / k to a window of `human`; their mean. Not symmetric. NaN also unless
/// 1 <= k <= min(n, m). O(n m) time and memory.
double time_delay_embedding(Fixations predicted, Fixations human, size_t k);

/// Scaled time-delay embedding: coordinates over the screen's longer side, the mean over k = 1 ...
/// min(n, m) of exp(-TDE_k). In [0, 1], 1 for equal scanpaths; not symmetric. O(n m min(n, m))
/// time. attn::UsageError for a screen that makes no sense.
double scaled_time_delay_embedding(Fixations predicted, Fixations human, const Screen& screen);

}  // namespace gaze
