#include "vision/gaze/metric/multimatch.h"

#include <fmt/format.h>

#include <array>
#include <numbers>
#include <vector>

#include "attn/error.h"
#include "vision/gaze/metric/alignment.h"
#include "vision/gaze/metric/saccades.h"

namespace gaze {
namespace {

using Values = std::vector<double>;

constexpr size_t kFewest = 3;              // fixations
constexpr double kFarthest = 1e100;        // pixels: squares and sums stay finite
constexpr size_t kMostPairs = 1UL << 30U;  // of saccades: 8 GB

/// Why no saccades can be compared; empty: they can.
std::string obstacle(Fixations path, const char* name) {
  if (path.size() < kFewest)
    return fmt::format("scanpath {} has {} fixation{}, MultiMatch needs {}", name, path.size(),
                       path.size() == 1 ? "" : "s", kFewest);
  for (size_t i = 0; i < path.size(); ++i)
    if (!(std::abs(path[i].x) <= kFarthest && std::abs(path[i].y) <= kFarthest))
      return fmt::format("scanpath {}, fixation {}: the position ({}, {}) is on no screen", name,
                         i + 1, path[i].x, path[i].y);
  return {};
}

void check_grouping(const MultiMatchGrouping& g) {
  if (!(g.direction >= 0 && g.duration >= 0 && g.amplitude >= 0))
    throw attn::UsageError(
        fmt::format("MultiMatch's grouping by {} degrees, {} s, {} pixels: expected numbers not "
                    "below 0",
                    g.direction, g.duration, g.amplitude));
}

/// NaN where one of them is.
double median(Values& values) {
  for (const double v : values)
    if (std::isnan(v)) return kNaN;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

/// In [0, pi].
double angle_difference(double a, double b) {
  constexpr double pi = std::numbers::pi;
  const auto turned = [](double angle) { return angle < 0 ? pi + (pi + angle) : angle; };
  const double difference = std::abs(turned(a) - turned(b));
  return difference > pi ? 2 * pi - difference : difference;
}

double duration_difference(double a, double b) {
  const double longer = std::max(a, b);
  const bool good = a >= 0 && b >= 0 && longer > 0 && std::isfinite(longer);
  return good ? std::abs(a - b) / longer : kNaN;
}

}  // namespace

MultiMatch multimatch(Fixations a, Fixations b, const Screen& screen,
                      const std::optional<MultiMatchGrouping>& grouping) {
  check_screen(screen);
  if (grouping) check_grouping(*grouping);
  MultiMatch out;
  out.undefined = obstacle(a, "a");
  if (out.undefined.empty()) out.undefined = obstacle(b, "b");
  if (out.undefined.empty() && a.size() > kMostPairs / b.size())
    out.undefined = fmt::format("scanpaths of {} and {} fixations are too long for MultiMatch",
                                a.size(), b.size());
  if (!out.undefined.empty()) return out;

  Saccades one = saccades(a), two = saccades(b);
  if (grouping) one = grouped(std::move(one), *grouping), two = grouped(std::move(two), *grouping);
  std::array<Values, 5> differences;
  const auto path = align(one.of, two.of);
  for (Values& d : differences) d.reserve(path.size());
  for (const auto& [i, j] : path) {
    const Saccade &s = one.of[i], &t = two.of[j];
    differences[0].push_back(distance({s.dx, s.dy}, {t.dx, t.dy}));
    differences[1].push_back(angle_difference(s.angle, t.angle));
    differences[2].push_back(std::abs(s.length - t.length));
    differences[3].push_back(distance({s.x, s.y}, {t.x, t.y}));
    differences[4].push_back(duration_difference(one.duration[i], two.duration[j]));
  }
  const double diagonal = std::sqrt(screen.width * screen.width + screen.height * screen.height);
  const auto similarity = [&](size_t dimension, double most) {
    return 1 - median(differences[dimension]) / most;
  };
  out.vector = similarity(0, 2 * diagonal);
  out.direction = similarity(1, std::numbers::pi);
  out.length = similarity(2, diagonal);
  out.position = similarity(3, diagonal);
  out.duration = similarity(4, 1);
  if (std::isnan(out.duration))
    out.undefined = "durations that are matched are negative or not finite, or both are 0";
  return out;
}

}  // namespace gaze
