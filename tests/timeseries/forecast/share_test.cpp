#include "timeseries/forecast/share.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "libattn/train/seed.h"
#include "timeseries/forecast/evaluate.h"
#include "timeseries/forecast/make.h"
#include "timeseries/forecast/naive_blend.h"

namespace timeseries {
namespace {

constexpr int64_t kLookback = 4, kHorizon = 24, kReach = kHorizon / 8;

/// Base: the last value, all along. Rest at step h: `scale`[h] times the first value of the window.
class TwoParts : public Forecaster {
 public:
  explicit TwoParts(at::Tensor scale) : scale_(std::move(scale)), share_(at::ones({kHorizon})) {}

  at::Tensor forward(const WindowBatch& batch, const Pass& pass) const override {
    const ForecastParts p = parts(batch, pass);
    return p.base + share_ * p.rest;
  }
  ForecastParts parts(const WindowBatch& batch, const Pass& /*pass*/) const override {
    return {batch.values.narrow(1, kLookback - 1, 1).expand({-1, kHorizon}),
            batch.values.narrow(1, 0, 1) * scale_};
  }
  at::Tensor share() const override { return share_; }
  const attn::train::Parameters& parameters() const override { return none_; }
  nlohmann::json options() const override { return {}; }
  int64_t lookback() const override { return kLookback; }
  int64_t horizon() const override { return kHorizon; }
  std::unique_ptr<Forecaster> clone() const override { return std::make_unique<TwoParts>(scale_); }

 private:
  attn::train::Parameters none_{{}, 0};
  at::Tensor scale_, share_;
};

/// A random walk with holes, and all of its windows.
struct Case {
  explicit Case(int64_t rows) {
    set.path = "walk.csv";
    set.channels = {"x"};
    Series s;
    s.rows = rows;
    attn::train::Random random(3);
    double x = 0;
    for (int64_t r = 0; r < rows; ++r) {
      x += random.uniform() - 0.5;
      s.values.push_back(r % 13 == 12 ? NAN : x);
    }
    set.series.push_back(std::move(s));
    for (int64_t o = kLookback; o + kHorizon <= rows; ++o)
      if (o % 13 >= kLookback) windows.push_back({0, 0, o});  // no look-back with a hole
  }
  WindowSource source() const {
    BatchOptions options;
    options.lookback = kLookback;
    options.horizon = kHorizon;
    return {set, fit_scaler(set, std::vector<RowSpan>{{0, set.series[0].rows}}, ScaleBy::channel),
            options};
  }
  SeriesSet set;
  std::vector<Window> windows;
};

at::Tensor fitted(const TwoParts& forecaster, const Case& c) {
  const WindowSource source = c.source();
  CutCache cuts(static_cast<int64_t>(c.windows.size()), kLookback);
  fit_shares(forecaster, source, c.windows, cuts);
  return forecaster.share();
}

TEST(FitShare, IsTheLeastSquaresOfTheStepsAround) {
  const Case c(300);
  const TwoParts forecaster(-at::ones({kHorizon}));
  const WindowBatch all = c.source().gather(c.windows);
  const ForecastParts parts = forecaster.parts(all, {});
  const at::Tensor share = fitted(forecaster, c);
  const auto rows = static_cast<int64_t>(c.windows.size());
  bool inside = false;
  for (int64_t h = 0; h < kHorizon; ++h) {
    double product = 0, square = 0;
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t k = std::max<int64_t>(0, h - kReach); k <= std::min(h + kReach, kHorizon - 1);
           ++k) {
        const double y = all.target[n][k].item<double>(), rest = parts.rest[n][k].item<double>();
        if (std::isnan(y)) continue;
        product += (y - parts.base[n][k].item<double>()) * rest;
        square += rest * rest;
      }
    }
    const double wanted = std::clamp(product / square, 0.0, 1.0);
    inside = inside || (wanted > 0 && wanted < 1);
    EXPECT_NEAR(share[h].item<double>(), wanted, 1e-5) << h;
  }
  EXPECT_TRUE(inside);  // so that the equation is seen, not its ends
}

