#include "timeseries/score/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "libattn/random/rng.h"

namespace timeseries {
namespace {

using Values = std::vector<double>;
constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(SeasonalScale, IsTheMeanAbsoluteSeasonalDifference) {
  const Values x{1, 4, 2, 8, 3, 9};
  EXPECT_DOUBLE_EQ(seasonal_scale(x, 1), (3 + 2 + 6 + 5 + 6) / 5.0);
  EXPECT_DOUBLE_EQ(seasonal_scale(x, 2), (1 + 4 + 1 + 1) / 4.0);
  EXPECT_DOUBLE_EQ(seasonal_scale(x, 5), 8);
  // |8-4|, |3-2|, |9-8| are left of the pairs two apart.
  EXPECT_DOUBLE_EQ(seasonal_scale(Values{kMissing, 4, 2, 8, 3, 9}, 2), (4 + 1 + 1) / 3.0);
  EXPECT_DOUBLE_EQ(seasonal_scale(Values{1, 4, 2, kMissing, 3, 9}, 1), (3 + 2 + 6) / 3.0);
}

TEST(SeasonalScale, IsUndefinedWhereNothingDiffers) {
  for (const Values& x : {Values{}, Values{7}, Values{7, 7, 7, 7}, Values{1, 2, 1, 2, 1},
                          Values{kMissing, kMissing, 3}, Values{1, kMissing, 3, kMissing, 5}})
    EXPECT_TRUE(std::isnan(seasonal_scale(x, x.size() == 5 && x[1] == 2 ? 2 : 1)));
  EXPECT_TRUE(std::isnan(seasonal_scale(Values{1, 2, 3}, 3)));
  EXPECT_TRUE(std::isnan(seasonal_scale(Values{1, 2, 3}, int64_t{1} << 40)));
  EXPECT_THROW(seasonal_scale(Values{1, 2, 3}, 0), std::logic_error);
}

// Errors 1, 0, 1 of targets 1, 2, 0; a fourth target is missing.
TEST(Metrics, AsByHand) {
  HorizonErrors errors(4);
  errors.add(Values{1, 2, 0, kMissing}, Values{2, 2, 1, 5}, 0.5);
  const ErrorSums all = errors.overall();
  EXPECT_EQ(all.count, 3);
  EXPECT_EQ(all.missing, 1);
  EXPECT_EQ(all.unforecast, 0);
  EXPECT_DOUBLE_EQ(all.value(Metric::mse), 2.0 / 3);
  EXPECT_DOUBLE_EQ(all.value(Metric::mae), 2.0 / 3);
  EXPECT_DOUBLE_EQ(all.value(Metric::rmse), std::sqrt(2.0 / 3));
  EXPECT_DOUBLE_EQ(all.value(Metric::smape), (200.0 / 3 + 0 + 200) / 3);
  EXPECT_DOUBLE_EQ(all.value(Metric::mase), 4.0 / 3);
  EXPECT_DOUBLE_EQ(all.value(Metric::mape), 50);  // of targets 1 and 2
  EXPECT_DOUBLE_EQ(all.value(Metric::wape), 100 * 2.0 / 3);
  EXPECT_DOUBLE_EQ(errors.steps[0].value(Metric::mse), 1);
  EXPECT_DOUBLE_EQ(errors.steps[0].value(Metric::smape), 200.0 / 3);
  EXPECT_DOUBLE_EQ(errors.steps[1].value(Metric::smape), 0);
  EXPECT_TRUE(std::isnan(errors.steps[2].value(Metric::mape)));
  EXPECT_TRUE(std::isnan(errors.steps[3].value(Metric::mse)));
}

TEST(Metrics, ZeroByZeroIsNoErrorAndSignsCount) {
  ErrorSums sums;
  sums.add(0, 0);
  EXPECT_EQ(sums.value(Metric::smape), 0);
  EXPECT_TRUE(std::isnan(sums.value(Metric::wape)));
  sums.add(-2, 2);
  EXPECT_DOUBLE_EQ(sums.value(Metric::smape), 100);  // 0 and 200
  EXPECT_DOUBLE_EQ(sums.value(Metric::mape), 200);
  sums.add(3, kInf);
  EXPECT_EQ(sums.value(Metric::mae), kInf);
  EXPECT_DOUBLE_EQ(sums.value(Metric::smape), (0 + 200 + 200) / 3.0);
}

TEST(Metrics, WhatIsLeftOutIsCounted) {
  HorizonErrors errors(2);
  errors.add(Values{1, 2}, Values{kMissing, 3}, 2.0);
  errors.add(Values{1, 2}, Values{1, 4});       // no scale
  errors.add(Values{1, 2}, Values{1, 4}, 0.0);  // constant look-back
  errors.add(Values{kMissing, 2}, Values{kMissing, 4}, kInf);
  const ErrorSums all = errors.overall();
  EXPECT_EQ(errors.windows, 4);
  EXPECT_EQ(all.count, 6);
  EXPECT_EQ(all.missing, 1);
  EXPECT_EQ(all.unforecast, 1);
  EXPECT_EQ(all.scaled, 1);
  EXPECT_EQ(all.unscaled(), 5);
  EXPECT_DOUBLE_EQ(all.value(Metric::mase), 0.5);
  EXPECT_DOUBLE_EQ(all.value(Metric::mae), 7.0 / 6);
  for (const Metric metric : kMetrics) EXPECT_TRUE(std::isnan(ErrorSums().value(metric)));
}

struct Pair {
  double y, f, s;
};

/// The equation of each metric over a list, in long double.
double plain(Metric metric, const std::vector<Pair>& pairs) {
  long double sum = 0, below = 0;
  int64_t n = 0;
  for (const auto& [y, f, s] : pairs) {
    if (std::isnan(y) || std::isnan(f)) continue;
    if (metric == Metric::mase && std::isnan(s)) continue;
    if (metric == Metric::mape && y == 0) continue;
    const long double e = std::abs(static_cast<long double>(y) - f);
    const long double size = std::abs(static_cast<long double>(y));
    ++n;
    below += size;
    if (metric == Metric::mse || metric == Metric::rmse) sum += e * e;
    if (metric == Metric::mae || metric == Metric::wape) sum += e;
    if (metric == Metric::smape && e > 0)
      sum += 200 * e / (size + std::abs(static_cast<long double>(f)));
    if (metric == Metric::mase) sum += e / s;
    if (metric == Metric::mape) sum += 100 * e / size;
  }
  if (metric == Metric::wape) return static_cast<double>(100 * sum / below);
  const long double mean = sum / n;
  return static_cast<double>(metric == Metric::rmse ? std::sqrt(mean) : mean);
}

TEST(Metrics, AsThePlainEquationsInAnyPartition) {
  auto random = attn::random::Rng::keyed({1});
  constexpr int64_t kSteps = 7, kWindows = 400;
  HorizonErrors whole(kSteps),
      parts[3] = {HorizonErrors(kSteps), HorizonErrors(kSteps), HorizonErrors(kSteps)};
  std::vector<std::vector<Pair>> pairs(kSteps);
  for (int64_t w = 0; w < kWindows; ++w) {
    Values y(kSteps), f(kSteps);
    const double s = random.chance(0.2) ? kMissing : random.log_normal(3, 2);
    for (size_t t = 0; t < kSteps; ++t) {
      y[t] = random.chance(0.1) ? kMissing : random.chance(0.1) ? 0 : random.normal(5, 100);
      f[t] = random.chance(0.05) ? kMissing : random.chance(0.1) ? y[t] : random.normal(5, 100);
      pairs[t].push_back({y[t], f[t], s});
    }
    whole.add(y, f, s);
    parts[random.below(3)].add(y, f, s);
  }
  parts[0].add(parts[1]);
  parts[0].add(parts[2]);
  EXPECT_EQ(parts[0].windows, kWindows);
  std::vector<Pair> all;
  for (size_t t = 0; t < kSteps; ++t) all.insert(all.end(), pairs[t].begin(), pairs[t].end());
  for (const Metric metric : kMetrics) {
    const double expected = plain(metric, all);
    EXPECT_NEAR(whole.overall().value(metric), expected, 1e-12 * expected) << name_of(metric);
    EXPECT_NEAR(parts[0].overall().value(metric), expected, 1e-12 * expected) << name_of(metric);
    for (size_t t = 0; t < kSteps; ++t) {
      const double step = plain(metric, pairs[t]);
      EXPECT_NEAR(whole.steps[t].value(metric), step, 1e-12 * step) << name_of(metric);
    }
  }
}

TEST(Metrics, FloatsAreSummedInDouble) {
  HorizonErrors errors(1);
  // Beside 1e8 a float does not see a 1.
  for (int i = 0; i < 1000; ++i)
    errors.add(std::vector<float>{i == 0 ? 1e4F : 1.0F}, std::vector<float>{0});
  EXPECT_DOUBLE_EQ(errors.overall().value(Metric::mse), (1e8 + 999) / 1000);
}

TEST(Metrics, SizesThatDifferAreABug) {
  HorizonErrors errors(2);
  EXPECT_THROW(errors.add(Values{1}, Values{1, 2}), std::logic_error);
  EXPECT_THROW(errors.add(Values{1, 2}, Values{1}), std::logic_error);
  EXPECT_THROW(errors.add(HorizonErrors(3)), std::logic_error);
}

}  // namespace
}  // namespace timeseries
