#include "finance/model/cross_validate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "attn/error.h"
#include "finance/lists/split_lists.h"
#include "finance/model/score_file.h"
#include "libattn/io/table.h"
#include "tests/finance/model/small_model.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace finance {
namespace {

using attn::test::expect_refusal;
using test::market;
using test::small_run;

EvaluateOptions values() {
  EvaluateOptions o;
  o.metrics.resamples = 0;
  return o;
}

TEST(CrossValidate, TestsEachListOnceByAModelThatDidNotSeeIt) {
  const RankLists lists = market(12, 1);
  const TrainRunOptions o = small_run(RankModel::linear);
  const auto result = cross_validate(lists, o, 4, 0.25, values(), {});
  ASSERT_EQ(result.folds.size(), 4U);
  const auto parts = list_folds(12, 4, o.fit.optimisation.seed);
  std::set<int64_t> tested;
  for (size_t f = 0; f < parts.size(); ++f) {
    tested.insert(parts[f].begin(), parts[f].end());
    // What is said of this fold comes from a training without it: change its outcomes, and its
    // scores stay while those of the other folds move.
    RankLists changed = lists;
    for (const int64_t l : parts[f])
      for (int64_t r = lists.offsets[static_cast<size_t>(l)];
           r < lists.offsets[static_cast<size_t>(l) + 1]; ++r) {
        changed.profit[static_cast<size_t>(r)] *= -1000;
        changed.label[static_cast<size_t>(r)] = 1 - changed.label[static_cast<size_t>(r)];
      }
    const auto again = cross_validate(changed, o, 4, 0.25, values(), {});
    EXPECT_EQ(again.folds[f].scores, result.folds[f].scores) << "fold " << f;
    for (size_t g = 0; g < parts.size(); ++g)
      if (g != f) {
        EXPECT_NE(again.folds[g].scores, result.folds[g].scores) << f << " " << g;
      }
    // Nor do scaling and thresholds see it.
    RankLists scaled = lists;
    for (const int64_t l : parts[f])
      for (int64_t r = lists.offsets[static_cast<size_t>(l)];
           r < lists.offsets[static_cast<size_t>(l) + 1]; ++r)
        scaled.features[static_cast<size_t>(r * lists.width())] += 1000;
    EXPECT_EQ(cross_validate(scaled, o, 4, 0.25, values(), {}).folds[f].threshold,
              result.folds[f].threshold);
  }
  EXPECT_EQ(tested.size(), 12U);
  // Scores of all rows, each where it belongs.
  for (size_t f = 0; f < parts.size(); ++f) {
    size_t at = 0;
    for (const int64_t l : parts[f])
      for (int64_t r = lists.offsets[static_cast<size_t>(l)];
           r < lists.offsets[static_cast<size_t>(l) + 1]; ++r)
        EXPECT_EQ(result.pooled.scores[static_cast<size_t>(r)], result.folds[f].scores[at++]);
  }
}

TEST(CrossValidate, TellsMeansAndPooledMetrics) {
  const RankLists lists = market(12, 1);
  const auto result = cross_validate(lists, small_run(), 3, 0.25, values(), {});
  const auto j = to_json(result);
  ASSERT_EQ(j.at("folds").size(), 3U);
  double sum = 0;
  for (const auto& fold : j.at("folds")) sum += fold.at("profit@5").get<double>();
  EXPECT_NEAR(j.at("mean").at("profit@5").at("mean").get<double>(), sum / 3, 1e-9);
  EXPECT_NEAR(j.at("pooled").at("profit@5").get<double>(), sum / 3, 1e-9);  // folds of one size
  EXPECT_EQ(to_json(cross_validate(lists, small_run(), 3, 0.25, values(), {})), j);
  expect_refusal([&] { cross_validate(lists, small_run(), 13, 0.2, values(), {}); }, "13 folds");
  expect_refusal([&] { cross_validate(lists, small_run(), 1, 0.2, values(), {}); }, "folds");
}

TEST(CrossValidate, PoolsTheDecisionsOfFolds) {
  const RankLists lists = market(12, 1);
  EvaluateOptions o = values();
  o.threshold = parse_threshold("money");
  const auto result = cross_validate(lists, small_run(), 3, 0.25, o, {});
  const auto total = [](const Evaluation& e, const char* name) {
    for (const Metric& m : e.metrics)
      if (m.name == name) return m.value;
    return std::nan("");
  };
  double sum = 0;
  for (const Evaluation& fold : result.folds) sum += total(fold, "pnl_of_mistakes");
  EXPECT_NEAR(total(result.pooled, "pnl_of_mistakes"), sum, 1e-8 * std::abs(sum));
  EXPECT_EQ(result.pooled.threshold_rule, "each fold by its own");
}

// With times the validation lists are the last ones: their outcomes move nothing but the choice.
TEST(CrossValidate, ByTimeValidatesOnTheLast) {
  RankLists lists = market(12, 1);
  for (int64_t l = 0; l < 12; ++l) lists.times.push_back(std::to_string(l));
  TrainRunOptions o = small_run(RankModel::linear);
  o.fit.select = parse_select("loss");
  const auto by_time = cross_validate(lists, o, 3, 0.25, values(), {});
  lists.times.clear();
  const auto drawn = cross_validate(lists, o, 3, 0.25, values(), {});
  EXPECT_NE(by_time.pooled.scores, drawn.pooled.scores);
  lists.times.assign(12, "week 1");
  expect_refusal([&] { cross_validate(lists, o, 3, 0.25, values(), {}); }, "is no number");
}

TEST(CrossValidate, AColumnThatAFoldDoesNotKnowIsNone) {
  RankLists lists = market(12, 1);
  const auto parts = list_folds(12, 3, small_run().fit.optimisation.seed);
  const auto width = static_cast<size_t>(lists.width());
  for (size_t at = 2; at < lists.features.size(); at += width)
    lists.features[at] = std::numeric_limits<float>::quiet_NaN();
  const auto row = static_cast<size_t>(lists.offsets[static_cast<size_t>(parts[0][0])]);
  lists.features[row * width + 2] = 5;
  const auto with = cross_validate(lists, small_run(), 3, 0, values(), {});
  lists.features[row * width + 2] = 500;
  EXPECT_EQ(cross_validate(lists, small_run(), 3, 0, values(), {}).folds[0].scores,
            with.folds[0].scores);
}

TEST(CrossValidate, IsRefusedBeforeTheFirstFoldTrains) {
  RankLists lists = market(6, 1);
  std::fill(lists.label.begin() + lists.offsets[1], lists.label.end(), 0);
  TrainRunOptions o = small_run(RankModel::cross, LossKind::bce);
  int64_t told = 0;
  attn::Hooks hooks;
  hooks.progress = [&](std::string_view, int64_t, int64_t) { ++told; };
  expect_refusal([&] { cross_validate(lists, o, 3, 0.3, values(), hooks); }, "fold ");
  EXPECT_EQ(told, 0);
}

TEST(CrossValidate, WritesEachRowsScoreAndFold) {
  const RankLists lists = market(7, 1);
  const auto result = cross_validate(lists, small_run(), 3, 0.25, values(), {});
  const attn::test::TempFolder folder;
  write_fold_scores(result, lists, folder / "s.csv");
  EXPECT_EQ(scores_for(read_scores(folder / "s.csv"), lists), result.pooled.scores);
  const auto table = attn::io::Table::read(folder / "s.csv");
  EXPECT_EQ(table.columns(), (std::vector<std::string>{"list", "row", "score", "rank", "fold"}));
  const auto fold = table.integers("fold");
  const auto parts = list_folds(7, 3, small_run().fit.optimisation.seed);
  for (size_t f = 0; f < parts.size(); ++f)
    for (const int64_t l : parts[f])
      for (int64_t r = lists.offsets[static_cast<size_t>(l)];
           r < lists.offsets[static_cast<size_t>(l) + 1]; ++r)
        EXPECT_EQ(fold[static_cast<size_t>(r)], static_cast<int64_t>(f) + 1);
}

TEST(CrossValidate, AFoldWithoutPositivesIsLeftOutOfMeans) {
  RankLists lists = market(6, 1);
  const TrainRunOptions o = small_run();
  const auto parts = list_folds(6, 3, o.fit.optimisation.seed);
  for (const int64_t l : parts[1])
    for (int64_t r = lists.offsets[static_cast<size_t>(l)];
         r < lists.offsets[static_cast<size_t>(l) + 1]; ++r)
      lists.label[static_cast<size_t>(r)] = 0;
  const auto j = to_json(cross_validate(lists, o, 3, 0, values(), {}));
  EXPECT_TRUE(j.at("folds")[1].at("auc").is_null());
  const double mean =
      (j.at("folds")[0].at("auc").get<double>() + j.at("folds")[2].at("auc").get<double>()) / 2;
  ASSERT_TRUE(j.at("mean").at("auc").at("mean").is_number());
  EXPECT_NEAR(j.at("mean").at("auc").at("mean").get<double>(), mean, 1e-12);
}

}  // namespace
}  // namespace finance
