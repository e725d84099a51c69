#include "timeseries/score/conformal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "attn/error.h"
#include "libattn/random/rng.h"
#include "tests/support/damage.h"
#include "timeseries/score/metrics.h"

namespace timeseries {
namespace {

using attn::random::Rng;
using attn::test::sentence_of;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Values = std::vector<double>;

/// A sample of one step and channel with these residuals.
ResidualSample sample_of(const Values& residuals) {
  ResidualSample sample({.horizon = 1});
  for (const double r : residuals) sample.add(0, Values{r}, Values{0});
  return sample;
}

TEST(Conformal, QuantileAsByHand) {
  const Values nine{1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_EQ(conformal_quantile(nine, 0.5), 5);   // k = 5
  EXPECT_EQ(conformal_quantile(nine, 0.8), 8);   // k = 8
  EXPECT_EQ(conformal_quantile(nine, 0.81), 9);  // k = 9
  EXPECT_EQ(conformal_quantile(nine, 0.9), 9);
  EXPECT_EQ(conformal_quantile(nine, 0.91), std::numeric_limits<double>::infinity());
  EXPECT_EQ(conformal_quantile(nine, 1e-9), 1);
  EXPECT_EQ(conformal_quantile(Values{}, 0.5), std::numeric_limits<double>::infinity());
}

// ceil((n + 1) a) in whole numbers, a = p / 1000: what rounding must not change.
TEST(Conformal, RankIsThatOfWholeNumbers) {
  for (int64_t n : {1, 2, 3, 9, 19, 99, 100, 199, 999, 1999}) {
    Values ascending(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) ascending[static_cast<size_t>(i)] = static_cast<double>(i + 1);
    for (int64_t p = 1; p < 1000; ++p) {
      const int64_t rank = ((n + 1) * p + 999) / 1000;
      const double level = static_cast<double>(p) / 1000;
      const double found = conformal_quantile(ascending, level);
      if (rank > n) {
        EXPECT_TRUE(std::isinf(found)) << n << " " << p;
      } else {
        EXPECT_EQ(found, static_cast<double>(rank)) << n << " " << p;
      }
      EXPECT_EQ(residuals_needed(level) <= n, rank <= n) << n << " " << p;
    }
  }
}

TEST(Conformal, SymmetricAndAsymmetricAsByHand) {
  const ResidualSample sample = sample_of({-1, 2, -3, 4, -5, 6, 7, 8, -9});
  ConformalIntervals fit = conformal_intervals(sample, {.levels = {0.8, 0.5}});
  EXPECT_THAT(fit.levels, ElementsAre(0.5, 0.8));
  EXPECT_THAT(fit.low, ElementsAre(-5, -8));
  EXPECT_THAT(fit.high, ElementsAre(5, 8));
  EXPECT_THAT(fit.residuals, ElementsAre(9));
  // Sorted: -9 -5 -3 -1 2 4 6 7 8. Level 0.5: ranks 8 of r and of -r (0.75 * 10, rounded up).
  fit = conformal_intervals(sample, {.levels = {0.5, 0.8}, .symmetric = false});
  EXPECT_THAT(fit.high, ElementsAre(7, 8));
  EXPECT_THAT(fit.low, ElementsAre(-5, -9));
  EXPECT_THAT(told(fit), IsEmpty());
}

TEST(Conformal, TooFewResidualsReachToTheLargestAndAreTold) {
  const ConformalIntervals fit =
      conformal_intervals(sample_of({-3, 1, 2, 2, 2}), {.levels = {0.8, 0.95}});
  EXPECT_THAT(fit.high, ElementsAre(3, 3));
  EXPECT_THAT(told(fit), HasSubstr("95 % and above"));
  EXPECT_THAT(told(fit), HasSubstr("only 5 residuals"));
  EXPECT_THAT(told(fit), HasSubstr("19 are needed"));
}

TEST(Conformal, ScaledResidualsAreInUnitsOfTheWindow) {
  ResidualSample sample({.horizon = 2});
  for (int i = 1; i <= 9; ++i) sample.add(0, Values{10.0 * i, 0}, Values{0, 20.0 * i}, 10);
  sample.add(0, Values{1e9, 1e9}, Values{0, 0}, 0);
  sample.add(0, Values{1e9, 1e9}, Values{0, 0}, kMissing);
  EXPECT_EQ(sample.unscaled(), 2);
  EXPECT_EQ(sample.windows(0), 9);
  const ConformalIntervals fit = conformal_intervals(sample, {.levels = {0.5, 0.8}, .smooth = 0});
  const IntervalBounds bounds = bounds_of(fit, 0, Values{100, 200}, 3);
  EXPECT_THAT(bounds.high, ElementsAre(115, 230, 124, 248));
  EXPECT_THAT(bounds.low, ElementsAre(85, 170, 76, 152));
  EXPECT_THAT(bounds_of(fit, 0, Values{100}, 3).high, ElementsAre(115, 124));
  EXPECT_TRUE(std::isnan(bounds_of(fit, 0, Values{100}, kMissing).high[0]));
  EXPECT_THAT(sentence_of([&] {
                bounds_of(fit, 0, Values{1, 2, 3});
              }),
              HasSubstr("made for 2 steps of the horizon and 3 are forecast"));
}

TEST(Conformal, MissingTargetsAndStepsWithoutAny) {
  ResidualSample sample({.horizon = 4});
  for (int i = 1; i <= 9; ++i) {
    const auto r = static_cast<double>(i);
    sample.add(0, Values{kMissing, r, kMissing, i < 5 ? kMissing : 100 * r}, Values{0, 0, 0, 0});
  }
  const ConformalIntervals fit = conformal_intervals(sample, {.levels = {0.5}, .smooth = 0});
  // The first step takes those of the second, the third those of the fourth: 500 ... 900.
  EXPECT_THAT(fit.residuals, ElementsAre(9, 9, 5, 5));
  EXPECT_THAT(fit.high, ElementsAre(5, 5, 700, 700));
  ResidualSample none({.horizon = 2});
  none.add(0, Values{kMissing, kMissing}, Values{0, 0});
  EXPECT_THAT(sentence_of([&] { conformal_intervals(none, {}); }),
              HasSubstr("no residual is known"));
  EXPECT_THROW(conformal_intervals(sample, {.levels = {}}), attn::UsageError);
  EXPECT_THAT(sentence_of([&] {
                conformal_intervals(sample, {.levels = {0.5, 80}});
              }),
              HasSubstr("found 8000 %"));
}

TEST(Conformal, ChannelsShrinkToThePooled) {
  ResidualSample sample({.horizon = 1, .channels = 3});
  for (int i = 1; i <= 99; ++i) {
    const auto r = static_cast<double>(i);
    sample.add(0, Values{r}, Values{0});
    sample.add(1, Values{10 * r}, Values{0});
    if (i <= 3) sample.add(2, Values{0.01 * r}, Values{0});
  }
  const double pooled = conformal_intervals(
                            [&] {
                              ResidualSample all({.horizon = 1});
                              for (int c = 0; c < 3; ++c)
                                for (const double r : sample.sorted(c, 0))
                                  all.add(0, Values{r}, Values{0});
                              return all;
                            }(),
                            {.levels = {0.8}})
                            .high[0];
  const ConformalIntervals own = conformal_intervals(sample, {.levels = {0.8}, .shrink = 0});
  EXPECT_THAT(own.high, ElementsAre(80, 800, pooled));
  const ConformalIntervals blended = conformal_intervals(sample, {.levels = {0.8}, .shrink = 33});
  EXPECT_THAT(blended.high, ElementsAre(DoubleNear(0.75 * 80 + 0.25 * pooled, 1e-9),
                                        DoubleNear(0.75 * 800 + 0.25 * pooled, 1e-9), pooled));
  EXPECT_EQ(bounds_of(own, 1, Values{0}).high[0], 800);
  EXPECT_THROW(conformal_intervals(sample, {.shrink = -1}), attn::UsageError);
}

TEST(Conformal, StepsShareTheShapeOfTheirResiduals) {
  constexpr int64_t kSteps = 16, kWindows = 7;  // reach: 2 steps
  ResidualSample sample({.horizon = kSteps});
  auto random = Rng::keyed({11});
  for (int64_t i = 0; i < kWindows; ++i) {
    Values y;
    for (int64_t t = 0; t < kSteps; ++t)
      y.push_back(t == 3 && i < 2 ? kMissing : (1.0 + static_cast<double>(t)) * random.normal());
    sample.add(0, y, Values(kSteps, 0.0));
  }
  const auto mean_size = [&](int64_t t) {
    double sum = 0;
    const Values own = sample.sorted(0, t);
    for (const double r : own) sum += std::abs(r);
    return sum / static_cast<double>(own.size());
  };
  Values sizes, shape;
  for (int64_t t = 0; t < kSteps; ++t) {
    double sum = 0, near = 0;
    for (int64_t k = std::max<int64_t>(0, t - 2); k <= std::min<int64_t>(kSteps - 1, t + 2); ++k)
      sum += mean_size(k), ++near;
    sizes.push_back(sum / near);
    for (const double r : sample.sorted(0, t)) shape.push_back(std::abs(r) / sizes.back());
  }
  std::sort(shape.begin(), shape.end());
  const ConformalIntervals fit = conformal_intervals(sample, {.levels = {0.8, 0.9}, .smooth = 14});
  for (int64_t t = 0; t < kSteps; ++t) {
    const auto at = static_cast<size_t>(t);
    Values own;
    for (const double r : sample.sorted(0, t)) own.push_back(std::abs(r));
    std::sort(own.begin(), own.end());
    const auto n = static_cast<double>(own.size());
    for (size_t k = 0; k < 2; ++k) {
      const double alone = std::min(conformal_quantile(own, fit.levels[k]), own.back());
      const double wanted = n / (n + 14) * alone +
                            14 / (n + 14) * sizes[at] * conformal_quantile(shape, fit.levels[k]);
      EXPECT_NEAR(fit.high[k * kSteps + at], wanted, 1e-12) << t << " " << k;
      EXPECT_EQ(fit.low[k * kSteps + at], -fit.high[k * kSteps + at]);
    }
    EXPECT_LT(fit.high[at],
              fit.high[kSteps + at]);  // though 7 residuals tell 80 and 90 % not apart
  }
  EXPECT_THROW(conformal_intervals(sample, {.smooth = -1}), attn::UsageError);
}

// Of values that were met exactly there is no shape, and a step without residuals takes the next's.
TEST(Conformal, ShapeOfNothing) {
  ResidualSample sample({.horizon = 2});
  for (int i = 0; i < 5; ++i) sample.add(0, Values{7, kMissing}, Values{7, 0});
  const ConformalIntervals fit = conformal_intervals(sample, {.levels = {0.8}});
  EXPECT_THAT(fit.high, ElementsAre(0, 0));
  EXPECT_THAT(fit.residuals, ElementsAre(5, 5));
}

/// Residuals with skew and heavy tails, all from one distribution.
double draw(Rng& random) {
  return random.log_normal(1, 1) - 1.5 + 0.3 * random.normal();
}

TEST(Conformal, LevelsAreNestedForEveryChoice) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    auto random = Rng::keyed({seed, 5});
    ResidualSample sample({.horizon = 3, .channels = 4});
    for (int64_t c = 0; c < 4; ++c)
      for (int i = 0; i < 5 + 30 * c * c; ++i)
        sample.add(c, Values{draw(random), draw(random), draw(random)},
                   Values{0, 0, random.chance(0.1) ? kMissing : 0});
    for (const bool symmetric : {true, false}) {
      for (const double shrink : {0.0, 50.0}) {
        const ConformalIntervals fit = conformal_intervals(
            sample,
            {.levels = {0.1, 0.5, 0.8, 0.95, 0.99}, .symmetric = symmetric, .shrink = shrink});
        for (size_t i = 0; i < fit.low.size(); ++i) {
          EXPECT_LE(fit.low[i], fit.high[i]);
          if (i < 12) continue;
          EXPECT_LE(fit.low[i], fit.low[i - 12]);
          EXPECT_GE(fit.high[i], fit.high[i - 12]);
        }
      }
    }
  }
}

/// Share of fresh residuals inside the interval of n others, over many trials; residuals of a trial
/// have a scale and a shift of their own, so that they are exchangeable and not independent.
double coverage(size_t n, double level, bool symmetric, int trials) {
  int covered = 0;
  for (int trial = 0; trial < trials; ++trial) {
    auto random = Rng::keyed({static_cast<uint64_t>(trial), n, 6});
    const double shift = random.normal(), spread = random.log_normal(1, 0.5);
    ResidualSample sample({.horizon = 1});
    for (size_t i = 0; i < n; ++i) sample.add(0, Values{shift + spread * draw(random)}, Values{0});
    const ConformalIntervals fit =
        conformal_intervals(sample, {.levels = {level}, .symmetric = symmetric});
    const double fresh = shift + spread * draw(random);
    covered += fit.low[0] <= fresh && fresh <= fit.high[0] ? 1 : 0;
  }
  return static_cast<double>(covered) / trials;
}

TEST(Conformal, CoversExchangeableResidualsAsTheTheoremSays) {
  constexpr int kTrials = 6000;
  for (const size_t n : {19U, 40U, 157U}) {
    for (const double level : {0.5, 0.8, 0.95}) {
      const auto spare = static_cast<double>(n + 1);
      // Without ties the probability is k / (n + 1) exactly.
      const double exact = std::ceil(spare * level - 1e-9) / spare;
      const double error = std::sqrt(exact * (1 - exact) / kTrials);
      EXPECT_NEAR(coverage(n, level, true, kTrials), exact, 4 * error) << n << " " << level;
      if (n < static_cast<size_t>(residuals_needed((1 + level) / 2))) continue;
      const double side = std::ceil(spare * (1 + level) / 2 - 1e-9) / spare;
      EXPECT_NEAR(coverage(n, level, false, kTrials), 2 * side - 1, 4 * error) << n << " " << level;
    }
  }
}

TEST(Conformal, JsonKeepsEveryBit) {
  auto random = Rng::keyed({7});
  ResidualSample sample({.horizon = 5, .channels = 2});
  for (int i = 0; i < 300; ++i) {
    Values y(5);
    for (double& v : y) v = draw(random);
    sample.add(i % 2, y, Values(5, 0.0));
  }
  const ConformalIntervals fit = conformal_intervals(sample, {.symmetric = false});
  const nlohmann::json j = fit;
  const auto back = nlohmann::json::parse(j.dump()).get<ConformalIntervals>();
  EXPECT_EQ(back.levels, fit.levels);
  EXPECT_EQ(back.low, fit.low);
  EXPECT_EQ(back.high, fit.high);
  EXPECT_EQ(back.residuals, fit.residuals);
  EXPECT_EQ(back.horizon, 5);
  EXPECT_EQ(back.channels, 2);
  EXPECT_FALSE(back.symmetric);
}

TEST(Conformal, DamagedJsonIsRefused) {
  const nlohmann::json whole =
      conformal_intervals(sample_of({1, 2, 3, 4, 5, 6, 7, 8, 9}), {.levels = {0.5, 0.8}});
  EXPECT_NO_THROW(whole.get<ConformalIntervals>());
  const auto refused = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json j = whole;
    j[key] = value;
    EXPECT_THAT(sentence_of([&] { j.get<ConformalIntervals>(); }), HasSubstr(key)) << value;
    j.erase(key);
    EXPECT_THAT(sentence_of([&] { j.get<ConformalIntervals>(); }), HasSubstr(key));
  };
  refused("levels", {0.8, 0.5});
  refused("levels", {0.5, 1.0});
  refused("levels", nlohmann::json::array());
  refused("horizon", 0);
  refused("channels", -1);
  refused("symmetric", "yes");
  refused("residuals", {1, 2, 3});
  refused("low", {-5});
  refused("low", {-5, -4});
  refused("high", {5, nullptr});
  refused("high", {5, 4});
  refused("high", {-6, 8});
  nlohmann::json huge = whole;
  huge["horizon"] = int64_t{1} << 62;
  huge["channels"] = int64_t{1} << 62;
  EXPECT_THROW(huge.get<ConformalIntervals>(), attn::Error);
}

