// MultiMatch by theorems, at its edges, and beside a plain search over all paths.
#include "vision/gaze/metric/multimatch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <numeric>

#include "tests/support/refusal.h"
#include "tests/vision/gaze/metric/paths.h"
#include "vision/gaze/metric/alignment.h"
#include "vision/gaze/metric/saccades.h"

namespace gaze {
namespace {

using attn::test::expect_refusal;
using test::kScreen;
using test::Path;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<double> values(const MultiMatch& m) {
  return {m.vector, m.direction, m.length, m.position, m.duration};
}

void expect_near(const MultiMatch& a, const MultiMatch& b) {
  for (size_t k = 0; k < 5; ++k) EXPECT_NEAR(values(a)[k], values(b)[k], 1e-12) << k;
}

void expect_undefined(const MultiMatch& m, const std::string& why) {
  for (const double v : values(m)) EXPECT_TRUE(std::isnan(v));
  EXPECT_THAT(m.undefined, HasSubstr(why));
}

double sum_of(const std::vector<std::pair<size_t, size_t>>& path, const Saccades& a,
              const Saccades& b) {
  double sum = 0;
  for (size_t k = 1; k < path.size(); ++k) {
    const Saccade &s = a.of[path[k].first], &t = b.of[path[k].second];
    sum += std::hypot(s.dx - t.dx, s.dy - t.dy);
  }
  return sum;
}

/// The least sum over the paths from (i, j) on, by trying all.
double least(const Saccades& a, const Saccades& b, size_t i, size_t j) {
  if (i + 1 == a.of.size() && j + 1 == b.of.size()) return 0;
  double best = std::numeric_limits<double>::infinity();
  const auto enter = [&](size_t k, size_t l) {
    if (k >= a.of.size() || l >= b.of.size()) return;
    const double cost = std::hypot(a.of[k].dx - b.of[l].dx, a.of[k].dy - b.of[l].dy);
    best = std::min(best, cost + least(a, b, k, l));
  };
  enter(i + 1, j), enter(i, j + 1), enter(i + 1, j + 1);
  return best;
}

TEST(MultiMatch, OfAPathAndItself) {
  auto random = attn::random::Rng::keyed({1});
  for (const int n : {3, 4, 17, 60}) {
    const Path path = test::random_path(random, n);
    EXPECT_THAT(values(multimatch(path, path, kScreen)), ElementsAre(1, 1, 1, 1, 1));
  }
}

TEST(MultiMatch, OfAPathAndItsReverse) {
  const Path there{{0, 0, 0.1}, {100, 0, 0.2}, {200, 0, 0.4}};
  const double d = 1 - 100 / std::hypot(1280, 720);
  EXPECT_THAT(values(multimatch(there, test::reversed(there), kScreen)),
              ElementsAre(DoubleNear(d, 1e-12), 0, 1, DoubleNear(d, 1e-12), testing::_));
  EXPECT_NEAR(d, 0.931908, 1e-6);
}

TEST(MultiMatch, IsSymmetricWithoutTies) {
  auto random = attn::random::Rng::keyed({2});
  for (int i = 0; i < 200; ++i) {
    const Path a = test::random_path(random, 3 + random.below(40)),
               b = test::random_path(random, 3 + random.below(40));
    expect_near(multimatch(a, b, kScreen), multimatch(b, a, kScreen));
    const MultiMatchGrouping grouping{60, 0.3, 300};
    expect_near(multimatch(a, b, kScreen, grouping), multimatch(b, a, kScreen, grouping));
  }
}

TEST(MultiMatch, MovedAndScaledWithTheScreen) {
  auto random = attn::random::Rng::keyed({3});
  const Path a = test::random_path(random, 20), b = test::random_path(random, 14);
  const auto doubled = [](Path path) {
    for (Fixation& f : path) f.x *= 2, f.y *= 2;
    return path;
  };
  expect_near(multimatch(a, b, kScreen), multimatch(doubled(a), doubled(b), {2560, 1440}));
}

TEST(MultiMatch, PathIsOfLeastSum) {
  auto random = attn::random::Rng::keyed({4});
  for (int i = 0; i < 100; ++i) {
    Path a = test::random_path(random, 2 + random.below(6)),
         b = test::random_path(random, 2 + random.below(6));
    if (i % 2 == 0)  // ties
      for (Path* path : {&a, &b})
        for (Fixation& f : *path) f.x = std::floor(f.x / 400), f.y = 0;
    const Saccades one = saccades(a), two = saccades(b);
    const auto path = align(one.of, two.of);
    EXPECT_NEAR(sum_of(path, one, two), least(one, two, 0, 0), 1e-9);
    EXPECT_EQ(path.front(), std::make_pair(size_t{0}, size_t{0}));
    EXPECT_EQ(path.back(), std::make_pair(a.size() - 2, b.size() - 2));
    for (size_t k = 1; k < path.size(); ++k) {
      const size_t down = path[k].first - path[k - 1].first,
                   right = path[k].second - path[k - 1].second;
      EXPECT_TRUE(down <= 1 && right <= 1 && down + right >= 1);
    }
  }
}

TEST(MultiMatch, TooShortOrNowhere) {
  const Path three{{0, 0, 0.1}, {100, 0, 0.2}, {200, 50, 0.4}};
  expect_undefined(multimatch({}, three, kScreen), "scanpath a has 0 fixations");
  expect_undefined(multimatch(three, Path(three.begin(), three.begin() + 1), kScreen),
                   "scanpath b has 1 fixation,");
  for (const double bad : {kNaN, std::numeric_limits<double>::infinity(), -1e300}) {
    Path lost = three;
    lost[1].y = bad;
    expect_undefined(multimatch(three, lost, kScreen), "scanpath b, fixation 2");
    expect_undefined(multimatch(lost, three, kScreen, MultiMatchGrouping{45, 0.3, 147}),
                     "scanpath a, fixation 2");
  }
}

TEST(MultiMatch, WithoutDurationsTheOtherFourStay) {
  const Path timed{{0, 0, 0.1}, {100, 0, 0.2}, {200, 50, 0.4}};
  for (const double duration : {0.0, -1.0, kNaN}) {
    Path untimed = timed;
    for (Fixation& f : untimed) f.duration = duration;
    const MultiMatch m = multimatch(untimed, untimed, kScreen);
    EXPECT_EQ(m.vector + m.direction + m.length + m.position, 4);
    EXPECT_TRUE(std::isnan(m.duration));
    EXPECT_THAT(m.undefined, HasSubstr("durations"));
  }
}

TEST(MultiMatch, RepeatedFixations) {
  const Path still(5, Fixation{300, 300, 0.2});
  EXPECT_THAT(values(multimatch(still, still, kScreen)), ElementsAre(1, 1, 1, 1, 1));
  EXPECT_THAT(values(multimatch(still, still, kScreen, MultiMatchGrouping{45, 0.3, 147})),
              ElementsAre(1, 1, 1, 1, 1));
}

TEST(MultiMatch, GroupedToOneSaccade) {
  // Short steps in line, all fixations short: the peer's length pass fails here.
  Path steps;
  for (int i = 0; i <= 8; ++i) steps.push_back({100.0 + 10 * i, 100, 0.1});
  const Saccades one = grouped(saccades(steps), {45, 0.3, 147});
  ASSERT_EQ(one.of.size(), 1U);
  EXPECT_DOUBLE_EQ(one.of[0].dx, 80);
  EXPECT_DOUBLE_EQ(one.of[0].x, 100);
  const Path other{{100, 100, 0.1}, {600, 100, 0.5}, {600, 700, 0.5}};
  const MultiMatch m = multimatch(steps, other, kScreen, MultiMatchGrouping{45, 0.3, 147});
  EXPECT_EQ(m.undefined, "");
  for (const double v : values(m)) EXPECT_TRUE(v >= 0 && v <= 1) << v;
}

TEST(MultiMatch, GroupingByDirectionKeepsWhereAPathStartsAndEnds) {
  auto random = attn::random::Rng::keyed({5});
  size_t merged = 0;
  for (int i = 0; i < 100; ++i) {
    const Path path = test::random_path(random, 3 + random.below(20));
    const Saccades out = grouped(saccades(path), {90, 0.3, 0});
    ASSERT_EQ(out.duration.size(), out.of.size() + 1);
    for (size_t k = 0; k + 1 < out.of.size(); ++k)
      EXPECT_NEAR(out.of[k].x + out.of[k].dx, out.of[k + 1].x, 1e-9);
    EXPECT_EQ(out.of.front().x, path.front().x);
    EXPECT_NEAR(out.of.back().x + out.of.back().dx, path.back().x, 1e-9);
    EXPECT_NEAR(out.of.back().y + out.of.back().dy, path.back().y, 1e-9);
    merged += path.size() - 1 - out.of.size();
  }
  EXPECT_GT(merged, 100U);
}

TEST(MultiMatch, GroupingByNothingChangesNothing) {
  auto random = attn::random::Rng::keyed({6});
  const Path a = test::random_path(random, 30), b = test::random_path(random, 31);
  expect_near(multimatch(a, b, kScreen), multimatch(a, b, kScreen, MultiMatchGrouping{0, 0, 0}));
}

TEST(MultiMatch, RefusesSettingsThatMakeNoSense) {
  const Path path{{0, 0, 0.1}, {100, 0, 0.2}, {200, 50, 0.4}};
  expect_refusal([&] { multimatch(path, path, {0, 720}); }, "0 x 720");
  expect_refusal([&] { multimatch(path, path, {1280, kNaN}); }, "expected two finite numbers");
  expect_refusal(
      [&] {
        multimatch(path, path, kScreen, MultiMatchGrouping{-1, 0.3, 100});
      },
      "not below 0");
  expect_refusal(
      [&] {
        multimatch(path, path, kScreen, MultiMatchGrouping{45, kNaN, 100});
      },
      "not below 0");
}

}  // namespace
}  // namespace gaze
