#include "timeseries/model/intervals.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "attn/error.h"
#include "tests/support/damage.h"
#include "tests/timeseries/model/small_model.h"
#include "timeseries/model/predict.h"
#include "timeseries/score/residuals.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

ConformalIntervals example() {
  ConformalIntervals stored;
  stored.levels = {0.5, 0.8};
  stored.horizon = 2;
  stored.low = {-1, -2, -3, -5};
  stored.high = {1, 2, 4, 6};
  stored.residuals = {9, 9};
  return stored;
}

TEST(Intervals, AtAnyLevelLinearBetweenTheStoredOnes) {
  const ConformalIntervals at = intervals_at(example(), {0.8, 0.25, 0.65, 0.5});
  EXPECT_THAT(at.levels, ElementsAre(0.25, 0.5, 0.65, 0.8));
  EXPECT_THAT(at.low, ElementsAre(-0.5, -1, -1, -2, DoubleNear(-2, 1e-12), DoubleNear(-3.5, 1e-12),
                                  -3, -5));
  EXPECT_THAT(at.high,
              ElementsAre(0.5, 1, 1, 2, DoubleNear(2.5, 1e-12), DoubleNear(4, 1e-12), 4, 6));
  EXPECT_THAT(sentence_of([] { intervals_at(example(), {0.9}); }), HasSubstr("up to 80 %"));
  EXPECT_THROW(intervals_at(example(), {1.0}), attn::UsageError);
  EXPECT_THROW(intervals_at(example(), {0.0}), attn::UsageError);
  EXPECT_THROW(intervals_at(ConformalIntervals(), {0.5}), attn::UsageError);
  EXPECT_TRUE(intervals_at(ConformalIntervals(), {}).levels.empty());
}

TEST(Intervals, LevelsAreReadInPerCentOrShares) {
  EXPECT_THAT(parse_levels("80"), ElementsAre(0.8));
  EXPECT_THAT(parse_levels("95, 80,0.5,80"), ElementsAre(0.5, 0.8, 0.95));
  EXPECT_THAT(parse_levels("97.5%"), ElementsAre(0.975));
  for (const char* bad : {"", "80,", "x", "0", "100", "-5", "8o", "1e999", "nan"})
    EXPECT_THROW(parse_levels(bad), attn::UsageError) << bad;
}

TEST(Intervals, ScaleFallsBackWhereTheWindowIsConstant) {
  const Moments m{0, 7};
  const std::vector<double> rising{0, 1, 3, 6, 10};
  EXPECT_EQ(interval_scale(rising, 3, 1, true, m), residual_scale(std::span(rising).last(3), 1));
  EXPECT_EQ(interval_scale(rising, 3, 1, false, m), 7);
  const std::vector<double> stuck{0, 2, 5, 5, 5, 5};
  EXPECT_EQ(interval_scale(stuck, 3, 1, true, m), 1);  // (2 + 3 + 0 + 0 + 0) / 5
  EXPECT_EQ(interval_scale(std::vector<double>(6, 5.0), 3, 1, true, m), 0);
}

/// The quantile tables of a model are those of the residuals of its validation windows, worked out
/// here from forecasts made one by one.
TEST(Intervals, AreTheResidualsOfValidationAlone) {
  const SeriesSet set = test::small_set(1, 400);
  ModelOptions o = test::small_options(Network::dlinear);
  o.intervals.smooth = 0;
  const ModelFit fit = test::small_fit(set, o);
  const RowSpan part = tail_split(set, o.horizon).validation[0];
  std::vector<double> residuals;  // |r| of step 4
  const std::vector<double>& x = set.series[0].values;
  for (int64_t origin = part.begin; origin + o.horizon <= part.end; ++origin) {
    const SeriesSet past = first_rows(set, std::vector<int64_t>{origin}, 0);
    const ForecastResult f = predict(fit.model, past, {}, {});
    double scale = 0;  // the look-back holds no two seasons: neighbours
    for (int64_t t = origin - 23; t < origin; ++t)
      scale += std::abs(x[static_cast<size_t>(t)] - x[static_cast<size_t>(t - 1)]) / 23;
    residuals.push_back(std::abs(x[static_cast<size_t>(origin) + 3] - f.series[0].values[3]) /
                        scale);
  }
  std::sort(residuals.begin(), residuals.end());
  const size_t n = residuals.size();
  EXPECT_EQ(n, 35U);  // 40 rows
  const auto rank = static_cast<size_t>(std::ceil(static_cast<double>(n + 1) * 0.8 - 1e-9));
  const ConformalIntervals at = intervals_at(fit.model.intervals, {0.8});
  EXPECT_NEAR(at.high[3], residuals[rank - 1], 1e-5 * residuals[rank - 1]);
  EXPECT_EQ(at.low[3], -at.high[3]);
  EXPECT_EQ(at.residuals[3], 35);
}

}  // namespace
}  // namespace timeseries
