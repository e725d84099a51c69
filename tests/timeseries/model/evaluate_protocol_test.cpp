#include "timeseries/model/evaluate_protocol.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "attn/error.h"
#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"
#include "tests/timeseries/model/small_model.h"
#include "timeseries/series/read.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::AllOf;
using testing::HasSubstr;

EvaluateOptions small_evaluation(Network network) {
  EvaluateOptions o;
  o.protocol = protocol_of("70-10-20");
  o.model = test::small_options(network);
  o.horizon = 6;
  o.baselines = {};
  return o;
}

TEST(EvaluateProtocol, SeasonalNaiveOfM4IsThePublishedOne) {
  const auto train = attn::test::shared_data("timeseries/M4-Hourly-train.csv");
  const auto test = attn::test::shared_data("timeseries/M4-Hourly-test.csv");
  ATTN_NEED_SHARED_DATA(train);
  ATTN_NEED_SHARED_DATA(test);
  const SeriesSet set = joined(read_series(train).set, read_series(test).set);
  EvaluateOptions o;
  o.protocol = protocol_of("m4-hourly");
  o.model = default_options(Network::seasonal_naive);
  o.baselines = {};
  const EvaluationResult result = evaluate_protocol(set, o, {});
  EXPECT_EQ(result.test_windows, 414);
  EXPECT_EQ(result.horizon, 48);
  EXPECT_EQ(result.season, 24);
  ASSERT_EQ(result.methods.size(), 2U);
  EXPECT_NEAR(result.methods[0].seeds[0].mase, 1.193, 5e-4);
  EXPECT_NEAR(result.methods[0].seeds[0].smape, 13.912, 5e-4);
  EXPECT_EQ(result.methods[1].method, "last-value");
  EXPECT_NEAR(result.methods[1].seeds[0].mase, 11.61, 5e-3);
  EXPECT_NEAR(result.methods[1].seeds[0].smape, 43.00, 5e-3);
  EXPECT_GT(result.methods[0].seeds[0].coverage, 0.6);
  o.horizon = 24;
  EXPECT_THAT(sentence_of([&] { evaluate_protocol(set, o, {}); }),
              AllOf(HasSubstr("m4-hourly"), HasSubstr("48"), HasSubstr("24")));
}

TEST(EvaluateProtocol, FloorsOfEtth1OverEveryTestWindow) {
  const auto path = attn::test::shared_data("timeseries/ETTh1.csv");
  ATTN_NEED_SHARED_DATA(path);
  EvaluateOptions o;
  o.protocol = protocol_of("ett-hour");
  o.model = default_options(Network::seasonal_naive);
  o.model.lookback = 96;
  o.baselines = {};
  const EvaluationResult result = evaluate_protocol(read_series(path).set, o, {});
  EXPECT_EQ(result.test_windows, 7 * (2880 - 96 + 1));
  EXPECT_EQ(result.values, 7 * 2785 * 96);
  EXPECT_EQ(result.lookback, 96);
  EXPECT_NEAR(result.methods[0].seeds[0].mse, .512, 5e-4);
  EXPECT_NEAR(result.methods[0].seeds[0].mae, .433, 5e-4);
  EXPECT_NEAR(result.methods[1].seeds[0].mse, 1.294, 5e-4);
  EXPECT_NEAR(result.methods[1].seeds[0].mae, .713, 5e-4);
  EXPECT_TRUE(std::isnan(result.methods[0].seeds[0].mase));
}

TEST(EvaluateProtocol, ATableOfAllMethodsOverSeeds) {
  const SeriesSet set = test::small_set(1, 400, 2);
  EvaluateOptions o = small_evaluation(Network::entrope);
  o.seeds = 2;
  o.baselines = {Network::dlinear, Network::entrope};
  const EvaluationResult result = evaluate_protocol(set, o, {});
  EXPECT_EQ(result.test_windows, 2 * (80 - 6 + 1));
  ASSERT_EQ(result.methods.size(), 4U);
  EXPECT_EQ(result.methods[1].method, "dlinear");
  EXPECT_EQ(result.methods[0].seeds.size(), 2U);
  EXPECT_EQ(result.methods[2].seeds.size(), 1U);
  const MethodEvaluation& taught =
      result.methods[1];  // a network may not count beside its linear map
  EXPECT_NE(taught.seeds[0].mse, taught.seeds[1].mse);
  const double a = taught.seeds[0].mse, b = taught.seeds[1].mse;
  EXPECT_DOUBLE_EQ(over_seeds(taught, &TestScores::mse).mean, (a + b) / 2);
  EXPECT_NEAR(over_seeds(taught, &TestScores::mse).sd, std::abs(a - b) / std::sqrt(2), 1e-12);
  const OverSeeds mse = over_seeds(result.methods[0], &TestScores::mse);
  const nlohmann::json j = to_json(result);
  EXPECT_EQ(j["mse"]["mean"], mse.mean);
  EXPECT_TRUE(j["mae"]["sd"].is_number());
  EXPECT_TRUE(j["methods"]["last-value"]["mse"]["sd"].is_null());
  EXPECT_FALSE(j.contains("mase"));
  EXPECT_EQ(j["methods"]["entrope"]["runs"].size(), 2U);
  EXPECT_GT(j["methods"]["dlinear"]["parameters"], 0);
}