TEST(Conformal, LevelsAreSelected) {
  const ConformalIntervals fit =
      conformal_intervals(sample_of({1, 2, 3, 4, 5, 6, 7, 8, 9}), {.levels = {0.1, 0.5, 0.8}});
  const ConformalIntervals some = select_levels(fit, {0.8, 0.1, 0.8});
  EXPECT_THAT(some.levels, ElementsAre(0.1, 0.8));
  EXPECT_THAT(some.high, ElementsAre(1, 8));
  EXPECT_THAT(some.low, ElementsAre(-1, -8));
  EXPECT_THAT(sentence_of([&] {
                select_levels(fit, {0.8, 0.9});
              }),
              testing::AllOf(HasSubstr("90 %"), HasSubstr("10, 50 and 80 %")));
}

TEST(ResidualSample, KeepsAUniformSample) {
  constexpr int kSeeds = 4000, kSeen = 60, kKept = 15;
  std::vector<int> times(kSeen, 0);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ResidualSample sample({.horizon = 1, .keep = kKept, .seed = seed});
    for (int i = 0; i < kSeen; ++i) sample.add(0, Values{static_cast<double>(i)}, Values{0});
    ASSERT_EQ(sample.windows(0), kKept);
    const Values kept = sample.sorted(0, 0);
    ASSERT_EQ(kept.size(), static_cast<size_t>(kKept));
    EXPECT_EQ(std::adjacent_find(kept.begin(), kept.end()), kept.end());
    for (const double r : kept) ++times[static_cast<size_t>(r)];
  }
  // Each with probability 1/4: within 4.5 standard deviations of the binomial.
  const double expected = kSeeds / 4.0, deviation = std::sqrt(kSeeds * 0.25 * 0.75);
  for (const int n : times) EXPECT_NEAR(n, expected, 4.5 * deviation);
}