/// Far above the first value of a window, all along; blended with the last one.
class BlendedParts : public TwoParts {
 public:
  using TwoParts::TwoParts;
  ForecastParts parts(const WindowBatch& batch, const Pass& /*pass*/) const override {
    const at::Tensor above = batch.values.narrow(1, 0, 1).expand({-1, kHorizon}) + 3;
    return {above, at::zeros_like(above)};
  }
  NaiveBlend blend() const override { return blend_; }

 private:
  NaiveBlend blend_{{1}, at::ones({1, NaiveBlend::kKnots})};
};

TEST(FitShare, ThenBlendsTheSum) {
  const Case c(300);
  const BlendedParts forecaster(2 * at::ones({kHorizon}));
  fitted(forecaster, c);
  const WindowBatch all = c.source().gather(c.windows);
  const ForecastParts parts = forecaster.parts(all, {});
  const NaiveBlend wanted{{1}, at::ones({1, NaiveBlend::kKnots})};
  // Every target row of the one channel lies in kHorizon windows.
  fit_blend(wanted, all.values, parts.base + forecaster.share() * parts.rest, all.target, kHorizon);
  EXPECT_LT(wanted.weight.min().item<float>(), 0.99F);
  EXPECT_TRUE(at::allclose(forecaster.blend().weight, wanted.weight, 0, 1e-5));
}

TEST(FitShare, StaysBetweenNothingAndAll) {
  const Case c(300);
  const TwoParts wrong(-5 * at::ones({kHorizon})), faint(1e-4 * at::ones({kHorizon}));
  const at::Tensor of_wrong = fitted(wrong, c), of_faint = fitted(faint, c);
  EXPECT_LE(of_wrong.max().item<float>(), 1);
  EXPECT_GE(of_wrong.min().item<float>(), 0);
  EXPECT_LE(of_faint.max().item<float>(), 1);
  EXPECT_GE(of_faint.min().item<float>(), 0);
}

TEST(FitShare, LowersTheErrorOrLeavesIt) {
  const Case c(300);
  const WindowSource source = c.source();
  const TwoParts forecaster(at::linspace(-1, 1, kHorizon));
  const double before = evaluate(forecaster, source, c.windows, {}).mse;
  fitted(forecaster, c);
  const double after = evaluate(forecaster, source, c.windows, {}).mse;
  forecaster.share().zero_();
  EXPECT_LE(after, before);
  EXPECT_LE(after, evaluate(forecaster, source, c.windows, {}).mse);
}

TEST(FitShare, IsOneWhereThereIsNothingToWeigh) {
  const Case c(300);
  const TwoParts silent(at::zeros({kHorizon}));
  EXPECT_TRUE(at::equal(fitted(silent, c), at::ones({kHorizon})));
  Case none(300);
  none.windows.clear();
  const TwoParts forecaster(at::ones({kHorizon}));
  EXPECT_TRUE(at::equal(fitted(forecaster, none), at::ones({kHorizon})));
}

TEST(FitShare, TakesManyWindowsEvenlySpread) {
  const Case many(9000);
  ASSERT_GT(many.windows.size(), size_t{4096});
  const TwoParts forecaster(0.2 * at::ones({kHorizon}));
  Case thinned(9000);
  thinned.windows.clear();
  const size_t count = many.windows.size();
  for (size_t i = 0; i < 4096; ++i) thinned.windows.push_back(many.windows[i * count / 4096]);
  const at::Tensor of_many = fitted(forecaster, many).clone();
  EXPECT_TRUE(at::equal(of_many, fitted(forecaster, thinned)));
}

TEST(FitShare, LeavesForecastersThatAreNoSum) {
  const Case c(300);
  nlohmann::json j{{"kind", "seasonal-naive"}, {"lookback", 4}, {"horizon", 24}, {"season", 2}};
  const auto f = make_forecaster(j, 0);
  CutCache cuts(static_cast<int64_t>(c.windows.size()), kLookback);
  EXPECT_NO_THROW(fit_shares(*f, c.source(), c.windows, cuts));
}

}  // namespace
}  // namespace timeseries