TEST(EvaluateProtocol, AnInterruptedCallGoesOn) {
  const attn::test::TempFolder folder;
  const SeriesSet set = test::small_set(1, 400);
  EvaluateOptions o = small_evaluation(Network::dlinear);
  o.seeds = 2;
  const EvaluationResult whole = evaluate_protocol(set, o, {});
  o.files.folder = folder.path();
  std::atomic<bool> stop = false;
  attn::Hooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&](std::string_view what, int64_t, int64_t) {
    if (what == "dlinear runs") stop = true;
  };
  EXPECT_THROW(evaluate_protocol(set, o, hooks), attn::Interrupted);
  EXPECT_TRUE(std::filesystem::exists(folder / "dlinear-seed-0/model.safetensors"));
  int64_t epochs = 0;
  attn::Hooks count;
  count.progress = [&](std::string_view what, int64_t, int64_t) {
    epochs += static_cast<int64_t>(what == "epochs");
  };
  const EvaluationResult rest = evaluate_protocol(set, o, count);
  EXPECT_EQ(epochs, 2);  // of the second run alone
  for (size_t run = 0; run < 2; ++run)
    EXPECT_EQ(rest.methods[0].seeds[run].mse, whole.methods[0].seeds[run].mse);
}

TEST(EvaluateProtocol, TestRowsTrainNothing) {
  SeriesSet set = test::small_set(1, 400);
  const EvaluateOptions o = small_evaluation(Network::dlinear);
  const double before = evaluate_protocol(set, o, {}).methods[0].seeds[0].mse;
  // The last row is in one window's last step alone.
  set.series[0].values.back() += 1;
  const double after = evaluate_protocol(set, o, {}).methods[0].seeds[0].mse;
  EXPECT_LT(std::abs(after - before), 0.01);
  EXPECT_NE(after, before);
}

TEST(EvaluateProtocol, TellsWhichSeriesAreTooShort) {
  SeriesSet set = test::small_set(3, 400);
  set.series[1] = test::small_set(1, 20).series[0];
  set.series[1].id = "stub";
  const EvaluateOptions o = small_evaluation(Network::seasonal_naive);
  test::Warnings warnings;
  const EvaluationResult result = evaluate_protocol(set, o, warnings.hooks());
  EXPECT_THAT(result.short_series, testing::ElementsAre("stub"));
  EXPECT_EQ(result.test_windows, 2 * (80 - 6 + 1));
  EXPECT_EQ(to_json(result)["series_left_out"], nlohmann::json({"stub"}));
  EXPECT_THAT(warnings.all(), HasSubstr("1 series is too short"));
  EXPECT_THAT(warnings.all(), HasSubstr("('stub')"));
}

// One series that rises by 1 each row: last season's value is m off, m rows ago.
TEST(EvaluateProtocol, MaseIsScaledByTheSeasonAskedFor) {
  SeriesSet set = test::small_set(1, 400);
  for (size_t r = 0; r < 400; ++r) set.series[0].values[r] = static_cast<double>(r);
  EvaluateOptions o = small_evaluation(Network::seasonal_naive);
  o.protocol = protocol_of("m4-hourly");
  o.horizon.reset();
  for (const int64_t season : {1, 12, 24}) {
    o.model.season = season;
    const EvaluationResult result = evaluate_protocol(set, o, {});
    EXPECT_EQ(result.season, season);
    ASSERT_EQ(result.methods[1].method, "last-value");
    // Errors of the last value at steps 1 ... 48, over the mean seasonal difference.
    EXPECT_NEAR(result.methods[1].seeds[0].mase, 24.5 / static_cast<double>(season), 1e-9);
  }
}

TEST(EvaluateProtocol, NoTwoMethodsHaveOneName) {
  EvaluateOptions o = small_evaluation(Network::dlinear);
  o.baselines = {Network::seasonal_naive};
  const EvaluationResult result = evaluate_protocol(test::small_set(1, 400), o, {});
  ASSERT_EQ(result.methods.size(), 3U);
  EXPECT_EQ(result.methods[1].method, "seasonal-naive");
  EXPECT_EQ(result.methods[2].method, "last-value");
}

TEST(EvaluateProtocol, RefusesWhatCannotBeTested) {
  const SeriesSet set = test::small_set(1, 100);
  EvaluateOptions o = small_evaluation(Network::dlinear);
  o.protocol = protocol_of("ett-hour");
  EXPECT_THAT(sentence_of([&] { evaluate_protocol(set, o, {}); }), HasSubstr("small.csv"));
  o = small_evaluation(Network::dlinear);
  o.horizon = 30;
  EXPECT_THAT(sentence_of([&] { evaluate_protocol(set, o, {}); }), HasSubstr("no test window"));
  o = small_evaluation(Network::dlinear);
  o.seeds = 0;
  EXPECT_THROW(evaluate_protocol(set, o, {}), attn::UsageError);
}

}  // namespace
}  // namespace timeseries
