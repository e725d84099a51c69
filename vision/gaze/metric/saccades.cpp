#include "vision/gaze/metric/saccades.h"

#include <numbers>
#include <utility>

namespace gaze {
namespace {

Saccade saccade(double x, double y, double dx, double dy) {
  return {x, y, dx, dy, std::sqrt(dx * dx + dy * dy), std::atan2(dy, dx)};
}

Saccade merged(const Saccade& a, const Saccade& b) {
  return saccade(a.x, a.y, a.dx + b.dx, a.dy + b.dy);
}

/// Degrees; NaN where one has no direction.
double angle_between(const Saccade& a, const Saccade& b) {
  const double cosine = (a.dx * b.dx + a.dy * b.dy) / (a.length * b.length);
  return std::acos(std::clamp(cosine, -1.0, 1.0)) * 180 / std::numbers::pi;
}

/// Gives out `path` from left to right, each saccade i for which merges(i) holds, but the last, as
/// one with the next; durations stay with the starts. True where the last saccade is left to the
/// caller, as the last duration always is.
template <class Merges>
bool merge_pairs(const Saccades& path, Saccades& out, Merges merges) {
  const size_t n = path.of.size();
  size_t i = 0;
  while (i + 1 < n) {
    const bool merge = merges(i);
    out.of.push_back(merge ? merged(path.of[i], path.of[i + 1]) : path.of[i]);
    out.duration.push_back(path.duration[i]);
    i += merge ? 2 : 1;
  }
  return i < n;
}

void keep_last(const Saccades& path, Saccades& out) {
  out.of.push_back(path.of.back());
  out.duration.push_back(path.duration[path.of.size() - 1]);
}

Saccades direction_pass(const Saccades& path, const MultiMatchGrouping& grouping) {
  const auto merges = [&](size_t i) {
    return angle_between(path.of[i], path.of[i + 1]) < grouping.direction &&
           path.duration[i + 1] < grouping.duration;
  };
  Saccades out;
  if (merge_pairs(path, out, merges)) keep_last(path, out);
  out.duration.push_back(path.duration.back());
  return out;
}

/// The last saccade is merged backwards: the saccade given out last takes the sum of the last two
/// that came in, as the reference has it, whatever it was made of; and a duration is given out too
/// many.
void merge_last(const Saccades& path, Saccades& out) {
  const size_t n = path.of.size();
  const Saccade sum = merged(path.of[n - 2], path.of[n - 1]);
  Saccade& last = out.of.back();
  last = {last.x, last.y, sum.dx, sum.dy, sum.length, sum.angle};
  out.duration.push_back(path.duration[n - 2]);
}

Saccades length_pass(const Saccades& path, const MultiMatchGrouping& grouping) {
  const auto short_fixation = [&](size_t i) {
    return path.duration[i] < grouping.duration || path.duration[i + 1] < grouping.duration;
  };
  const auto merges = [&](size_t i) {
    return path.of[i].length < grouping.amplitude && short_fixation(i);
  };
  Saccades out;
  if (merge_pairs(path, out, merges)) {
    const bool backwards = path.of.back().length < grouping.amplitude &&
                           short_fixation(path.duration.size() - 2) && !out.of.empty();
    backwards ? merge_last(path, out) : keep_last(path, out);
  }
  out.duration.push_back(path.duration.back());
  return out;
}

}  // namespace

Saccades saccades(Fixations path) {
  Saccades out;
  out.of.reserve(path.size() - 1);
  out.duration.reserve(path.size());
  for (size_t i = 0; i + 1 < path.size(); ++i)
    out.of.push_back(
        saccade(path[i].x, path[i].y, path[i + 1].x - path[i].x, path[i + 1].y - path[i].y));
  for (const Fixation& f : path) out.duration.push_back(f.duration);
  return out;
}

Saccades grouped(Saccades path, const MultiMatchGrouping& grouping) {
  size_t before = 0;
  do {
    before = path.duration.size();
    path = length_pass(direction_pass(path, grouping), grouping);
  } while (path.duration.size() != before);
  return path;
}

}  // namespace gaze