TEST(ResidualSample, DoesNotDependOnTheOrderOfChannels) {
  const auto filled = [](bool by_channel) {
    ResidualSample sample({.horizon = 1, .channels = 2, .keep = 10, .seed = 3});
    for (int i = 0; i < 200; ++i) {
      const int c = by_channel ? i / 100 : i % 2;
      const int place = by_channel ? i % 100 : i / 2;
      sample.add(c, std::vector<float>{static_cast<float>(place)}, std::vector<float>{0});
    }
    return std::pair(sample.sorted(0, 0), sample.sorted(1, 0));
  };
  EXPECT_EQ(filled(true), filled(false));
  EXPECT_NE(filled(true).first, filled(true).second);
}

TEST(ResidualSample, SizesAndOptionsAreChecked) {
  EXPECT_THROW(ResidualSample({.horizon = 0}), std::logic_error);
  EXPECT_THROW(ResidualSample({.horizon = 1, .channels = 0}), std::logic_error);
  ResidualSample sample({.horizon = 2});
  EXPECT_THROW(sample.add(0, Values{1}, Values{1, 2}), std::logic_error);
  EXPECT_THROW(sample.add(1, Values{1, 2}, Values{1, 2}), std::logic_error);
}

TEST(ResidualScale, FallsBackToNeighbours) {
  EXPECT_DOUBLE_EQ(residual_scale(Values{1, 2, 4, 5}, 2), 3);
  EXPECT_DOUBLE_EQ(residual_scale(Values{1, 2, 4}, 5), 1.5);
  EXPECT_DOUBLE_EQ(residual_scale(Values{1, 2, 1, 2}, 2), 1);
  EXPECT_TRUE(std::isnan(residual_scale(Values{3, 3, 3}, 2)));
}

}  // namespace
}  // namespace timeseries
