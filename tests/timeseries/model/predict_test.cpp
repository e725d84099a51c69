#include "timeseries/model/predict.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "attn/error.h"
#include "libattn/train/threads.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"
#include "tests/timeseries/model/small_model.h"
#include "timeseries/model/intervals.h"
#include "timeseries/score/residuals.h"
#include "timeseries/series/calendar.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

PredictOptions with_levels() {
  PredictOptions o;
  o.levels = {0.8, 0.95};
  return o;
}

/// Two channels, three series of which one is short.
SeriesSet uneven_set() {
  SeriesSet set = test::small_set(3, 300, 2);
  set.series[1].rows = 180;
  set.series[1].values.resize(360);
  return set;
}

TEST(Predict, IsTheNetworksForwardInTheUnitsOfTheData) {
  const SeriesSet set = test::small_set(1, 300, 2);
  const ForecastModel model = test::small_fit(set, test::small_options()).model;
  const ForecastResult result = predict(model, set, with_levels(), {});
  ASSERT_EQ(result.series.size(), 1U);
  const SeriesForecast& f = result.series[0];
  EXPECT_EQ(f.origin, 300);
  EXPECT_EQ(f.stamps.size(), 6U);
  EXPECT_EQ(f.stamps[0], set.series[0].start + 300 * 3600);
  // By hand: the last 24 rows standardised, through the network, and back.
  WindowBatch batch;
  batch.values = at::empty({2, 24}, at::kFloat);
  batch.phase = at::full({2}, 300 % 24, at::kLong);
  batch.channel = at::arange(2, at::kLong);
  std::vector<std::vector<double>> look(2);
  for (int64_t c = 0; c < 2; ++c) {
    const Moments& m = model.scaler.values[static_cast<size_t>(c)];
    for (int64_t t = 0; t < 24; ++t) {
      const double x = set.series[0].values[static_cast<size_t>((276 + t) * 2 + c)];
      look[static_cast<size_t>(c)].push_back(x);
      batch.values[c][t] = static_cast<float>((x - m.mean) / m.sd);
    }
  }
  const int64_t step = set.series[0].start / 3600 - 4 * 24;  // hours since a Monday
  batch.phase.fill_((step + 300) % 24);
  const at::Tensor y = model.forecaster->forward(batch);
  const ConformalIntervals at = intervals_at(model.intervals, {0.8, 0.95});
  for (int64_t c = 0; c < 2; ++c) {
    const Moments& m = model.scaler.values[static_cast<size_t>(c)];
    const double scale = residual_scale(look[static_cast<size_t>(c)], 24);
    for (int64_t t = 0; t < 6; ++t) {
      const auto i = static_cast<size_t>(c * 6 + t);
      EXPECT_NEAR(f.values[i], y[c][t].item<double>() * m.sd + m.mean, 1e-9);
      for (size_t k = 0; k < 2; ++k) {
        EXPECT_NEAR(f.low[k * 12 + i], f.values[i] + scale * at.low[k * 12 + i], 1e-9);
        EXPECT_NEAR(f.high[k * 12 + i], f.values[i] + scale * at.high[k * 12 + i], 1e-9);
      }
      EXPECT_LE(f.low[12 + i], f.low[i]);
      EXPECT_GE(f.high[12 + i], f.high[i]);
    }
  }
}

TEST(Predict, ASeriesAloneAndAmongOthersIsTheSame) {
  const SeriesSet set = uneven_set();
  const ForecastModel model = test::small_fit(set, test::small_options()).model;
  const ForecastResult all = predict(model, set, with_levels(), {});
  ASSERT_EQ(all.series.size(), 3U);
  for (size_t s = 0; s < 3; ++s) {
    SeriesSet alone = set;
    alone.series = {set.series[s]};
    PredictOptions o = with_levels();
    o.batch = 1;
    const attn::train::ThreadLimit limit(s == 0 ? 1 : 2);
    const SeriesForecast own = predict(model, alone, o, {}).series.at(0);
    for (size_t i = 0; i < own.values.size(); ++i)
      EXPECT_NEAR(own.values[i], all.series[s].values[i], 1e-6 * std::abs(own.values[i]));
    for (size_t i = 0; i < own.low.size(); ++i)
      EXPECT_NEAR(own.low[i], all.series[s].low[i], 1e-6 * std::abs(own.low[i]) + 1e-6);
    EXPECT_EQ(own.stamps, all.series[s].stamps);
  }
  EXPECT_EQ(all.series[1].origin, 180);
}

