#include "timeseries/model/backtest_model.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "attn/error.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"
#include "tests/timeseries/model/small_model.h"
#include "timeseries/model/predict.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Trained on the first 70 % of the rows, so that the rest is a test.
ForecastModel tested_model(const SeriesSet& set, Network network = Network::entrope) {
  return fit_model(set, tail_split(set, 6, {0.1, 0.2}), test::small_options(network), {}, {}).model;
}

const MethodScores& method(const BacktestResult& result, const std::string& name) {
  for (const MethodScores& m : result.methods)
    if (m.method == name) return m;
  throw std::runtime_error("no method " + name);
}

TEST(BacktestModel, EveryWindowCounts) {
  const SeriesSet set = test::small_set(2, 400, 2);
  const ForecastModel model = tested_model(set);
  BacktestModelOptions o;
  o.windows = 5;
  test::Warnings warnings;
  const BacktestResult result = backtest_model(model, set, o, warnings.hooks());
  EXPECT_EQ(warnings.all(), "");
  EXPECT_EQ(result.windows, 2 * 2 * 5);
  EXPECT_EQ(result.refits, 0);
  ASSERT_EQ(result.methods.size(), 4U);
  EXPECT_EQ(result.methods[0].method, "entrope");
  for (const char* name : {"entrope", "dlinear", "seasonal-naive", "last-value"}) {
    const MethodScores& m = method(result, name);
    EXPECT_EQ(m.errors.windows, 20) << name;
    EXPECT_EQ(m.errors.overall().count, 120) << name;
    EXPECT_EQ(m.errors.overall().scaled, 120) << name;
  }
  ASSERT_EQ(result.forecasts.size(), 20U);
  // Forecasts are those of predict from the rows before.
  PredictOptions p;
  p.levels = o.levels;
  for (const BacktestForecast& f : result.forecasts) {
    SeriesSet past = set;
    past.series = {set.series[static_cast<size_t>(f.series)]};
    past = first_rows(past, std::vector<int64_t>{f.origin}, 0);
    const SeriesForecast want = predict(model, past, p, {}).series[0];
    const auto c = static_cast<size_t>(f.channel);
    for (size_t t = 0; t < 6; ++t) {
      EXPECT_NEAR(f.forecast[t], want.values[c * 6 + t], 1e-5);
      EXPECT_NEAR(f.high[6 + t], want.high[12 + c * 6 + t], 1e-5);
      EXPECT_EQ(f.target[t], set.series[static_cast<size_t>(f.series)]
                                 .values[(static_cast<size_t>(f.origin) + t) * 2 + c]);
    }
  }
}

TEST(BacktestModel, ErrorsAndCoverageByHand) {
  const SeriesSet set = test::small_set(1, 400);
  const ForecastModel model = tested_model(set, Network::dlinear);
  BacktestModelOptions o;
  o.windows = 7;
  o.stride = 3;
  o.levels = {0.5, 0.8};
  const BacktestResult result = backtest_model(model, set, o, {});
  ASSERT_EQ(result.methods.size(), 3U);  // DLinear beside itself it is not
  double absolute = 0, naive = 0;
  std::vector<int64_t> covered(2);
  const std::vector<double>& x = set.series[0].values;
  for (const BacktestForecast& f : result.forecasts) {
    for (size_t t = 0; t < 6; ++t) {
      absolute += std::abs(f.target[t] - f.forecast[t]);
      for (size_t k = 0; k < 2; ++k)
        covered[k] += static_cast<int64_t>(f.low[k * 6 + t] <= f.target[t] &&
                                           f.target[t] <= f.high[k * 6 + t]);
      naive += std::abs(f.target[t] - x[static_cast<size_t>(f.origin) - 24 + t]);
    }
  }
  EXPECT_EQ(result.forecasts.front().origin, 400 - 6 - 18);
  double scale = 0;
  for (size_t t = 24; t < 376; ++t) scale += std::abs(x[t] - x[t - 24]) / 352;
  const MethodScores& own = method(result, "dlinear");
  EXPECT_NEAR(own.errors.overall().value(Metric::mae), absolute / 42, 1e-9);
  EXPECT_NEAR(own.errors.overall().value(Metric::mase), absolute / 42 / scale, 1e-9);
  EXPECT_NEAR(method(result, "seasonal-naive").errors.overall().value(Metric::mae), naive / 42,
              1e-9);
  for (size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(own.intervals.overall(k).covered, covered[k]);
    EXPECT_EQ(own.intervals.overall(k).count, 42);
  }
  o.season = 7;
  EXPECT_NE(backtest_model(model, set, o, {}).methods[0].errors.overall().value(Metric::mase),
            own.errors.overall().value(Metric::mase));
}

