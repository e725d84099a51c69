#include "timeseries/score/interval_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "libattn/random/rng.h"

namespace timeseries {
namespace {

using Values = std::vector<double>;

TEST(Pinball, AsByHand) {
  EXPECT_DOUBLE_EQ(pinball_loss(3, 1, 0.9), 1.8);
  EXPECT_DOUBLE_EQ(pinball_loss(1, 3, 0.9), 0.2);
  EXPECT_DOUBLE_EQ(pinball_loss(1, 3, 0.5), 1);
  EXPECT_EQ(pinball_loss(2, 2, 0.3), 0);
}

// Koenker and Bassett: over a sample, the q-quantile has the least pinball loss.
TEST(Pinball, IsLeastAtTheQuantile) {
  auto random = attn::random::Rng::keyed({2});
  Values y(101);
  for (double& v : y) v = random.normal();
  Values sorted = y;
  std::sort(sorted.begin(), sorted.end());
  for (const double q : {0.1, 0.25, 0.5, 0.9}) {
    const auto loss = [&](double f) {
      double sum = 0;
      for (const double v : y) sum += pinball_loss(v, f, q);
      return sum;
    };
    const auto best = std::min_element(sorted.begin(), sorted.end(),
                                       [&](double a, double b) { return loss(a) < loss(b); });
    // The smallest y that at least the share q of the 101 does not exceed.
    EXPECT_EQ(best - sorted.begin(), static_cast<int64_t>(std::ceil(101 * q)) - 1) << q;
  }
}

TEST(HorizonQuantiles, SumsEachStepAndQuantile) {
  HorizonQuantiles sums({0.1, 0.9}, 2);
  sums.add(Values{5, 7}, Values{4, 8, 6, kMissing});
  sums.add(Values{kMissing, 3}, Values{0, 3, 0, 1});
  EXPECT_DOUBLE_EQ(sums.at(0, 0).mean_loss(), 0.1);
  EXPECT_EQ(sums.at(0, 0).missing, 1);
  EXPECT_DOUBLE_EQ(sums.at(0, 1).mean_loss(), (0.9 + 0) / 2);
  EXPECT_DOUBLE_EQ(sums.at(0, 1).share_below(), 1);
  EXPECT_EQ(sums.at(1, 1).unforecast, 1);
  EXPECT_NEAR(sums.at(1, 1).mean_loss(), 0.9 * 2, 1e-15);
  EXPECT_NEAR(sums.overall(0).mean_loss(), (0.1 + 0.9 + 0) / 3, 1e-15);
  HorizonQuantiles twice = sums;
  twice.add(sums);
  EXPECT_DOUBLE_EQ(twice.overall(0).mean_loss(), sums.overall(0).mean_loss());
  EXPECT_EQ(twice.overall(0).count, 6);
}

TEST(HorizonIntervals, CoverageWidthAndScoreAsByHand) {
  HorizonIntervals sums({0.8, 0.95}, 1);
  const auto add = [&](double y, double scale = kMissing) {
    sums.add(Values{y}, Values{1, 0}, Values{3, 5}, scale);
  };
  add(1);         // on the bound: inside
  add(3.5, 2.0);  // above the narrow one by 0.5
  add(-1);        // below both, by 2 and 1
  add(kMissing);
  const IntervalSums& narrow = sums.at(0, 0);
  EXPECT_EQ(narrow.count, 3);
  EXPECT_EQ(narrow.missing, 1);
  EXPECT_DOUBLE_EQ(narrow.coverage(), 1.0 / 3);
  EXPECT_EQ(narrow.below, 1);
  EXPECT_EQ(narrow.above, 1);
  EXPECT_DOUBLE_EQ(narrow.mean_width(), 2);
  EXPECT_NEAR(narrow.mean_score(), 2 + (2 / 0.2 * 0.5 + 2 / 0.2 * 2) / 3, 1e-12);
  EXPECT_DOUBLE_EQ(narrow.mean_scaled_width(), 1);
  EXPECT_NEAR(narrow.mean_scaled_score(), (2 + 2 / 0.2 * 0.5) / 2, 1e-12);
  EXPECT_DOUBLE_EQ(sums.at(1, 0).coverage(), 2.0 / 3);
  EXPECT_NEAR(sums.at(1, 0).mean_score(), 5 + 2 / 0.05 * 1 / 3, 1e-12);
  sums.add(Values{2}, Values{kMissing, 0}, Values{3, 5});
  EXPECT_EQ(sums.at(0, 0).unforecast, 1);
  EXPECT_EQ(sums.at(1, 0).count, 4);
  EXPECT_TRUE(std::isnan(IntervalSums().coverage()));
}

TEST(HorizonIntervals, PartsAddUp) {
  auto random = attn::random::Rng::keyed({3});
  HorizonIntervals whole({0.5, 0.9}, 3), a = whole, b = whole;
  for (int w = 0; w < 200; ++w) {
    Values y(3), low(6), high(6);
    for (double& v : y) v = random.normal();
    for (size_t i = 0; i < 6; ++i)
      low[i] = random.normal() - 1, high[i] = low[i] + random.uniform(0, 4);
    const double scale = random.uniform(0.5, 2);
    whole.add(y, low, high, scale);
    (w % 3 == 0 ? a : b).add(y, low, high, scale);
  }
  a.add(b);
  for (size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(a.overall(k).covered, whole.overall(k).covered);
    EXPECT_EQ(a.overall(k).count, 600);
    EXPECT_NEAR(a.overall(k).mean_scaled_score(), whole.overall(k).mean_scaled_score(), 1e-12);
    EXPECT_NEAR(a.overall(k).mean_width(), whole.overall(k).mean_width(), 1e-12);
  }
}

TEST(HorizonIntervals, ShapesAndLevelsAreChecked) {
  EXPECT_THROW(HorizonIntervals({0.0}, 1), std::logic_error);
  EXPECT_THROW(HorizonQuantiles({1.0}, 1), std::logic_error);
  HorizonIntervals sums({0.5}, 2);
  EXPECT_THROW(sums.add(Values{1, 2}, Values{1}, Values{1, 2}), std::logic_error);
  EXPECT_THROW(sums.add(HorizonIntervals({0.6}, 2)), std::logic_error);
  HorizonQuantiles quantiles({0.5}, 2);
  EXPECT_THROW(quantiles.add(Values{1}, Values{1, 2}), std::logic_error);
  EXPECT_THROW(quantiles.add(HorizonQuantiles({0.5}, 3)), std::logic_error);
}

}  // namespace
}  // namespace timeseries