TEST(Predict, OfASeriesThatTheModelNeverMet) {
  const SeriesSet set = uneven_set();
  const ForecastModel model = test::small_fit(set, test::small_options()).model;
  SeriesSet fresh = set;
  fresh.series = {set.series[0]};
  fresh.series[0].id = "new";
  for (double& x : fresh.series[0].values) x = 1000 + 50 * x;
  const SeriesForecast f = predict(model, fresh, with_levels(), {}).series.at(0);
  for (size_t t = 0; t < 6; ++t) {
    EXPECT_GT(f.values[t], 1000);
    EXPECT_LT(f.values[t], 1000 + 50 * 60);
  }
}

TEST(Predict, GoesOnPastSeriesThatCannotBeForecast) {
  SeriesSet set = test::small_set(5, 300, 2);
  const ForecastModel model = test::small_fit(set, test::small_options()).model;
  set.series[0].rows = 5;  // a quarter of the look-back is 6
  set.series[0].values.resize(10);
  set.series[1].rows = 10;  // short, and enough
  set.series[1].values.resize(20);
  for (size_t r = 276; r < 300; ++r) set.series[2].values[2 * r + 1] = test::kNone;
  for (size_t r = 276; r < 299; ++r) set.series[3].values[2 * r] = test::kNone;
  const ForecastResult result = predict(model, set, with_levels(), {});
  ASSERT_EQ(result.failures.size(), 2U);
  EXPECT_EQ(result.failures[0].id, "S1");
  EXPECT_THAT(result.failures[0].sentence, AllOf(HasSubstr("small.csv"), HasSubstr("'S1'"),
                                                 HasSubstr("5 rows"), HasSubstr("6")));
  EXPECT_THAT(result.failures[1].sentence,
              AllOf(HasSubstr("'S3'"), HasSubstr("'other'"), HasSubstr("all missing")));
  ASSERT_EQ(result.series.size(), 3U);
  EXPECT_EQ(result.series[0].id, "S2");
  EXPECT_EQ(result.series[0].origin, 10);
  for (const SeriesForecast& f : result.series)
    for (const std::vector<double>* numbers : {&f.values, &f.low, &f.high})
      EXPECT_TRUE(std::all_of(numbers->begin(), numbers->end(), [](double x) {
        return std::isfinite(x);
      })) << f.id;
  const attn::test::TempFolder folder;
  write_failures(folder / "failures.csv", result.failures);
  EXPECT_THAT(attn::test::slurp(folder / "failures.csv"),
              AllOf(HasSubstr("item,reason\n"), HasSubstr("S3,")));
  write_failures(folder / "failures.csv", {});
  EXPECT_TRUE(attn::test::listing(folder.path()).empty());
}

TEST(Predict, AConstantSeriesStaysWhereItIs) {
  SeriesSet set = test::small_set(2, 300);
  const ForecastModel model = test::small_fit(set, test::small_options()).model;
  set.series[1].id = "flat";
  for (double& x : set.series[1].values) x = 42;
  const SeriesForecast f = predict(model, set, with_levels(), {}).series.at(1);
  for (size_t t = 0; t < 6; ++t) {
    EXPECT_TRUE(std::isfinite(f.values[t]));
    EXPECT_EQ(f.low[t], f.values[t]);
  }
}

