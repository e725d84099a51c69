#include "timeseries/model/fit_model.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/train/threads.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"
#include "tests/timeseries/model/small_model.h"
#include "timeseries/forecast/make.h"
#include "timeseries/model/predict.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using attn::test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;

std::string bytes_of(const ForecastModel& model) {
  const TempFolder folder;
  save_forecast_model(folder / "m.safetensors", model);
  return attn::test::slurp(folder / "m.safetensors");
}

/// All numbers that were learned, and the intervals.
void expect_same_numbers(const ForecastModel& a, const ForecastModel& b) {
  const auto mine = forecaster_tensors(*a.forecaster), theirs = forecaster_tensors(*b.forecaster);
  ASSERT_EQ(mine.size(), theirs.size());
  for (size_t i = 0; i < mine.size(); ++i)
    EXPECT_TRUE(at::equal(mine[i].second, theirs[i].second)) << mine[i].first;
  EXPECT_EQ(a.patcher.has_value(), b.patcher.has_value());
  if (a.patcher) {
    EXPECT_EQ(a.patcher->config(), b.patcher->config());
  }
  EXPECT_EQ(a.intervals.high, b.intervals.high);
}

/// Interrupts a fit at its `calls`-th report of progress and goes on, until it ends.
ModelFit disturbed(const SeriesSet& set, const ModelOptions& options, const FitFiles& files,
                   int64_t calls, int& kills) {
  for (;;) {
    std::atomic<bool> stop = false;
    int64_t left = calls + kills / 8;
    attn::Hooks hooks;
    hooks.stop = &stop;
    hooks.progress = [&](std::string_view, int64_t, int64_t) {
      if (--left == 0) stop = true;
    };
    try {
      return fit_model(set, tail_split(set, options.horizon), options, files, hooks);
    } catch (const attn::Interrupted&) {
      ++kills;
    }
    if (kills > 60) throw std::runtime_error("the fit does not get on");
  }
}

TEST(FitModel, KilledAndResumedIsTheSameByteForByte) {
  const SeriesSet set = test::small_set(2, 300);
  const ModelOptions options = test::small_options();
  const std::string whole = bytes_of(test::small_fit(set, options).model);
  for (const int64_t calls : {1, 2}) {
    const TempFolder folder;
    int kills = 0;
    const FitFiles files{folder.path(), 0, true};
    const ModelFit fit = disturbed(set, options, files, calls, kills);
    EXPECT_GE(kills, 2);
    EXPECT_EQ(bytes_of(fit.model), whole);
    EXPECT_EQ(fit.entropy.history.size(), 2U);  // also of a stage that an earlier call finished
    remove_checkpoints(files);
    EXPECT_THAT(attn::test::listing(folder.path()),
                testing::ElementsAre("entropy-metrics.csv", "metrics.csv"));
  }
}

TEST(FitModel, CheckpointsOfOtherSettingsAreGivenUp) {
  const TempFolder folder;
  const SeriesSet set = test::small_set(1, 300);
  ModelOptions options = test::small_options();
  std::atomic<bool> stop = true;
  attn::Hooks stopping;
  stopping.stop = &stop;
  const FitFiles files{folder.path(), 0, true};
  EXPECT_THROW(fit_model(set, tail_split(set, 6), options, files, stopping), attn::Interrupted);
  options.seed = 9;
  test::Warnings warnings;
  const ModelFit fit = fit_model(set, tail_split(set, 6), options, files, warnings.hooks());
  EXPECT_THAT(warnings.all(), HasSubstr("other settings or data"));
  EXPECT_EQ(bytes_of(fit.model), bytes_of(test::small_fit(set, options).model));
}

TEST(FitModel, ThreadsMakeNoDifference) {
  const SeriesSet set = test::small_set(1, 300);
  const auto at_threads = [&](int threads) {
    const attn::train::ThreadLimit limit(threads);
    return bytes_of(test::small_fit(set, test::small_options()).model);
  };
  EXPECT_EQ(at_threads(1), at_threads(2));
}

