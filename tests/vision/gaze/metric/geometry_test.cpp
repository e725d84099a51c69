// Distances of scanpaths beside plain recursions and loops, and by theorems.
#include "vision/gaze/metric/geometry.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <numeric>

#include "attn/error.h"
#include "tests/vision/gaze/metric/paths.h"

namespace gaze {
namespace {

using test::kScreen;
using test::Path;

/// From the definition: each pair once, kept.
double plain_warp(const Path& a, const Path& b, const std::function<double(double, double)>& join) {
  std::map<std::pair<size_t, size_t>, double> memory;
  const std::function<double(size_t, size_t)> at = [&](size_t i, size_t j) {
    const auto key = std::make_pair(i, j);
    if (const auto known = memory.find(key); known != memory.end()) return known->second;
    const double d = std::hypot(a[i].x - b[j].x, a[i].y - b[j].y);
    double before = i == 0 && j == 0 ? 0 : std::numeric_limits<double>::infinity();
    if (i > 0) before = std::min(before, at(i - 1, j));
    if (j > 0) before = std::min(before, at(i, j - 1));
    if (i > 0 && j > 0) before = std::min(before, at(i - 1, j - 1));
    return memory[key] = join(d, before);
  };
  return at(a.size() - 1, b.size() - 1);
}

double plain_tde(const Path& predicted, const Path& human, size_t k) {
  double total = 0, windows = 0;
  for (size_t i = 0; i + k <= predicted.size(); ++i, ++windows) {
    double least = std::numeric_limits<double>::infinity();
    for (size_t j = 0; j + k <= human.size(); ++j) {
      double sum = 0;
      for (size_t l = 0; l < k; ++l) sum += distance(predicted[i + l], human[j + l]);
      least = std::min(least, sum / static_cast<double>(k));
    }
    total += least;
  }
  return total / windows;
}

TEST(Geometry, BesidePlainDefinitions) {
  auto random = attn::random::Rng::keyed({21});
  for (int i = 0; i < 200; ++i) {
    const Path a = test::random_path(random, 1 + random.below(15)),
               b = test::random_path(random, 1 + random.below(15));
    EXPECT_NEAR(dtw(a, b), plain_warp(a, b, std::plus<>()), 1e-8);
    EXPECT_NEAR(frechet(a, b), plain_warp(a, b, [](double d, double w) { return std::max(d, w); }),
                1e-9);
    const size_t most = std::min(a.size(), b.size());
    double scaled = 0;
    for (size_t k = 1; k <= most; ++k) {
      const double tde = plain_tde(a, b, k);
      EXPECT_NEAR(time_delay_embedding(a, b, k), tde, 1e-9);
      scaled += std::exp(-tde / kScreen.width) / static_cast<double>(most);
    }
    EXPECT_NEAR(scaled_time_delay_embedding(a, b, kScreen), scaled, 1e-12);
  }
}

TEST(Geometry, OrdersAndSymmetries) {
  auto random = attn::random::Rng::keyed({22});
  for (int i = 0; i < 200; ++i) {
    const Path a = test::random_path(random, 1 + random.below(30)),
               b = test::random_path(random, 1 + random.below(30));
    for (const auto metric : {dtw, frechet, hausdorff, eye_analysis}) {
      EXPECT_NEAR(metric(a, b), metric(b, a), 1e-9);
      EXPECT_NEAR(metric(test::reversed(a), test::reversed(b)), metric(a, b), 1e-8);
      EXPECT_EQ(metric(a, a), 0);
    }
    EXPECT_LE(hausdorff(a, b), frechet(a, b));
    EXPECT_LE(frechet(a, b), dtw(a, b) + 1e-9);
    EXPECT_NEAR(hausdorff(test::reversed(a), b), hausdorff(a, b), 0);
    EXPECT_NEAR(eye_analysis(test::reversed(a), b), eye_analysis(a, b), 1e-9);
    EXPECT_EQ(time_delay_embedding(a, a, 1), 0);
    EXPECT_EQ(scaled_time_delay_embedding(a, a, kScreen), 1);
  }
}

TEST(Geometry, HausdorffAndEyeAnalysisByHand) {
  const Path a{{0, 0}, {10, 0}}, b{{0, 3}, {10, 4}, {10, 30}};
  EXPECT_DOUBLE_EQ(hausdorff(a, b), 30);
  EXPECT_DOUBLE_EQ(eye_analysis(a, b), (3 + 4 + 3 + 4 + 30) / 3.0);
}

TEST(Geometry, Undefined) {
  const Path none, one{{1, 2}}, lost{{1, 2}, {kNaN, 3}}, far{{1e200, 0}, {-1e200, 0}};
  for (const auto metric : {dtw, frechet, hausdorff, eye_analysis}) {
    EXPECT_TRUE(std::isnan(metric(none, none)));
    EXPECT_TRUE(std::isnan(metric(none, one)));
    EXPECT_TRUE(std::isnan(metric(one, lost)));
    EXPECT_TRUE(std::isnan(metric(lost, one)));
    EXPECT_TRUE(std::isnan(metric(one, far)));
    EXPECT_EQ(metric(one, one), 0);
  }
  EXPECT_TRUE(std::isnan(time_delay_embedding(one, one, 2)));
  EXPECT_TRUE(std::isnan(time_delay_embedding(one, one, 0)));
  EXPECT_TRUE(std::isnan(time_delay_embedding(lost, one, 1)));
  EXPECT_TRUE(std::isnan(scaled_time_delay_embedding(none, one, kScreen)));
  EXPECT_THROW(scaled_time_delay_embedding(one, one, {0, 0}), attn::UsageError);
}

}  // namespace
}  // namespace gaze
