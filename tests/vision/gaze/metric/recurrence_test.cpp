// Recurrence beside counts on the whole matrix, by hand and by theorems.
#include "vision/gaze/metric/recurrence.h"

#include <gtest/gtest.h>

#include <functional>

#include "attn/error.h"
#include "tests/vision/gaze/metric/paths.h"

namespace gaze {
namespace {

using test::Path;
using Recurs = std::function<bool(int, int)>;  // false outside the matrix

/// Points (i, j) that lie, along (di, dj), on a line of `least` or more.
double on_lines(int n, int di, int dj, int least, const Recurs& recurs) {
  double points = 0;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      if (!recurs(i, j)) continue;
      int line = 1;
      for (int k = 1; recurs(i + k * di, j + k * dj); ++k) ++line;
      for (int k = 1; recurs(i - k * di, j - k * dj); ++k) ++line;
      points += line >= least ? 1 : 0;
    }
  return points;
}

Recurrence plain(int n, double pairs, int least, const Recurs& recurs) {
  double points = 0, lag = 0;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      if (recurs(i, j)) ++points, lag += j - i;
  if (points == 0) return {0, 0, 0, 0};
  return {100 * points / pairs, 100 * on_lines(n, 1, 1, least, recurs) / points,
          100 * (on_lines(n, 1, 0, least, recurs) + on_lines(n, 0, 1, least, recurs)) / 2 / points,
          100 * lag / ((n - 1) * points)};
}

void expect_near(const Recurrence& a, const Recurrence& b) {
  EXPECT_NEAR(a.recurrence, b.recurrence, 1e-9);
  EXPECT_NEAR(a.determinism, b.determinism, 1e-9);
  EXPECT_NEAR(a.laminarity, b.laminarity, 1e-9);
  EXPECT_NEAR(a.corm, b.corm, 1e-9);
}

bool undefined(const Recurrence& r) {
  return std::isnan(r.recurrence) && std::isnan(r.determinism) && std::isnan(r.laminarity) &&
         std::isnan(r.corm);
}

TEST(Recurrence, BesideCountsOnTheMatrix) {
  auto random = attn::random::Rng::keyed({31});
  for (int t = 0; t < 200; ++t) {
    const int n = 2 + random.below(20);
    const Path a = test::random_path(random, n), b = test::random_path(random, n);
    const RecurrenceOptions options{random.uniform(50, 600),
                                    static_cast<size_t>(1 + random.below(4))};
    const auto inside = [&](int i, int j) { return i >= 0 && j >= 0 && i < n && j < n; };
    const auto near = [&](const Path& p, const Path& q, int i, int j) {
      return distance(p[static_cast<size_t>(i)], q[static_cast<size_t>(j)]) <= options.radius;
    };
    const int least = static_cast<int>(options.line);
    expect_near(recurrence(a, options), plain(n, n * (n - 1) / 2.0, least, [&](int i, int j) {
                  return inside(i, j) && i < j && near(a, a, i, j);
                }));
    expect_near(cross_recurrence(a, b, options), plain(n, n * n, least, [&](int i, int j) {
                  return inside(i, j) && near(a, b, i, j);
                }));
  }
}

TEST(Recurrence, CormTurnsWithTheOrder) {
  auto random = attn::random::Rng::keyed({32});
  for (int t = 0; t < 50; ++t) {
    const Path a = test::random_path(random, 20), b = test::random_path(random, 20);
    const Recurrence ab = cross_recurrence(a, b, {300, 2}), ba = cross_recurrence(b, a, {300, 2});
    expect_near({ab.recurrence, ab.determinism, ab.laminarity, -ab.corm}, ba);
  }
  // b comes one step later to where a was.
  const Path a{{0, 0}, {200, 0}, {400, 0}}, b{{900, 0}, {0, 0}, {200, 0}};
  EXPECT_DOUBLE_EQ(cross_recurrence(a, b).corm, 50);
}

TEST(Recurrence, AtItsEdges) {
  const Path none, one{{5, 5}}, still(6, Fixation{5, 5}), apart{{0, 0}, {500, 0}, {0, 500}};
  EXPECT_TRUE(undefined(recurrence(none)));
  EXPECT_TRUE(undefined(recurrence(one)));
  EXPECT_TRUE(undefined(recurrence(Path{{0, 0}, {kNaN, 0}})));
  EXPECT_TRUE(undefined(cross_recurrence(none, one)));
  EXPECT_TRUE(undefined(cross_recurrence(Path{{kNaN, 0}}, one)));
  // What is cut off does not count.
  EXPECT_FALSE(undefined(cross_recurrence(Path{{0, 0}, {9, 9}, {kNaN, 0}}, Path{{0, 0}, {9, 9}})));
  EXPECT_EQ(cross_recurrence(one, still).recurrence, 100);
  EXPECT_TRUE(std::isnan(cross_recurrence(one, still).corm));
  expect_near(recurrence(apart), {0, 0, 0, 0});
  EXPECT_EQ(recurrence(still).recurrence, 100);
  EXPECT_EQ(cross_recurrence(still, still).laminarity, 100);
  EXPECT_EQ(cross_recurrence(still, still).corm, 0);
  EXPECT_THROW(recurrence(still, {-1, 2}), attn::UsageError);
  EXPECT_THROW(recurrence(still, {64, 0}), attn::UsageError);
}

}  // namespace
}  // namespace gaze