TEST(Predict, FewerStepsAreTheFirstOnes) {
  const SeriesSet set = test::small_set(1, 300);
  const ForecastModel model = test::small_fit(set, test::small_options()).model;
  PredictOptions o = with_levels();
  const SeriesForecast all = predict(model, set, o, {}).series[0];
  o.horizon = 2;
  const SeriesForecast two = predict(model, set, o, {}).series[0];
  EXPECT_THAT(two.values, ElementsAre(all.values[0], all.values[1]));
  EXPECT_THAT(two.low, ElementsAre(all.low[0], all.low[1], all.low[6], all.low[7]));
  EXPECT_EQ(two.stamps.size(), 2U);
  o.horizon = 7;
  EXPECT_THAT(sentence_of([&] { predict(model, set, o, {}); }),
              AllOf(HasSubstr("6 steps"), HasSubstr("7"), HasSubstr("--horizon")));
  o.horizon = -1;
  EXPECT_THROW(predict(model, set, o, {}), attn::UsageError);
}

TEST(Predict, AsATable) {
  const SeriesSet set = uneven_set();
  const ForecastModel model = test::small_fit(set, test::small_options(Network::dlinear)).model;
  const ForecastResult result = predict(model, set, with_levels(), {});
  const ForecastTable table = forecast_table(result);
  EXPECT_THAT(table.names, ElementsAre("forecast", "lower-80", "upper-80", "lower-95", "upper-95"));
  ASSERT_EQ(table.instants.size(), 36U);
  const size_t row = 12 + 6 + 4;  // series S2, channel other, step 5
  EXPECT_EQ(table.ids[row], "S2");
  EXPECT_EQ(table.channels[row], "other");
  EXPECT_EQ(table.instants[row], set.series[1].start + 184 * 3600);
  EXPECT_EQ(table.values[row * 5], result.series[1].values[10]);
  EXPECT_EQ(table.values[row * 5 + 3], result.series[1].low[12 + 10]);
  EXPECT_EQ(table.values[row * 5 + 2], result.series[1].high[10]);
}

/// A value that a covariate known ahead doubles on some days: learned, and asked for.
SeriesSet promoted_set() {
  SeriesSet set = test::small_set(1, 400);
  set.future_names = {"promotion"};
  Series& s = set.series[0];
  s.ahead = 6;
  for (int64_t r = 0; r < 406; ++r) s.future.push_back((r / 5) % 3 == 0 ? 1 : 0);
  for (size_t r = 0; r < 400; ++r) s.values[r] = 10 * s.future[r] + 0.01 * s.values[r];
  return set;
}

TEST(Predict, CovariatesKnownAheadAreUsedAndNeeded) {
  SeriesSet set = promoted_set();
  ModelOptions o = test::small_options(Network::dlinear);
  o.fit.optimisation.epochs = 20;
  o.fit.optimisation.schedule = attn::train::LrSchedule::constant;
  const ForecastModel model = test::small_fit(set, o).model;
  EXPECT_EQ(model.options.dlinear.frame.known, 1);
  const std::vector<double> f = predict(model, set, {}, {}).series[0].values;
  // The same past with promotions turned around ahead.
  for (size_t r = 400; r < 406; ++r) set.series[0].future[r] = 1 - set.series[0].future[r];
  const std::vector<double> g = predict(model, set, {}, {}).series[0].values;
  for (size_t t = 0; t < 6; ++t)
    EXPECT_GT((g[t] - f[t]) * (set.series[0].future[400 + t] > 0 ? 1 : -1), 1) << t;
  set.series[0].ahead = 4;
  set.series[0].future.resize(404);
  EXPECT_THAT(sentence_of([&] { predict(model, set, {}, {}); }),
              AllOf(HasSubstr("known ahead must reach 6 steps"),
                    HasSubstr("'2020-01-17 20:00:00', '2020-01-17 21:00:00'")));
  PredictOptions shorter;
  shorter.horizon = 4;
  EXPECT_THAT(predict(model, set, shorter, {}).series[0].values,
              ElementsAre(g[0], g[1], g[2], g[3]));
}

}  // namespace
}  // namespace timeseries
