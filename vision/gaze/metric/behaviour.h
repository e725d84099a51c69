// How a search for a target went: over objects, and by when the target was found.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vision/gaze/metric/strings.h"
#include "vision/gaze/scanpath/box.h"

namespace gaze {

/// The behaviour of one scanpath over objects (metric of the OAT code), or its mean over many. The
/// three shares sum to 1.
struct Behaviour {
  double ends_on_target = kNaN;  ///< 1 where the last fixation is on the target, else 0
  double length = kNaN;          ///< fixations
  double search = kNaN;          ///< share of fixations that reach an object for the first time
  double refixation = kNaN;      ///< ... that stay on the object fixated before
  double revisit = kNaN;         ///< ... that come back to an object left before
};

/// `objects`: the object of each fixation. Five NaN of an empty scanpath and where one is below 0.
Behaviour behaviour(Symbols objects, int64_t target);

/// Means over the scanpaths that are defined; five NaN where none is.
Behaviour mean_behaviour(std::span<const Behaviour> of);

/// mean_k |model_k - human_k| / human_k over the five means; lower is better. NaN where one of them
/// is, and where a human mean is 0.
double behaviour_delta(const Behaviour& model, const Behaviour& human);

/// SIM of a predicted distribution over objects and the next object: sum_o min(p_o, [o = next]) =
/// p_next. NaN where `next` is no object, or `probability` is none (negative, or its sum farther
/// than 1e-3 from 1).
double object_similarity(std::span<const double> probability, int64_t next);

/// The index of the first fixation on the target; none: never.
std::optional<size_t> first_on(Symbols objects, int64_t target);

/// The index of the first fixation in the box; its edges belong to the box.
std::optional<size_t> first_in(Fixations path, const Box& target);

/// Scanpath ratio: min(1, straight way from the first fixation to the target's centre / way of the
/// gaze up to `found`, its first fixation on the target). NaN where the target was never found or
/// was fixated first (such scanpaths are left out of means), where the gaze did not move, and where
/// a position up to there is not finite. std::logic_error for a `found` beyond the path.
double scanpath_ratio(Fixations path, std::optional<size_t> found, const Box& target);

/// Target-fixation probability: the share of searches in which the target was fixated at step s or
/// before, s = 0 ... steps; step 0 is the first fixation. NaN of no searches. Rises, in [0, 1].
std::vector<double> found_by_step(std::span<const std::optional<size_t>> found, size_t steps = 6);
/// The sum of a curve's values.
double curve_auc(std::span<const double> curve);
/// sum_s |model_s - human_s|. NaN where lengths differ.
double curve_mismatch(std::span<const double> model, std::span<const double> human);

}  // namespace gaze
