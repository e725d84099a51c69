// Ten thousand odd pairs through every metric: each value in its range, or NaN.
#include <gtest/gtest.h>

#include <limits>

#include "tests/vision/gaze/metric/paths.h"
#include "vision/gaze/metric/behaviour.h"
#include "vision/gaze/metric/geometry.h"
#include "vision/gaze/metric/multimatch.h"
#include "vision/gaze/metric/recurrence.h"
#include "vision/gaze/metric/strings.h"

namespace gaze {
namespace {

using attn::random::Rng;
using test::kScreen;
using test::Path;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// What all pairs of one kind have.
struct Kind {
  bool lost = false;  ///< now and then a NaN or an infinity
  bool off = false;   ///< now and then a point off the screen
};

Fixation random_fixation(Rng& random, const Path& before, bool coarse) {
  if (!before.empty() && random.chance(0.15)) return before.back();
  Fixation f{random.uniform(0, kScreen.width), random.uniform(0, kScreen.height),
             random.uniform(0, 0.6)};
  if (coarse) f.x = std::floor(f.x / 200) * 200, f.y = std::floor(f.y / 200) * 200;
  return f;
}

Path odd_path(Rng& random, const Kind& kind) {
  Path path;
  const int n = random.below(61);
  const bool coarse = random.chance(0.3);
  for (int i = 0; i < n; ++i) {
    Fixation f = random_fixation(random, path, coarse);
    if (kind.lost && random.chance(0.02)) f.x = random.chance(0.5) ? kNaN : -kInfinity;
    if (kind.lost && random.chance(0.02)) f.duration = random.chance(0.5) ? kNaN : -0.1;
    if (kind.off && random.chance(0.05)) f.y = random.uniform(-1e4, 1e4);
    path.push_back(f);
  }
  return path;
}

void expect_in(double value, double low, double high, bool may_be_undefined) {
  if (std::isnan(value)) {
    EXPECT_TRUE(may_be_undefined);
  } else {
    EXPECT_GE(value, low - 1e-9);
    EXPECT_LE(value, high + 1e-9);
  }
}

void check_multimatch(const Path& a, const Path& b, const Kind& kind, Rng& random) {
  const MultiMatchGrouping groups{random.uniform(0, 180), random.uniform(0, 0.6),
                                  random.uniform(0, 600)};
  const bool defined = !kind.lost && a.size() >= 3 && b.size() >= 3;
  const MultiMatch plain = multimatch(a, b, kScreen), grouped = multimatch(a, b, kScreen, groups);
  const double least = kind.off ? -kInfinity : 0;
  for (const double v : {plain.vector, plain.length, plain.position})
    expect_in(v, least, 1, !defined);
  // The last saccades may be merged twice, and a point is farther than the screen is wide then.
  for (const double v : {grouped.vector, grouped.length, grouped.position})
    expect_in(v, kind.off ? least : -1, 1, !defined);
  for (const MultiMatch& m : {plain, grouped}) {
    expect_in(m.direction, 0, 1, !defined);
    expect_in(m.duration, 0, 1, !defined);
    EXPECT_EQ(m.undefined.empty(), !std::isnan(m.duration));
  }
}

void check_strings(const Path& a, const Path& b, const Kind& kind) {
  const bool empty = a.empty() && b.empty();
  const auto one = grid_symbols(a, kScreen, {12, 8}), two = grid_symbols(b, kScreen, {12, 8});
  expect_in(sequence_score(one, two), 0, 1, kind.lost || empty);
  expect_in(levenshtein(one, two), 0, 60, kind.lost);
  expect_in(normalised_levenshtein(one, two), 0, 1, kind.lost || empty);
  expect_in(scanmatch(a, b, kScreen), 0, 1, kind.lost || empty);
  expect_in(scanmatch(a, b, kScreen, {{12, 8}, 3.5, 0.05}), 0, 1, true);
  const auto timed = repeat_by_time(one, a, 0.05, TimeRule::floor);
  expect_in(sequence_score(timed, two), 0, 1, true);
}

void check_geometry(const Path& a, const Path& b, const Kind& kind) {
  const bool may = kind.lost || a.empty() || b.empty();
  const double far = kind.off ? 2e4 : std::hypot(kScreen.width, kScreen.height);
  expect_in(dtw(a, b), 0, 120 * far, may);
  expect_in(frechet(a, b), 0, far, may);
  expect_in(hausdorff(a, b), 0, far, may);
  expect_in(eye_analysis(a, b), 0, 2 * far, may);
  expect_in(time_delay_embedding(a, b, 3), 0, far, may || a.size() < 3 || b.size() < 3);
  expect_in(scaled_time_delay_embedding(a, b, kScreen), 0, 1, may);
}

void check_recurrence(const Path& a, const Path& b, const Kind& kind) {
  const Recurrence one = recurrence(a), two = cross_recurrence(a, b);
  const bool few = kind.lost || a.size() < 2, few_two = few || b.size() < 2;
  for (const double v : {one.recurrence, one.determinism, one.laminarity, one.corm})
    expect_in(v, 0, 100, few);
  for (const double v : {two.recurrence, two.determinism, two.laminarity})
    expect_in(v, 0, 100, few_two);
  expect_in(two.corm, -100, 100, few_two);
}

void check_behaviour(const Path& a, const Kind& kind) {
  const auto objects = grid_symbols(a, kScreen, {4, 3});
  const Behaviour b = behaviour(objects, 5);
  for (const double v : {b.ends_on_target, b.search, b.refixation, b.revisit})
    expect_in(v, 0, 1, kind.lost || a.empty());
  const Box target{400, 300, 600, 450};
  expect_in(scanpath_ratio(a, first_in(a, target), target), 0, 1, true);
}

TEST(Random, TenThousandPairs) {
  auto random = Rng::keyed({51});
  for (int i = 0; i < 10'000 && !testing::Test::HasFailure(); ++i) {
    const Kind kind{i % 3 == 1, i % 3 == 2};
    const Path a = odd_path(random, kind), b = random.chance(0.1) ? a : odd_path(random, kind);
    SCOPED_TRACE("pair " + std::to_string(i));
    check_multimatch(a, b, kind, random);
    check_strings(a, b, kind);
    check_geometry(a, b, kind);
    check_recurrence(a, b, kind);
    check_behaviour(a, kind);
  }
}

}  // namespace
}  // namespace gaze
