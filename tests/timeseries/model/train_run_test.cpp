#include "timeseries/model/train_run.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "attn/error.h"
#include "attn/hooks.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"
#include "tests/timeseries/model/small_model.h"
#include "timeseries/model/describe.h"
#include "timeseries/model/outputs.h"
#include "timeseries/model/predict.h"
#include "timeseries/series/write_series.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using attn::test::TempFolder;
using testing::HasSubstr;

TrainRunOptions small_run(Network network = Network::entrope) {
  TrainRunOptions o;
  o.model = test::small_options(network);
  return o;
}

TEST(TrainRun, LeavesAModelAndItsMetrics) {
  const TempFolder folder;
  const SeriesSet set = test::small_set(1, 400);
  TrainRunOptions o = small_run();
  o.split.test = 0.2;
  const TrainRunResult result = train_run(set, o, folder / "run", {});
  EXPECT_THAT(attn::test::listing(folder / "run"),
              testing::ElementsAre("entropy-metrics.csv", "metrics.csv", "model.safetensors"));
  EXPECT_EQ(result.metrics["test"]["windows"], 80 - 6 + 1);
  EXPECT_EQ(result.metrics["validation"]["mse"], result.fit.validation.mse);
  // The intervals hold what they promise on the windows that they were made of.
  EXPECT_EQ(result.metrics["validation"]["windows"], 27);
  EXPECT_NEAR(result.metrics["validation"]["coverage"]["80"].get<double>(), 0.8, 0.05);
  const ForecastModel model = load_forecast_model(model_path_of(folder / "run"));
  EXPECT_EQ(model.metrics, result.metrics);
  EXPECT_TRUE(training_stands(folder / "run", set, o));
  o.model.seed = 1;
  EXPECT_FALSE(training_stands(folder / "run", set, o));
  o.model.seed = 0;
  SeriesSet longer = set;
  longer.series[0].values[3] += 1;
  EXPECT_FALSE(training_stands(folder / "run", longer, o));
  attn::test::put(folder / "run/model.safetensors", "damaged");
  EXPECT_FALSE(training_stands(folder / "run", set, o));
}

TEST(TrainRun, TellsWhereAModelIsNoBetterThanANaiveOne) {
  const TempFolder folder;
  const SeriesSet set = test::small_set(1, 400);
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view text) { warnings.emplace_back(text); };
  const nlohmann::json part =
      train_run(set, small_run(Network::seasonal_naive), folder / "run", hooks)
          .metrics["validation"];
  const nlohmann::json& naive = part["naive"]["seasonal-naive"];
  EXPECT_NEAR(part["mae"].get<double>(), naive["mae"].get<double>(), 1e-6);
  EXPECT_NEAR(part["mse"].get<double>(), naive["mse"].get<double>(), 1e-6);
  EXPECT_GT(part["naive"]["last-value"]["mae"].get<double>(), 0);
  EXPECT_THAT(warnings, testing::Not(testing::Contains(testing::HasSubstr("no better than"))));
  TrainRunOptions untaught = small_run(Network::dlinear);
  untaught.model.fit.optimisation.lr = 1e-9;
  train_run(set, untaught, folder / "untaught", hooks);
  EXPECT_THAT(warnings, testing::Contains(testing::HasSubstr("no better than seasonal-naive")));
}

TEST(TrainRun, ItsFilesAreNotWrittenOver) {
  const TempFolder folder;
  const auto files = files_of_run(folder / "run");
  for (const char* name : {"run/model.safetensors", "run/metrics.csv", "run/run.json"})
    EXPECT_THROW(refuse_overwriting({folder / name}, files), attn::UsageError) << name;
  attn::test::put(folder / "m.safetensors", "x");
  EXPECT_THAT(files_of_run(folder / "m.safetensors"),
              testing::ElementsAre(folder / "m.safetensors"));
}

TEST(TrainRun, AFileIsToldByItsContent) {
  const TempFolder folder;
  const SeriesSet set = test::small_set(2, 300);
  write_series(folder / "data.csv", set);
  train_run(set, small_run(Network::dlinear), folder / "run", {});
  const nlohmann::json data = describe(folder / "data.csv", {}, {});
  EXPECT_EQ(data["kind"], "series");
  EXPECT_EQ(data["series"], 2);
  EXPECT_EQ(data["longest"], 300);
  EXPECT_EQ(data["frequency"], "h");
  EXPECT_EQ(data["first"], "2020-01-01 00:00:00");
  const nlohmann::json model = describe(folder / "run/model.safetensors", {}, {});
  EXPECT_EQ(model["network"], "dlinear");
  EXPECT_EQ(model["horizon"], 6);
  EXPECT_EQ(model["kind"], "forecast model");
  const nlohmann::json run = describe(folder / "run", {}, {});
  EXPECT_EQ(run["kind"], "run directory");
  EXPECT_EQ(run["model"], model);
  const ForecastModel loaded = load_forecast_model(folder / "run/model.safetensors");
  PredictOptions o;
  o.levels = {0.8};
  write_forecast(folder / "f.csv", forecast_table(predict(loaded, set, o, {})), set);
  const nlohmann::json forecast = describe(folder / "f.csv", {}, {});
  EXPECT_EQ(forecast["kind"], "forecast");
  EXPECT_EQ(forecast["rows"], 12);
  EXPECT_EQ(forecast["levels"], nlohmann::json({"80"}));
  std::string holed = attn::test::slurp(folder / "data.csv");
  const size_t line = holed.find("S2,2020-01-03 00:00:00");
  ASSERT_NE(line, std::string::npos);
  holed.erase(line, holed.find('\n', line) + 1 - line);
  attn::test::put(folder / "holed.csv", holed);
  const nlohmann::json gap = describe(folder / "holed.csv", {}, {});
  EXPECT_EQ(gap["gaps"], 1);
  EXPECT_THAT(gap["first_gap"].get<std::string>(), HasSubstr("holed.csv: row"));
  EXPECT_THAT(sentence_of([&] { describe(folder / "none.csv", {}, {}); }), HasSubstr("none.csv"));
  attn::test::put(folder / "text.txt", "hello\n");
  EXPECT_THAT(sentence_of([&] { describe(folder / "text.txt", {}, {}); }), HasSubstr("text.txt"));
}

}  // namespace
}  // namespace timeseries
