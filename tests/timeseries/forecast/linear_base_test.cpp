#include "timeseries/forecast/linear_base.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "libattn/train/seed.h"
#include "tests/timeseries/forecast/networks.h"
#include "timeseries/forecast/entrope.h"

namespace timeseries {
namespace {

using attn::train::Random;
using test::patching;

constexpr int64_t kLookback = 12, kHorizon = 8;

/// One channel of values, with a covariate known ahead where one is given; the first part trains.
struct Case {
  Case(std::vector<double> values, std::vector<double> known = {}, int64_t season = 0)
      : rows(static_cast<int64_t>(values.size())) {
    set.path = "made.csv";
    set.channels = {"x"};
    Series s;
    s.rows = rows;
    s.values = std::move(values);
    if (!known.empty()) {
      set.future_names = {"k"};
      s.ahead = static_cast<int64_t>(known.size()) - rows;
      s.future = std::move(known);
    }
    set.series.push_back(std::move(s));
    batch.lookback = kLookback;
    batch.horizon = kHorizon;
    batch.season = season;
    for (int64_t o = kLookback; o + kHorizon <= rows; ++o)
      (o + kHorizon <= 3 * rows / 4 ? train : validation).push_back({0, 0, o});
  }
  WindowSource source() const {
    return {set, fit_scaler(set, std::vector<RowSpan>{{0, rows}}, ScaleBy::channel), batch};
  }
  EntropeOptions options() const {
    EntropeOptions o;
    o.lookback = kLookback;
    o.horizon = kHorizon;
    o.frame.season = batch.season;
    o.frame.known = static_cast<int64_t>(set.future_names.size());
    o.naive_blend = false;
    return o;
  }
  Entrope fitted(const EntropeOptions& o, bool judged = true) const {
    Entrope out(o, 1, patching());
    fit_linear_base(out, source(), train, judged ? validation : std::vector<Window>());
    return out;
  }
  Entrope fitted() const { return fitted(options()); }

