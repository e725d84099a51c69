#include "finance/model/train_run.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "attn/error.h"
#include "finance/score/decisions.h"
#include "libattn/train/seed.h"
#include "tests/finance/model/small_model.h"
#include "tests/support/refusal.h"

namespace finance {
namespace {

using attn::test::expect_refusal;
using attn::test::listing;
using attn::test::slurp;
using attn::test::TempFolder;
using test::kColumns;
using test::market;
using test::small_run;
using Names = std::vector<std::string>;

TEST(TrainRun, TwiceGivesTheSameBytes) {
  const RankLists train = market(10, 1), validation = market(4, 2);
  const TrainRunData data{train, &validation, kColumns, {}};
  for (const RankModel model : {RankModel::linear, RankModel::cross, RankModel::self_cross}) {
    TrainRunOptions o = small_run(model);
    const TempFolder a, b, c;
    train_run(data, o, a.path(), {});
    train_run(data, o, b.path(), {});
    EXPECT_EQ(listing(a.path()), (Names{"metrics.csv", "model.safetensors"}));
    for (const std::string& name : listing(a.path())) EXPECT_EQ(slurp(a / name), slurp(b / name));
    o.fit.optimisation.seed = 4;
    train_run(data, o, c.path(), {});
    EXPECT_NE(slurp(a / "model.safetensors"), slurp(c / "model.safetensors"));
  }
}

TEST(TrainRun, StoppedAndCalledAgainGivesTheSameBytes) {
  const RankLists train = market(16, 1), validation = market(4, 2);
  const TrainRunData data{train, &validation, kColumns, {}};
  TrainRunOptions o = small_run(RankModel::self_cross);
  o.pretrain = 2, o.members = 2;
  o.fit.optimisation.epochs = 3;
  const TempFolder whole;
  train_run(data, o, whole.path(), {});
  EXPECT_EQ(listing(whole.path()), (Names{"metrics.2.csv", "metrics.csv", "model.safetensors",
                                          "pretrain-metrics.2.csv", "pretrain-metrics.csv"}));
  // At the end of each epoch of each stage of each member.
  for (int at = 1; at <= 2 * (2 + 3); ++at) {
    const TempFolder folder;
    std::atomic<bool> stop = false;
    int seen = 0;
    attn::Hooks hooks;
    hooks.stop = &stop;
    hooks.progress = [&](std::string_view what, int64_t, int64_t) {
      if (what == "epochs" && ++seen == at) stop = true;
    };
    EXPECT_THROW(train_run(data, o, folder.path(), hooks), attn::Interrupted) << at;
    EXPECT_FALSE(std::filesystem::exists(folder / kModelFile));
    train_run(data, o, folder.path(), {});
    EXPECT_EQ(listing(folder.path()), listing(whole.path()));
    for (const std::string& name : listing(whole.path()))
      EXPECT_EQ(slurp(folder / name), slurp(whole / name)) << name << ", stopped at " << at;
  }
}

TEST(TrainRun, TheFirstStageIsTakenOver) {
  const RankLists train = market(10, 1);
  TrainRunOptions o = small_run(RankModel::self_cross);
  o.pretrain = 2;
  const double rate = o.fit.optimisation.lr;
  // How far a training at this rate takes the tokens from where the first stage begins.
  const auto moved = [&](double lr) {
    o.fit.optimisation.lr = lr;
    const TrainedRanker model = train_run({train, nullptr, kColumns, {}}, o, {}, {});
    RankerOptions self = model.members.front().options();
    self.model = RankModel::self;
    const Ranker start(self, attn::train::derive_seed(3, "stage 1", 0));
    return (model.members.front().parameters().at("token.weight") -
            start.parameters().at("token.weight"))
        .abs()
        .max()
        .item<double>();
  };
  EXPECT_LT(moved(1e-12), 1e-6) << "the tokens are not those of the first stage";
  const double both = moved(rate);
  EXPECT_GT(both, 1e-4);
  EXPECT_LT(both, 0.1);
}

TEST(TrainRun, ThresholdsAreThoseOfTheValidationLists) {
  const RankLists train = market(10, 1), validation = market(6, 2), other = market(6, 9);
  const TrainedRanker model = test::trained(train, &validation);
  const auto scores = model_scores(model, validation, {});
  EXPECT_EQ(model.thresholds.macro_f1, tuned_threshold(scores, validation.label));
  EXPECT_EQ(model.thresholds.money, money_threshold(scores, validation.profit, {}));
  double positives = 0;
  for (const double y : train.label) positives += y > 0 ? 1 : 0;
  EXPECT_DOUBLE_EQ(*model.thresholds.prior, positives / static_cast<double>(train.rows()));
  EXPECT_NE(test::trained(train, &other).thresholds.macro_f1, model.thresholds.macro_f1);
  const TrainedRanker alone = test::trained(train, nullptr);
  EXPECT_FALSE(alone.thresholds.macro_f1.has_value());
  EXPECT_FALSE(alone.thresholds.money.has_value());
  EXPECT_TRUE(alone.thresholds.prior.has_value());
  // Metrics of decisions are those at the tuned threshold.
  MetricsOptions metrics;
  metrics.resamples = 0, metrics.threshold = *model.thresholds.macro_f1;
  for (const Metric& m :
       rank_metrics({validation.offsets, scores, validation.label, validation.profit}, metrics))
    EXPECT_DOUBLE_EQ(model.metrics.at("validation").at(m.name).get<double>(), m.value) << m.name;
}

TEST(TrainRun, TheDigestFollowsWhatDecides) {
  const RankLists train = market(6, 1), validation = market(4, 2);
  const TrainRunOptions o = small_run();
  const TrainRunData data{train, &validation, kColumns, {}};
  const std::string digest = run_digest(data, o);
  EXPECT_EQ(train_run(data, o, {}, {}).training.at("digest"), digest)
      << "a finished run could not be known again";
  TrainRunOptions other = o;
  other.fit.average = 0.5;
  EXPECT_NE(run_digest(data, other), digest);
  other = o, other.network.width = 16;
  EXPECT_NE(run_digest(data, other), digest);
  other = o, other.members = 2;
  EXPECT_NE(run_digest(data, other), digest);
  RankLists changed = train;
  changed.profit[5] += 1;
  EXPECT_NE(run_digest({changed, &validation, kColumns, {}}, o), digest);
  EXPECT_NE(run_digest({train, nullptr, kColumns, {}}, o), digest);
}

TEST(TrainRun, WarnsWhereKCutsListsOfBothSigns) {
  const RankLists train = market(6, 1);
  const auto warnings = [&](int64_t top) {
    TrainRunOptions o = small_run();
    o.fit.loss.top = top;
    std::vector<std::string> told;
    attn::Hooks hooks;
    hooks.warn = [&](std::string_view sentence) { told.emplace_back(sentence); };
    train_run({train, nullptr, kColumns, {}}, o, {}, hooks);
    return told;
  };
  EXPECT_THAT(warnings(6), testing::ElementsAre(testing::HasSubstr("--top 6 trains on the 6")));
  EXPECT_TRUE(warnings(0).empty());
  EXPECT_TRUE(warnings(12).empty());
}

TEST(TrainRun, IsRefusedBeforeAnythingIsWritten) {
  const RankLists train = market(6, 1);
  const auto refused = [&](const RankLists& lists, const auto& change, const std::string& part) {
    TrainRunOptions o = small_run();
    change(o);
    const TempFolder folder;
    const TrainRunData data{lists, nullptr, kColumns, {}};
    expect_refusal([&] { train_run(data, o, folder.path(), {}); }, part);
    expect_refusal([&] { check_run(data, o); }, part);
    EXPECT_TRUE(listing(folder.path()).empty());
  };
  const auto nothing = [](auto&) {};
  RankLists bare = train;
  bare.profit.clear();
  refused(bare, nothing, "--profit");
  bare.label.clear();
  refused(
      bare, [](auto& o) { o.fit.loss.kind = LossKind::bce; }, "--label");
  RankLists none;
  none.name = "none.csv";
  refused(none, nothing, "none.csv: holds no list");
  refused(
      train, [](auto& o) { o.members = 0; }, "members");
  refused(
      train, [](auto& o) { o.pretrain = 1; }, "--pretrain is for models");
  refused(
      bare, [](auto& o) { o.pretrain = 1, o.network.model = RankModel::self; }, "labels");
  refused(
      train, [](auto& o) { o.network.heads = 3; }, "no multiple of 3 heads");
}

TEST(TrainRun, MembersHoldOutTheShareThatIsAsked) {
  const RankLists lists = market(20, 1);
  TrainRunOptions o = small_run(RankModel::linear);
  o.members = 2, o.fit.optimisation.epochs = 1;
  for (const auto& [share, held] :
       {std::pair<double, int64_t>{0.1, 4}, {0.3, 12}, {0.4, 16}, {0.9, 20}, {0.01, 2}}) {
    o.hold_out = share;
    const TrainedRanker model = test::trained(lists, nullptr, o);
    EXPECT_EQ(model.training.at("validation").at("lists"), held) << share;
  }
  expect_refusal([&] { test::trained(selected(lists, {0}), nullptr, o); },
                 "training part of the split would hold no list");
}

}  // namespace
}  // namespace finance
