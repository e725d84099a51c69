#include "finance/model/rank_model.h"

#include <gtest/gtest.h>

#include "attn/error.h"
#include "finance/model/describe.h"
#include "libattn/train/model_file.h"
#include "tests/finance/model/small_model.h"
#include "tests/support/damage.h"
#include "tests/support/refusal.h"

namespace finance {
namespace {

using attn::test::expect_refusal;
using attn::test::put;
using attn::test::slurp;
using attn::test::TempFolder;
using test::kColumns;
using test::market;
using test::small_run;
using test::trained;

TEST(RankModel, GoesThroughItsFile) {
  const TempFolder folder;
  const RankLists train = market(12, 1), validation = market(4, 2), later = market(5, 3);
  for (const RankModel kind :
       {RankModel::linear, RankModel::mlp, RankModel::cross, RankModel::self_cross}) {
    TrainRunOptions o = small_run(kind);
    o.members = 2;
    const TrainedRanker model = trained(train, &validation, o);
    save_rank_model(folder / "m.safetensors", model);
    const TrainedRanker back = load_rank_model(folder / "m.safetensors");
    EXPECT_EQ(model_scores(model, later, {}), model_scores(back, later, {})) << to_string(kind);
    EXPECT_EQ(back.columns.list, "qid");
    EXPECT_EQ(back.columns.label, "risky");
    EXPECT_EQ(back.columns.profit, "pnl");
    EXPECT_EQ(back.thresholds.macro_f1, model.thresholds.macro_f1);
    EXPECT_EQ(back.thresholds.money, model.thresholds.money);
    EXPECT_EQ(back.thresholds.prior, model.thresholds.prior);
    EXPECT_EQ(back.metrics, model.metrics);
    EXPECT_EQ(back.training, model.training);
    save_rank_model(folder / "again.safetensors", back);
    EXPECT_EQ(slurp(folder / "again.safetensors"), slurp(folder / "m.safetensors"));
  }
}

TEST(RankModel, CategoriesAndCostsStayTold) {
  const TempFolder folder;
  RankLists train = market(12, 1);
  CategoryColumn desk{"desk", {}};
  for (int64_t r = 0; r < train.rows(); ++r) desk.values.push_back(r % 3 == 0 ? "fx" : "gold");
  train.categories.push_back(desk);
  ListOptions columns = kColumns;
  columns.profit.clear();
  columns.costs = {"a", "b", "c", "d"}, columns.categorical = {"desk"}, columns.keep = {"stake"};
  const TrainedRanker model = train_run({train, nullptr, columns, {}}, small_run(), {}, {});
  save_rank_model(folder / "m.safetensors", model);
  const TrainedRanker back = load_rank_model(folder / "m.safetensors");
  EXPECT_EQ(model_scores(model, train, {}), model_scores(back, train, {}));
  const ListOptions reading = reading_options(back, true);
  EXPECT_EQ(reading.costs.fp, "a");
  EXPECT_EQ(reading.costs.tn, "d");
  EXPECT_EQ(reading.categorical, (std::vector<std::string>{"desk"}));
  EXPECT_EQ(reading.features.size(), 18U);
  EXPECT_TRUE(reading.need_label);
  EXPECT_FALSE(reading_options(back, false).need_profit);
}

TEST(RankModel, MembersAreAveraged) {
  const RankLists train = market(12, 1), later = market(5, 3);
  TrainRunOptions o = small_run();
  o.members = 3;
  const TrainedRanker model = trained(train, nullptr, o);
  ASSERT_EQ(model.members.size(), 3U);
  std::vector<double> mean(static_cast<size_t>(later.rows()), 0);
  std::vector<std::vector<double>> each;
  for (const Ranker& member : model.members) {
    each.push_back(scores_of(member, encode(model.features, later), {}));
    for (size_t r = 0; r < mean.size(); ++r) mean[r] += each.back()[r] / 3;
  }
  EXPECT_NE(each[0], each[1]);
  EXPECT_NE(each[1], each[2]);
  const auto scores = model_scores(model, later, {});
  for (size_t r = 0; r < mean.size(); ++r) EXPECT_NEAR(scores[r], mean[r], 1e-12);
  // The first member is the model of one.
  o.members = 1;
  EXPECT_EQ(model_scores(trained(train, nullptr, o), later, {}), each[0]);
}

TEST(RankModel, WhatIsNoneIsRefused) {
  const TempFolder folder;
  const TrainedRanker model = trained(market(6, 1), nullptr);
  const auto path = folder / "m.safetensors";
  save_rank_model(path, model);
  const auto file = attn::train::load_model_file(path, kRankModelKind, kRankModelVersion);
  const auto other = folder / "other.safetensors";
  attn::train::save_model_file(other, "attn-mil", 1, file.config, file.tensors);
  expect_refusal([&] { load_rank_model(other); }, "holds a 'attn-mil', expected a 'attn-rank'");
  attn::train::save_model_file(other, kRankModelKind, 2, file.config, file.tensors);
  EXPECT_THROW(load_rank_model(other), attn::NewerFormat);
  for (const char* key : {"features", "fit", "network", "members"}) {
    auto config = file.config;
    config.erase(key);
    attn::train::save_model_file(other, kRankModelKind, 1, config, file.tensors);
    expect_refusal([&] { load_rank_model(other); }, key);
  }
  auto config = file.config;
  config["members"] = 2;
  attn::train::save_model_file(other, kRankModelKind, 1, config, file.tensors);
  expect_refusal([&] { load_rank_model(other); }, "member.1.");
  config["members"] = 0;
  attn::train::save_model_file(other, kRankModelKind, 1, config, file.tensors);
  expect_refusal([&] { load_rank_model(other); }, "holds no network");
  config = file.config;
  config["features"]["numbers"].erase(0);
  attn::train::save_model_file(other, kRankModelKind, 1, config, file.tensors);
  expect_refusal([&] { load_rank_model(other); }, "features");
  expect_refusal([&] { load_rank_model(folder.path()); }, "this folder holds no model.safetensors");
}

TEST(RankModel, DamageIsRefused) {
  const TempFolder folder;
  const auto path = folder / "m.safetensors";
  save_rank_model(path, trained(market(6, 1), nullptr));
  const std::string whole = slurp(path);
  for (const auto& [what, bytes] : attn::test::broken_versions(whole)) {
    SCOPED_TRACE(what);
    put(path, bytes);
    attn::test::sentence_of([&] { load_rank_model(path); });
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    put(path, attn::test::with_flipped_bits(whole, random, 1));
    attn::test::sentence_of([&] { load_rank_model(path); });
  }
}

TEST(Describe, TellsWhatAFileIs) {
  const TempFolder folder;
  test::write_market(folder / "market.csv", 6, 1);
  const auto lists = describe(folder / "market.csv", kColumns, {});
  EXPECT_EQ(lists.at("kind"), "lists");
  EXPECT_EQ(lists.at("lists"), 6);
  EXPECT_EQ(lists.at("rows"), 72);
  EXPECT_EQ(lists.at("shortest"), 12);
  EXPECT_EQ(lists.at("longest"), 12);
  EXPECT_EQ(lists.at("features").size(), 18U);
  const RankLists read = read_lists(folder / "market.csv", kColumns);
  double sum = 0;
  int64_t positives = 0;
  for (const double p : read.profit) sum += p;
  for (const double y : read.label) positives += y > 0 ? 1 : 0;
  EXPECT_DOUBLE_EQ(lists.at("profit").at("sum"), sum);
  EXPECT_EQ(lists.at("positives"), positives);
  save_rank_model(folder / "model.safetensors", trained(read, nullptr));
  for (const auto& path : {folder / "model.safetensors", folder.path()}) {
    auto model = describe(path, kColumns, {});
    if (model.at("kind") == "run directory") model = model.at("model");
    EXPECT_EQ(model.at("kind"), "model");
    EXPECT_EQ(model.at("network").at("model"), "cross");
    EXPECT_EQ(model.at("members"), 1);
    EXPECT_EQ(model.at("training").at("train").at("rows"), 72);
  }
  expect_refusal([&] { describe(folder / "none", kColumns, {}); }, "there is no such file");
}

}  // namespace
}  // namespace finance