  int64_t rows;
  SeriesSet set;
  BatchOptions batch;
  std::vector<Window> train, validation;
};

std::vector<double> made(int64_t rows, const std::function<double(int64_t)>& value) {
  std::vector<double> out;
  for (int64_t r = 0; r < rows; ++r) out.push_back(value(r));
  return out;
}

std::vector<double> walk(int64_t rows, uint64_t seed) {
  Random random(seed);
  double x = 0;
  return made(rows, [&](int64_t) { return x += random.uniform() - 0.5; });
}

/// Mean squared error over the validation windows.
double error_of(const Entrope& f, const Case& c) {
  const WindowBatch batch = c.source().gather(c.validation);
  return (f.parts(batch, {}).base - batch.target).square().nanmean().item<double>();
}

/// W (T,L) without validation windows, from the equation: lambda 0.3, p the age; each step by its
/// own known targets.
at::Tensor plain_map(const Case& c) {
  const WindowBatch batch = c.source().gather(c.train);
  const at::Tensor x = batch.values.to(at::kDouble), y = batch.target.to(at::kDouble);
  const auto rows = x.size(0);
  at::Tensor u = at::zeros_like(x), sd = at::zeros({rows}, at::kDouble);
  at::Tensor all = at::zeros({kLookback, kLookback}, at::kDouble);
  for (int64_t n = 0; n < rows; ++n) {
    sd[n] = (x[n].var(/*unbiased=*/false) + 1e-5).sqrt();
    u[n] = (x[n] - x[n].mean()) / sd[n];
    all += sd[n] * sd[n] * at::outer(u[n], u[n]);
  }
  const at::Tensor age = at::arange(kLookback, 0, -1, at::kDouble);
  at::Tensor map = at::zeros({kHorizon, kLookback}, at::kDouble);
  for (int64_t h = 0; h < kHorizon; ++h) {
    at::Tensor a = at::diag(0.3 * all.trace() / kLookback * age / age.mean());
    at::Tensor b = at::zeros({kLookback}, at::kDouble);
    for (int64_t n = 0; n < rows; ++n) {
      if (std::isnan(y[n][h].item<double>())) continue;
      const at::Tensor left = (y[n][h] - x[n].mean()) / sd[n] - u[n][kLookback - 1];
      a += sd[n] * sd[n] * at::outer(u[n], u[n]);
      b += sd[n] * sd[n] * left * u[n];
    }
    map[h] = at::linalg_solve(a, b);
    map[h][kLookback - 1] += 1;
  }
  return map;
}

/// Largest difference of W and plain_map.
double difference(const Case& c) {
  const Entrope f = c.fitted(c.options(), /*judged=*/false);
  return (f.parameters().at("linear.weight").to(at::kDouble) - plain_map(c))
      .abs()
      .max()
      .item<double>();
}

TEST(LinearBase, IsTheEquation) {
  EXPECT_LT(difference(Case(walk(160, 2))), 1e-5);
}

TEST(LinearBase, MissingTargetsAreLeftOut) {
  const Case whole(walk(400, 2));
  Case holes = whole;
  // The look-backs keep theirs: rows that are the target of all windows that know them.
  Random random(4);
  holes.train.clear();
  for (double& x : holes.set.series[0].values)
    if (random.uniform() < 0.06) x = NAN;
  for (const Window& w : whole.train) {
    bool known = true;
    for (int64_t r = w.origin - kLookback; r < w.origin; ++r)
      known = known && !std::isnan(holes.set.series[0].values[static_cast<size_t>(r)]);
    if (known) holes.train.push_back(w);
  }
  ASSERT_GT(holes.train.size(), 50U);
  EXPECT_LT(difference(holes), 2e-3);
  const at::Tensor last = at::zeros({kHorizon, kLookback}, at::kDouble);
  last.select(1, kLookback - 1).fill_(1);
  EXPECT_GT((plain_map(holes) - last).abs().max().item<double>(),
            0.1);  // so that it says something
}

TEST(LinearBase, OfARandomWalkIsTheLastValue) {
  const Case c(walk(120, 8));
  const WindowBatch batch = c.source().gather(c.validation);
  const double naive =
      (batch.values.narrow(1, kLookback - 1, 1) - batch.target).square().mean().item<double>();
  EXPECT_LT(error_of(c.fitted(), c), 1.02 * naive);
}

TEST(LinearBase, MissingValuesAreWhatTheMapSays) {
  // A repeating series loses its last four values: the forecast is nearly what it was.
  const Case c(made(300, [](int64_t r) {
    const auto t = static_cast<double>(r);
    return std::sin(0.7 * t) + 0.5 * std::cos(1.9 * t);
  }));
  const Entrope f = c.fitted();
  WindowBatch batch = c.source().gather(c.validation);
  const at::Tensor held = batch.values.narrow(1, kLookback - 4, 4).clone();
  batch.values.narrow(1, kLookback - 4, 4).fill_(NAN);
  const auto error = [&] {
    return (f.parts(batch, {}).base - batch.target).square().mean().item<double>();
  };
  const double imputed = error();
  batch.values.narrow(1, kLookback - 4, 4).copy_(batch.values.narrow(1, kLookback - 5, 1));
  EXPECT_LT(imputed, 0.25 * error());  // less than where the last known value is carried on
  batch.values.narrow(1, kLookback - 4, 4).copy_(held);
  EXPECT_LT(error(), 1e-5);
}

TEST(LinearBase, GoesOnFromTheLastKnownValue) {
  // The last three values are missing in all windows that are judged.
  const Case c(walk(120, 8));
  const Entrope f = c.fitted();
  WindowBatch batch = c.source().gather(c.validation);
  const at::Tensor known = batch.values.narrow(1, kLookback - 4, 1).clone();
  batch.values.narrow(1, kLookback - 3, 3).fill_(NAN);
  const double naive = (known - batch.target).square().mean().item<double>();
  EXPECT_LT((f.parts(batch, {}).base - batch.target).square().mean().item<double>(), 1.1 * naive);
}

TEST(LinearBase, FindsWhatRepeats) {
  // Two waves: 4 values behind tell the next one.
  const Case c(made(300, [](int64_t r) {
    const auto t = static_cast<double>(r);
    return std::sin(0.7 * t) + 0.5 * std::cos(1.9 * t);
  }));
  EXPECT_LT(error_of(c.fitted(), c), 1e-5);
}

TEST(LinearBase, FindsSeasonAndCovariate) {
  Random random(5);
  const std::vector<double> k = made(500, [&](int64_t) { return 2 * random.uniform() - 1; });
  const double season[] = {0, 3, -2, 1, 5, 0, -4};
  const std::vector<double> x = made(480, [&](int64_t r) {
    return season[r % 7] + 4 * k[static_cast<size_t>(r)] + 0.1 * random.uniform();
  });
  const Case c(x, k, 7);
  EntropeOptions with = c.options();
  with.frame.scale = false;  // so that neither is in the unit of a window's deviation
  EXPECT_LT(error_of(c.fitted(with), c), 2e-4);
  EntropeOptions without = with;
  without.frame.known = 0;
  EXPECT_GT(error_of(c.fitted(without), c), 0.1);
}

TEST(LinearBase, TakesASeasonWhereItHelpsAlone) {
  int left_out = 0;
  for (const uint64_t seed : {12, 13, 14, 15, 16, 17}) {
    const Case c(walk(200, seed), {}, 9);
    const Entrope f = c.fitted();
    EntropeOptions without = c.options();
    without.frame.season = 0;
    EXPECT_LT(error_of(f, c), 1.0001 * error_of(c.fitted(without), c)) << seed;
    left_out += f.parameters().at("frame.season").abs().max().item<double>() == 0 ? 1 : 0;
  }
  EXPECT_GT(left_out, 0);
}

TEST(LinearBase, IsTheSameForAnyNumberOfThreads) {
  Case c(walk(3000, 1), {}, 9);
  c.set.series[0].values[40] = NAN;
  const int before = at::get_num_threads();
  std::vector<at::Tensor> maps;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    maps.push_back(c.fitted().parameters().at("linear.weight").detach().clone());
  }
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(maps[0], maps[1]));
  EXPECT_TRUE(at::equal(maps[0], maps[2]));
}

TEST(LinearBase, NothingToLearnFromChangesNothing) {
  Case c(walk(100, 3));
  c.train.clear();
  EXPECT_EQ(c.fitted().parameters().at("linear.weight").abs().max().item<double>(), 0);
  Case empty(std::vector<double>(100, NAN));
  EXPECT_TRUE(empty.fitted().parameters().at("linear.weight").isfinite().all().item<bool>());
  const Case constant(std::vector<double>(100, 5));
  EXPECT_LT(error_of(constant.fitted(), constant), 1e-9);
}

}  // namespace
}  // namespace timeseries