TEST(BacktestModel, RowsBehindTheOriginMoveNothing) {
  const SeriesSet set = test::small_set(2, 400);
  const ForecastModel model = tested_model(set);
  for (const int64_t refit : {0, 2}) {
    BacktestModelOptions o;
    o.windows = 4;
    o.refit_every = refit;
    const BacktestResult before = backtest_model(model, set, o, {});
    SeriesSet changed = set;
    const int64_t origin = before.forecasts.front().origin;  // of the first window
    for (Series& s : changed.series)
      for (int64_t r = origin; r < s.rows; ++r) s.values[static_cast<size_t>(r)] = 1e7;
    const BacktestResult after = backtest_model(model, changed, o, {});
    int64_t compared = 0;
    for (size_t i = 0; i < before.forecasts.size(); ++i) {
      if (before.forecasts[i].origin != origin) continue;
      EXPECT_EQ(before.forecasts[i].forecast, after.forecasts[i].forecast);
      EXPECT_EQ(before.forecasts[i].low, after.forecasts[i].low);
      ++compared;
    }
    EXPECT_EQ(compared, 2);
    EXPECT_EQ(before.refits, refit > 0 ? 2 : 0);
  }
}

TEST(BacktestModel, TakesFewerWindowsWhereTheRowsBeforeThemAreTooFew) {
  const SeriesSet set = test::small_set(1, 400);
  const ForecastModel model = test::small_fit(set, test::small_options(Network::dlinear)).model;
  BacktestModelOptions o;
  o.naive = o.dlinear = false;
  o.windows = (400 - model.lookback()) / model.horizon();
  test::Warnings warnings;
  const BacktestResult fewer = backtest_model(model, set, o, warnings.hooks());
  EXPECT_THAT(warnings.all(), HasSubstr("too few rows before them to train on"));
  EXPECT_EQ(fewer.refits, 1);
  EXPECT_FALSE(fewer.knows_targets);
  EXPECT_LT(fewer.windows, o.windows);
  // One more would not do.
  o.windows = fewer.windows;
  test::Warnings none;
  EXPECT_EQ(backtest_model(model, set, o, none.hooks()).windows, fewer.windows);
  EXPECT_THAT(none.all(), Not(HasSubstr("too few rows before them")));
  o.windows = fewer.windows + 1;
  EXPECT_EQ(backtest_model(model, set, o, {}).windows, fewer.windows);
  // Where the model has to be trained on all rows there are, that is told.
  const SeriesSet few = test::small_set(1, model.lookback() + 3 * model.horizon() + 2);
  const ForecastModel knows = test::small_fit(few, test::small_options(Network::dlinear)).model;
  o.windows = 1;
  EXPECT_TRUE(backtest_model(knows, few, o, {}).knows_targets);
}

TEST(BacktestModel, RefitsWhereTheModelHasSeenTheWindows) {
  const SeriesSet set = test::small_set(1, 400);
  const ForecastModel model = test::small_fit(set, test::small_options(Network::dlinear)).model;
  BacktestModelOptions o;
  o.windows = 3;
  EXPECT_EQ(backtest_model(model, set, o, {}).refits, 1);
  o.refit_every = 0;
  test::Warnings warnings;
  EXPECT_EQ(backtest_model(model, set, o, warnings.hooks()).refits, 0);
  EXPECT_THAT(warnings.all(), HasSubstr("errors are too small"));
  EXPECT_TRUE(backtest_model(model, set, o, {}).knows_targets);
  // Rows that came later were not seen.
  SeriesSet later = set;
  for (int64_t r = 0; r < 60; ++r) later.series[0].values.push_back(static_cast<double>(r % 24));
  later.series[0].rows += 60;
  o.refit_every.reset();
  EXPECT_EQ(backtest_model(model, later, o, {}).refits, 0);
  EXPECT_EQ(rows_seen(model, later)[0].seen, 400);
  EXPECT_EQ(rows_seen(model, later)[0].trained, 360);
}