TEST(FitModel, AConstantSeriesIsForecastAsWhatItIs) {
  SeriesSet set = test::small_set(1, 300);
  for (double& x : set.series[0].values) x = 7;
  for (const Network network :
       {Network::entrope, Network::patchtst, Network::dlinear, Network::seasonal_naive}) {
    test::Warnings warnings;
    const ModelOptions o = test::small_options(network);
    const ForecastModel model = fit_model(set, tail_split(set, 6), o, {}, warnings.hooks()).model;
    EXPECT_THAT(warnings.all(), HasSubstr("constant"));
    EXPECT_THAT(warnings.all(), HasSubstr("no intervals, since its values stay the same"));
    EXPECT_TRUE(model.intervals.levels.empty());
    const ForecastResult result = predict(model, set, {}, {});
    ASSERT_EQ(result.series.size(), 1U);
    for (const double f : result.series[0].values) EXPECT_NEAR(f, 7, 0.5) << to_string(network);
    PredictOptions with_levels;
    with_levels.levels = {0.8};
    EXPECT_THROW(predict(model, set, with_levels, {}), attn::UsageError);
  }
}

TEST(FitModel, ProbesKnowLayersByNameAndEpoch) {
  const SeriesSet set = test::small_set(1, 300);
  std::vector<std::string> names;
  ModelOptions o = test::small_options();
  o.entrope.decoder_blocks = true;
  const attn::Probe probe;
  test::small_fit(set, o);
  for (const auto& layer : probe.report().layers) {
    names.push_back(layer.name);
    ASSERT_EQ(layer.steps.size(), 2U) << layer.name;
    EXPECT_EQ(layer.steps[0].step, 1);
    EXPECT_EQ(layer.steps[1].step, 2);
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre(
                         "training.encoder.0", "training.encoder.0.cross", "training.global.0",
                         "training.decoder.0", "validation.encoder.0", "validation.encoder.0.cross",
                         "validation.global.0", "validation.decoder.0"));
}

TEST(FitModel, TheSeedDecides) {
  const SeriesSet set = test::small_set(1, 300);
  ModelOptions options = test::small_options();
  const ModelFit a = test::small_fit(set, options), b = test::small_fit(set, options);
  expect_same_numbers(a.model, b.model);
  options.seed = 1;
  EXPECT_NE(a.model.intervals.high, test::small_fit(set, options).model.intervals.high);
}

TEST(FitModel, RowsOfTheTestPartMoveNothing) {
  SeriesSet set = test::small_set(2, 300);
  const Split split = tail_split(set, 6, {0.1, 0.2});
  const ModelOptions options = test::small_options();
  const ModelFit before = fit_model(set, split, options, {}, {});
  for (size_t s = 0; s < 2; ++s)
    for (int64_t r = split.test[s].begin; r < split.test[s].end; ++r)
      set.series[s].values[static_cast<size_t>(r)] = 1e6;
  const ModelFit after = fit_model(set, split, options, {}, {});
  expect_same_numbers(before.model, after.model);
  EXPECT_EQ(before.validation.mse, after.validation.mse);
}

TEST(FitModel, ScalingIsThatOfTheTrainingRows) {
  SeriesSet set = test::small_set(1, 300);
  const Split split = tail_split(set, 6);
  double sum = 0;
  for (int64_t r = 0; r < split.train[0].end; ++r)
    sum += set.series[0].values[static_cast<size_t>(r)];
  const ModelFit fit = fit_model(set, split, test::small_options(Network::dlinear), {}, {});
  EXPECT_NEAR(fit.model.scaler.values[0].mean, sum / static_cast<double>(split.train[0].end), 1e-9);
}

TEST(FitModel, TheTokenisersRangeIsLearnedOrNamed) {
  const SeriesSet set = test::small_set(1, 300);
  ModelOptions o = test::small_options();
  EXPECT_NE(test::small_fit(set, o).model.patcher->tokeniser().options().high, 3);
  o.patching.range = 3;
  EXPECT_EQ(test::small_fit(set, o).model.patcher->tokeniser().options().low, -3);
  o.patching.boundaries.rule = CutRule::fixed;
  o.patching.boundaries.length = 5;
  const ModelFit fixed = test::small_fit(set, o);
  EXPECT_FALSE(fixed.model.patcher->has_model());
  EXPECT_TRUE(fixed.entropy.history.empty());
  EXPECT_EQ(fixed.model.training["patch_length"], 24.0 / 5);  // 5 5 5 5 4
}

