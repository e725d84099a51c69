#include "finance/model/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "attn/error.h"
#include "tests/finance/model/small_model.h"
#include "tests/support/refusal.h"

namespace finance {
namespace {

using attn::test::expect_refusal;
using Kind = ThresholdRule::Kind;

EvaluateOptions few() {
  EvaluateOptions o;
  o.metrics.resamples = 20;
  return o;
}

TEST(Evaluate, TellsMetricsAndMoney) {
  const RankLists lists = test::market(8, 1);
  std::vector<double> scores = lists.profit;  // knows all
  EvaluateOptions o = few();
  o.hedge.top = 3;
  const Evaluation e = evaluate_scores("oracle", lists, scores, {}, o);
  const auto j = to_json(e);
  for (const char* key : {"profit@5", "ndcg@5", "ndcg@10", "mrr", "auc", "macro_f1"}) {
    ASSERT_TRUE(j.contains(key)) << key;
    ASSERT_EQ(j.at(std::string(key) + "_ci").size(), 2U) << key;
    EXPECT_LE(j.at(std::string(key) + "_ci")[0].get<double>(), j.at(key).get<double>()) << key;
  }
  double best = 0, unhedged = 0;
  for (int64_t l = 0; l < lists.lists(); ++l) {
    std::vector<double> p(lists.profit.begin() + 12 * l, lists.profit.begin() + 12 * (l + 1));
    std::sort(p.rbegin(), p.rend());
    best += p[0] + p[1] + p[2];
    unhedged -= std::accumulate(p.begin(), p.end(), 0.0);
  }
  EXPECT_NEAR(j.at("profit@3").get<double>(), best / 8, 1e-9);
  EXPECT_NEAR(j.at("hedge").at("unhedged").get<double>(), unhedged, 1e-6);
  EXPECT_NEAR(j.at("hedge").at("result").get<double>(), unhedged + best, 1e-6);
  EXPECT_EQ(j.at("hedge").at("flagged"), 24);
  EXPECT_EQ(e.curve.size(), 12U);
  EXPECT_NEAR(e.curve[2], best / 8, 1e-9);
}

TEST(Evaluate, WhatIsNotThereIsLeftOut) {
  RankLists lists = test::market(4, 1);
  const std::vector<double> scores(48, 1);
  RankLists labels = lists, profits = lists, bare = lists;
  labels.profit.clear(), profits.label.clear(), bare.profit.clear(), bare.label.clear();
  const auto by_label = to_json(evaluate_scores("s", labels, scores, {}, few()));
  EXPECT_TRUE(by_label.contains("auc"));
  EXPECT_FALSE(by_label.contains("profit@5"));
  EXPECT_FALSE(by_label.contains("hedge"));
  const auto by_profit = to_json(evaluate_scores("s", profits, scores, {}, few()));
  EXPECT_FALSE(by_profit.contains("auc"));
  EXPECT_TRUE(by_profit.contains("profit@5"));
  expect_refusal([&] { evaluate_scores("s", bare, scores, {}, few()); },
                 "market.csv: neither labels nor profits are told");
}

TEST(Threshold, IsReadFromAWord) {
  EXPECT_EQ(parse_threshold("auto").kind, Kind::automatic);
  EXPECT_EQ(parse_threshold("tuned").kind, Kind::tuned);
  EXPECT_EQ(parse_threshold("money").kind, Kind::money);
  EXPECT_EQ(parse_threshold("prior").kind, Kind::prior);
  EXPECT_EQ(*parse_threshold("prior:0.05").value, 0.05);
  EXPECT_EQ(*parse_threshold("-1.5").value, -1.5);
  for (const char* word :
       {"", "high", "prior:", "prior:0", "prior:1.1", "prior:x", "nan", "inf", "0.5x", "tuned:1"})
    expect_refusal([&] { parse_threshold(word); }, "expected auto, tuned, money, prior");
}

TEST(Threshold, FollowsItsRule) {
  const RankLists lists = test::market(4, 1);
  std::vector<double> scores(48);
  std::iota(scores.begin(), scores.end(), 0);
  const auto at = [&](const char* word, const Thresholds& known, const RankLists& of) {
    EvaluateOptions o = few();
    o.threshold = parse_threshold(word);
    return evaluate_scores("s", of, scores, known, o).threshold;
  };
  const Thresholds known{.macro_f1 = 7, .money = 9, .prior = 0.25};
  EXPECT_EQ(at("auto", known, lists), 7);
  EXPECT_EQ(at("tuned", known, lists), 7);
  EXPECT_EQ(at("money", known, lists), 9);
  EXPECT_EQ(at("prior", known, lists), 36);  // the highest 12 of 48
  EXPECT_EQ(at("prior:0.5", known, lists), 24);
  EXPECT_EQ(at("12.5", known, lists), 12.5);
  EXPECT_EQ(at("auto", {.macro_f1 = {}, .money = 9, .prior = 0.25}, lists), 36);
  RankLists profits = lists;
  profits.label.clear();
  EXPECT_EQ(at("auto", {.macro_f1 = {}, .money = 9, .prior = {}}, profits), 9);
  int64_t positives = 0;
  for (const double y : lists.label) positives += y > 0 ? 1 : 0;
  EXPECT_EQ(at("auto", {}, lists), 48 - static_cast<double>(positives));  // theirs
  expect_refusal([&] { at("tuned", {}, lists); }, "--threshold tuned");
  expect_refusal([&] { at("money", {}, lists); }, "--threshold money");
  expect_refusal([&] { at("prior", {}, profits); }, "prior:0.05");
}

TEST(Evaluate, HedgesByThresholdAndCostsStakes) {
  RankLists lists = test::market(4, 1);
  std::vector<double> scores(48);
  std::iota(scores.begin(), scores.end(), 0);
  lists.kept.push_back({"stake", std::vector<double>(48, 10)});
  EvaluateOptions o = few();
  o.threshold = parse_threshold("40"), o.hedge = {0, 0.5, "stake"};
  const auto e = evaluate_scores("s", lists, scores, {}, o);
  EXPECT_EQ(e.hedge->total.flagged, 8);
  EXPECT_DOUBLE_EQ(e.hedge->total.cost, 8 * 10 * 0.5);
  o.hedge.stake = "stakes";
  expect_refusal([&] { evaluate_scores("s", lists, scores, {}, o); }, "stakes");
}

}  // namespace
}  // namespace finance