TEST(BacktestModel, RowsWithoutANameMayHaveBeenSeenUnderAny) {
  SeriesSet unnamed = test::small_set(1, 400), named = test::small_set(2, 400);
  const ForecastModel of_one =
                          test::small_fit(unnamed, test::small_options(Network::dlinear)).model,
                      of_two = test::small_fit(named, test::small_options(Network::dlinear)).model;
  ASSERT_EQ(unnamed.series[0].id, "");
  ASSERT_EQ(named.series[0].id, "S1");
  for (const RowsSeen& rows : rows_seen(of_one, named)) EXPECT_EQ(rows.seen, 400);
  EXPECT_EQ(rows_seen(of_two, unnamed)[0].seen, 400);
  named.series[0].id = "another";
  EXPECT_EQ(rows_seen(of_two, named)[0].seen, 0);
  EXPECT_EQ(rows_seen(of_two, named)[1].seen, 400);
}

TEST(BacktestModel, AllWindowsBehindTheTrainingRows) {
  const SeriesSet set = test::small_set(1, 400);
  const ForecastModel model = test::small_fit(set, test::small_options(Network::dlinear)).model;
  BacktestModelOptions o;
  o.windows = 0;
  o.stride = 1;
  o.refit_every = 0;
  EXPECT_EQ(backtest_model(model, set, o, {}).windows, 40 - 6 + 1);
}

TEST(BacktestModel, LeavesOutWhatIsTooShortAndSaysSo) {
  SeriesSet set = test::small_set(3, 400);
  const ForecastModel model = tested_model(set, Network::dlinear);
  set.series[1].rows = 40;
  set.series[1].values.resize(40);
  for (size_t r = 350; r < 394; ++r) set.series[2].values[r] = test::kNone;
  BacktestModelOptions o;
  o.windows = 4;
  test::Warnings warnings;
  const BacktestResult result = backtest_model(model, set, o, warnings.hooks());
  EXPECT_THAT(result.short_series, ElementsAre("S2"));
  EXPECT_THAT(warnings.all(), AllOf(HasSubstr("1 series"), HasSubstr("48 rows")));
  EXPECT_EQ(result.empty_lookbacks, 4);  // origins 376 ... 394 of S3
  EXPECT_EQ(result.windows, 4);
  EXPECT_EQ(method(result, "last-value").errors.windows, 4);
  o.windows = 100;
  EXPECT_THAT(sentence_of([&] { backtest_model(model, set, o, {}); }),
              AllOf(HasSubstr("small.csv"), HasSubstr("100 windows"), HasSubstr("400")));
}

TEST(BacktestModel, AsJsonAndFile) {
  const SeriesSet set = test::small_set(1, 400);
  BacktestModelOptions o;
  o.windows = 2;
  const BacktestResult result = backtest_model(tested_model(set), set, o, {});
  const nlohmann::json j = to_json(result);
  EXPECT_EQ(j["windows"], 2);
  EXPECT_EQ(j["method_order"].size(), 4U);
  EXPECT_EQ(j["methods"]["entrope"]["by_step"]["mae"].size(), 6U);
  EXPECT_TRUE(j["methods"]["entrope"]["coverage"]["80"].is_number());
  EXPECT_FALSE(j["methods"]["last-value"].contains("coverage"));
  const attn::test::TempFolder folder;
  write_backtest_forecasts(folder / "f.csv", result, set);
  const std::string text = attn::test::slurp(folder / "f.csv");
  EXPECT_THAT(text, testing::StartsWith("series,channel,origin,step,stamp,target,forecast,lower-80,"
                                        "upper-80,lower-95,upper-95\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 13);
}

}  // namespace
}  // namespace timeseries