TEST(FitModel, ThresholdsAreFittedToAMeanLength) {
  const SeriesSet set = test::small_set(1, 400);
  ModelOptions o = test::small_options();
  o.patching.mean_length = 4;
  const ModelFit fit = test::small_fit(set, o);
  EXPECT_NEAR(fit.model.training["patch_length"].get<double>(), 4, 0.5);
  o.patching.mean_length = 0;
  o.patching.boundaries.threshold = 1.5;
  EXPECT_EQ(test::small_fit(set, o).model.patcher->boundaries().threshold, 1.5);
}

TEST(FitModel, TellsWhatItLeavesOut) {
  SeriesSet set = test::small_set(3, 300);
  Series& brief = set.series[1];
  brief.rows = 20;
  brief.values.resize(20);
  for (double& x : set.series[2].values) x = 4;
  test::Warnings warnings;
  const ModelOptions o = test::small_options(Network::dlinear);
  const ModelFit fit = fit_model(set, tail_split(set, 6), o, {}, warnings.hooks());
  EXPECT_THAT(warnings.all(), AllOf(HasSubstr("1 series is too short"), HasSubstr("'S2'"),
                                    HasSubstr("'S3'"), HasSubstr("constant")));
  EXPECT_EQ(fit.model.training["short_series"], 1);
}

TEST(FitModel, RefusesWhatCannotBeTrainedOn) {
  SeriesSet set = test::small_set(1, 300);
  for (double& x : set.series[0].values) x = test::kNone;
  EXPECT_THAT(sentence_of([&] { test::small_fit(set, test::small_options(Network::dlinear)); }),
              AllOf(HasSubstr("small.csv"), HasSubstr("no window")));
  const SeriesSet brief = test::small_set(1, 25);
  EXPECT_THAT(sentence_of([&] { test::small_fit(brief, test::small_options()); }),
              HasSubstr("--lookback"));
}

TEST(FitModel, WithoutValidationThereAreNoIntervals) {
  const SeriesSet set = test::small_set(1, 300);
  test::Warnings warnings;
  const ModelOptions o = test::small_options(Network::dlinear);
  const ModelFit fit = fit_model(set, tail_split(set, 6, {0, 0}), o, {}, warnings.hooks());
  EXPECT_TRUE(fit.model.intervals.levels.empty());
  EXPECT_THAT(warnings.all(), HasSubstr("no intervals"));
  EXPECT_FALSE(fit.model.metrics.contains("validation"));
}

TEST(FitModel, AFinishedFitIsKept) {
  const TempFolder folder;
  const SeriesSet set = test::small_set(1, 300);
  ModelOptions o = test::small_options(Network::dlinear);
  const Split split = tail_split(set, 6);
  const FitFiles files{folder.path(), 10, true};
  const ModelFit first = kept_fit(set, split, o, files, {});
  EXPECT_EQ(first.forecaster.history.size(), 2U);
  const ModelFit second = kept_fit(set, split, o, files, {});
  EXPECT_TRUE(second.forecaster.history.empty());
  expect_same_numbers(first.model, second.model);
  o.seed = 4;
  EXPECT_EQ(kept_fit(set, split, o, files, {}).forecaster.history.size(), 2U);
  attn::test::put(folder / "model.safetensors", "damaged");
  EXPECT_EQ(kept_fit(set, split, o, files, {}).forecaster.history.size(), 2U);
}

TEST(FitModel, EstimatesBeforeItBegins) {
  const SeriesSet set = test::small_set(1, 300);
  const ModelOptions o = test::small_options();
  const Split split = tail_split(set, 6);
  const FitEstimate e = estimate_fit(set, split, o);
  EXPECT_EQ(e.train_windows, 270 - 24 - 6 + 1);
  EXPECT_EQ(e.validation_windows, 30 - 6 + 1);
  EXPECT_EQ(e.steps, 2 * 4);          // 241 windows in batches of 64
  EXPECT_EQ(e.entropy_steps, 2 * 4);  // 246 in batches of 64
  EXPECT_GT(e.bytes, 1e4);
  EXPECT_THAT(told(e), AllOf(HasSubstr("241 training"), HasSubstr("8 steps")));
}

}  // namespace
}  // namespace timeseries
