#include "timeseries/forecast/naive_blend.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "tests/timeseries/forecast/plain.h"
#include "timeseries/forecast/seasonal_naive.h"

namespace timeseries {
namespace {

constexpr int64_t kSeason = 4, kLookback = 16, kHorizon = 6;

NaiveBlend fresh(std::vector<int64_t> seasons) {
  const auto count = static_cast<int64_t>(seasons.size());
  return {std::move(seasons), at::ones({count, NaiveBlend::kKnots}, at::kDouble)};
}

TEST(NaiveBlend, IsTheEquation) {
  const plain::Vector x{1, 5, 2, 8, 1.5, NAN, 2.5, 8.5, 1, 4, 2, 9, 2, 5, 1, 8},
      f{3, 3, 3, 3, 3, 3}, knots{0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.5};
  NaiveBlend blend = fresh({kSeason, 1});
  blend.weight.select(0, 0).copy_(at::tensor(knots, at::kDouble));
  const at::Tensor values = at::tensor(x, at::kDouble).view({1, -1}),
                   forecast = at::tensor(f, at::kDouble).view({1, -1});
  const plain::Vector season = plain::blend(x, f, {2, 5, 1, 8, 2, 5}, knots, kSeason);
  EXPECT_TRUE(
      at::allclose(blended(values, forecast, blend), at::tensor(season).view({1, -1}), 0, 1e-12));
  blend.weight.select(0, 1).copy_(at::tensor(knots, at::kDouble).flip(0));
  const plain::Vector both =
      plain::blend(x, season, {8, 8, 8, 8, 8, 8}, {knots.rbegin(), knots.rend()}, 1);
  EXPECT_TRUE(
      at::allclose(blended(values, forecast, blend), at::tensor(both).view({1, -1}), 0, 1e-12));
}

TEST(NaiveBlend, OnesAndNoDifferencesChangeNothing) {
  at::manual_seed(1);
  const at::Tensor values = at::randn({3, kLookback}), forecast = at::randn({3, kHorizon});
  EXPECT_TRUE(blended(values, forecast, fresh({kSeason, 1})).equal(forecast));
  EXPECT_TRUE(blended(values, forecast, {}).equal(forecast));
  NaiveBlend zero = fresh({kSeason});
  zero.weight.zero_();
  at::Tensor sparse = at::full({1, kLookback}, NAN);
  sparse.select(1, 3).fill_(2);
  EXPECT_TRUE(blended(sparse, forecast.narrow(0, 0, 1), zero).equal(forecast.narrow(0, 0, 1)));
  const at::Tensor constant = at::full({3, kLookback}, 2.0F);
  EXPECT_TRUE(blended(constant, forecast, zero).equal(forecast));
  EXPECT_TRUE(blended(values, forecast, zero)
                  .equal(repeat_season(values, kSeason, kHorizon).to(at::kFloat)));
}

TEST(NaiveBlend, ARowIsTheSameAlone) {
  at::manual_seed(2);
  const at::Tensor values = at::randn({50, kLookback}), forecast = at::randn({50, kHorizon});
  NaiveBlend blend = fresh({kSeason, 1});
  blend.weight.uniform_();
  const at::Tensor all = blended(values, forecast, blend);
  for (int64_t n = 0; n < 50; ++n)
    EXPECT_TRUE(blended(values.narrow(0, n, 1), forecast.narrow(0, n, 1), blend)
                    .equal(all.narrow(0, n, 1)));
}

/// Half of the windows repeat a season of their own but for `noise`, half are white noise.
/// Forecasts are right but for an error of sd 0.1.
struct Mixed {
  explicit Mixed(int64_t count, double noise = 0.01) {
    at::manual_seed(3);
    const int64_t length = kLookback + kHorizon;
    const at::Tensor season = at::randn({count, kSeason}, at::kDouble).repeat({1, 6});
    at::Tensor all = at::randn({2 * count, length}, at::kDouble);
    all.narrow(0, 0, count).mul_(noise).add_(season.narrow(1, 0, length));
    values = all.narrow(1, 0, kLookback);
    target = all.narrow(1, kLookback, kHorizon);
    forecast = target + 0.1 * at::randn_like(target);
  }
  at::Tensor values, target, forecast;
};

TEST(NaiveBlend, KeepsWindowsThatRepeatThemselvesAndLeavesOthers) {
  const Mixed mixed(400);
  const NaiveBlend blend = fresh({kSeason, 1});
  fit_blend(blend, mixed.values, mixed.forecast, mixed.target, 1);
  const auto* weight = blend.weight.const_data_ptr<double>();
  EXPECT_LT(weight[1], 0.1);   // d / s of about 1/64
  EXPECT_GT(weight[7], 0.95);  // of about 1
  EXPECT_TRUE(blend.weight.select(0, 1).eq(1).all().item<bool>());
  const at::Tensor own = blended(mixed.values, mixed.forecast, blend);
  const auto error = [&](const at::Tensor& f, int64_t first) {
    return (f - mixed.target).narrow(0, first, 400).square().mean().item<double>();
  };
  EXPECT_LT(error(own, 0), 0.1 * error(mixed.forecast, 0));
  EXPECT_LT(error(own, 400), 1.05 * error(mixed.forecast, 400));
}

TEST(NaiveBlend, WindowsThatRepeatThemselvesDoNotSpeakForOthers) {
  const Mixed regular(50, 1e-3);
  at::manual_seed(5);
  const int64_t count = 1000;
  const at::Tensor values = at::randn({count, kLookback}, at::kDouble),
                   forecast = at::randn({count, kHorizon}, at::kDouble),
                   naive = repeat_season(values, kSeason, kHorizon),
                   target = naive + 0.3 * (forecast - naive);
  const NaiveBlend blend = fresh({kSeason});
  fit_blend(blend, at::cat({regular.values.narrow(0, 0, 50), values}),
            at::cat({regular.forecast.narrow(0, 0, 50), forecast}),
            at::cat({regular.target.narrow(0, 0, 50), target}), 10);
  const auto* weight = blend.weight.const_data_ptr<double>();
  EXPECT_NEAR(weight[7], 0.3, 0.05);
  EXPECT_NEAR(weight[8], 0.3, 0.1);
}

TEST(NaiveBlend, IsNeverWorseThanNone) {
  // The right g rises above 1 with d / s: knots cut to 1 after a free fit would leave others low.
  at::manual_seed(6);
  const int64_t count = 500;
  const at::Tensor values = at::randn({count, kLookback}, at::kDouble).cumsum(1) +
                            at::linspace(0, 3, count, at::kDouble).unsqueeze(1) *
                                at::randn({count, kLookback}, at::kDouble);
  const at::Tensor forecast = at::randn({count, kHorizon}, at::kDouble),
                   naive = repeat_season(values, kSeason, kHorizon),
                   g = at::linspace(0.7, 2.5, count, at::kDouble).unsqueeze(1),
                   target = naive + g * (forecast - naive);
  const NaiveBlend blend = fresh({kSeason});
  fit_blend(blend, values, forecast, target, 1);
  const at::Tensor d =
      values.narrow(1, kSeason, kLookback - kSeason) - values.narrow(1, 0, kLookback - kSeason);
  const at::Tensor unit = d.square().mean(1, true).sqrt();
  const auto error = [&](const at::Tensor& f) {
    return ((f - target) / unit).square().mean().item<double>();
  };
  EXPECT_LE(error(blended(values, forecast, blend)), error(forecast) * (1 + 1e-9));
}

TEST(NaiveBlend, FewWindowsChangeLittle) {
  const Mixed mixed(2);
  const NaiveBlend blend = fresh({kSeason, 1});
  fit_blend(blend, mixed.values, mixed.forecast, mixed.target, 24);
  EXPECT_GT(blend.weight.min().item<double>(), 0.85);
}

TEST(NaiveBlend, TakesTheLastValueWhereThatIsBetter) {
  at::manual_seed(4);
  const at::Tensor walk = at::randn({600, kLookback + kHorizon}, at::kDouble).cumsum(1);
  const at::Tensor values = walk.narrow(1, 0, kLookback),
                   target = walk.narrow(1, kLookback, kHorizon);
  const NaiveBlend blend = fresh({kSeason, 1});
  fit_blend(blend, values, values.mean(1, true).expand({-1, kHorizon}), target, 1);
  EXPECT_TRUE(blend.weight.select(0, 0).eq(1).all().item<bool>());
  EXPECT_LT(blend.weight.select(0, 1).min().item<double>(), 0.3);
}

TEST(NaiveBlend, LearnsNothingFromNothing) {
  const at::Tensor constant = at::full({5, kLookback}, 3.0, at::kDouble),
                   target = at::full({5, kHorizon}, NAN, at::kDouble);
  const NaiveBlend blend = fresh({kSeason, 1});
  blend.weight.zero_();
  fit_blend(blend, constant, at::randn({5, kHorizon}, at::kDouble), constant.narrow(1, 0, kHorizon),
            1);
  EXPECT_TRUE(blend.weight.eq(1).all().item<bool>());
  blend.weight.zero_();
  fit_blend(blend, at::randn({5, kLookback}, at::kDouble), target.nan_to_num(), target, 1);
  EXPECT_TRUE(blend.weight.eq(1).all().item<bool>());
}

}  // namespace
}  // namespace timeseries
