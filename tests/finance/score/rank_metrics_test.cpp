#include "finance/score/rank_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "attn/error.h"
#include "tests/finance/score/tables.h"

namespace finance {
namespace {

using test::metric;
using test::only_values;
using test::random_table;
using test::refusal;
using test::Table;
using testing::ElementsAre;
using testing::HasSubstr;
using Values = std::vector<double>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

TEST(Ranked, TiesStandByRow) {
  EXPECT_THAT(ranked(Values{1, 3, 3, 2, 3}), ElementsAre(1, 2, 4, 3, 0));
  EXPECT_THAT(ranked(Values{0.0, -0.0}), ElementsAre(0, 1));
  EXPECT_THAT(ranked(Values{}), ElementsAre());
  EXPECT_THAT(refusal<attn::Error>([] { ranked(Values{1, kNaN}); }), HasSubstr("row 2"));
}

TEST(OneList, ByHand) {
  const Values score{.1, .9, .5, .5}, label{3, 0, 1, 2}, profit{1, 10, -100, 1000};
  // In order: labels 0 1 2 3, profits 10 -100 1000 1.
  EXPECT_DOUBLE_EQ(ndcg(score, label, 2), (1 / std::log2(3)) / (3 + 2 / std::log2(3)));
  EXPECT_DOUBLE_EQ(ndcg(score, label, 2, {Gain::exponential, EmptyList::skip}),
                   (1 / std::log2(3)) / (7 + 3 / std::log2(3)));
  EXPECT_DOUBLE_EQ(reciprocal_rank(score, label), 0.5);
  EXPECT_DOUBLE_EQ(precision(score, label, 3), 2.0 / 3);
  EXPECT_DOUBLE_EQ(precision(score, label, 9), 3.0 / 9);
  EXPECT_DOUBLE_EQ(profit_at(score, profit, 2), -90);
  EXPECT_DOUBLE_EQ(profit_at(score, profit, 99), 911);
}

TEST(OneList, WithoutAPositive) {
  const Values score{1, 2}, none{0, 0};
  EXPECT_TRUE(std::isnan(ndcg(score, none, 1)));
  EXPECT_EQ(ndcg(score, none, 1, {Gain::linear, EmptyList::one}), 1);
  EXPECT_TRUE(std::isnan(reciprocal_rank(score, none)));
  EXPECT_EQ(precision(score, none, 2), 0);
  EXPECT_TRUE(std::isnan(ndcg(Values{}, Values{}, 1, {Gain::linear, EmptyList::one})));
  EXPECT_TRUE(std::isnan(precision(Values{}, Values{}, 1)));
}

TEST(OneList, Refused) {
  const Values two{1, 2}, one{1};
  EXPECT_THAT(refusal<attn::Error>([&] { ndcg(two, one, 1); }), HasSubstr("1 labels for 2 rows"));
  EXPECT_THAT(refusal<attn::Error>([&] { profit_at(two, one, 1); }), HasSubstr("1 profits"));
  EXPECT_THROW(precision(two, two, 0), attn::UsageError);
  EXPECT_THROW(ndcg(two, Values{-1, 1}, 2), attn::Error);
  const NdcgRule steep{Gain::exponential, EmptyList::skip};
  EXPECT_THAT(refusal<attn::Error>([&] {
                ndcg(two, Values{5000, 1}, 2, steep);
              }),
              HasSubstr("linear"));
  EXPECT_DOUBLE_EQ(ndcg(two, Values{5000, 5000}, 2), 1);
}

TEST(RankMetrics, NamesInTheirOrder) {
  MetricsOptions options = only_values();
  options.at = {1, 5};
  const auto names = [&](const ScoredLists& lists) {
    std::vector<std::string> out;
    for (const Metric& one : rank_metrics(lists, options)) out.push_back(one.name);
    return out;
  };
  Table table = random_table(1, 20, 9);
  EXPECT_THAT(names(table.lists()),
              ElementsAre("ndcg@1", "ndcg@5", "precision@1", "precision@5", "mrr", "profit@1",
                          "profit@5", "auc", "macro_f1", "precision", "recall", "pnl_of_mistakes"));
  Table money = table, labels = table;
  money.label.clear();
  labels.profit.clear();
  EXPECT_THAT(names(money.lists()), ElementsAre("profit@1", "profit@5"));
  EXPECT_EQ(names(labels.lists()).size(), 9U);
  EXPECT_THAT(names(labels.lists()), testing::Not(testing::Contains("pnl_of_mistakes")));
  EXPECT_EQ(rank_metrics(money.lists(), options)[0].lists, 20);
}

/// The equations of the header over a table, row by row and pair by pair.
void expect_plain(const Table& t, const MetricsOptions& options, const std::vector<Metric>& found) {
  double profit = 0, ndcgs = 0, ranks = 0;
  int64_t lists = 0, graded = 0;
  for (size_t l = 0; l + 1 < t.offsets.size(); ++l) {
    Table one;
    one.add(t, static_cast<int64_t>(l));
    if (one.score.empty()) continue;
    ++lists;
    profit += profit_at(one.score, one.profit, 3);
    if (*std::max_element(one.label.begin(), one.label.end()) == 0) continue;
    ++graded;
    ndcgs += ndcg(one.score, one.label, 5, options.ndcg);
    ranks += reciprocal_rank(one.score, one.label);
  }
  EXPECT_NEAR(metric(found, "profit@3").value, profit / static_cast<double>(lists), 1e-9);
  EXPECT_EQ(metric(found, "profit@3").lists, lists);
  EXPECT_NEAR(metric(found, "ndcg@5").value, ndcgs / static_cast<double>(graded), 1e-12);
  EXPECT_NEAR(metric(found, "mrr").value, ranks / static_cast<double>(graded), 1e-12);
  EXPECT_EQ(metric(found, "mrr").lists, graded);

  double won = 0, pairs = 0, mistakes = 0;
  std::array<std::array<double, 2>, 2> count{};  // [positive][flagged]
  for (size_t i = 0; i < t.score.size(); ++i) {
    const bool positive = t.label[i] > 0, flagged = t.score[i] >= options.threshold;
    ++count[positive ? 1 : 0][flagged ? 1 : 0];
    if (positive != flagged) mistakes += std::abs(t.profit[i]);
    for (size_t j = 0; positive && j < t.score.size(); ++j) {
      if (t.label[j] > 0) continue;
      ++pairs;
      won += t.score[i] > t.score[j] ? 1 : t.score[i] == t.score[j] ? 0.5 : 0;
    }
  }
  const auto f1 = [&](size_t c) {
    return 2 * count[c][c] / (2 * count[c][c] + count[c][1 - c] + count[1 - c][c]);
  };
  EXPECT_NEAR(metric(found, "auc").value, won / pairs, 1e-12);
  EXPECT_NEAR(metric(found, "macro_f1").value, (f1(0) + f1(1)) / 2, 1e-12);
  EXPECT_NEAR(metric(found, "precision").value, count[1][1] / (count[1][1] + count[0][1]), 1e-12);
  EXPECT_NEAR(metric(found, "recall").value, count[1][1] / (count[1][1] + count[1][0]), 1e-12);
  EXPECT_NEAR(metric(found, "pnl_of_mistakes").value, -mistakes, 1e-9 * mistakes);
}

TEST(RankMetrics, AsThePlainEquations) {
  for (const int levels : {0, 3, 40}) {
    Table table = random_table(static_cast<uint64_t>(levels) + 2, 60, 12, levels);
    table.offsets.push_back(table.offsets.back());  // a list of no rows counts as nothing
    MetricsOptions options = only_values();
    options.threshold = 0.3;
    options.ndcg.gain = levels == 3 ? Gain::exponential : Gain::linear;
    expect_plain(table, options, rank_metrics(table.lists(), options));
  }
}

TEST(RankMetrics, OrderOfRowsMattersOnlyInTies) {
  const Table table = random_table(7, 40, 10);
  Table turned = table;
  for (size_t l = 0; l + 1 < table.offsets.size(); ++l)
    for (Values* column : {&turned.score, &turned.label, &turned.profit})
      std::reverse(column->begin() + table.offsets[l], column->begin() + table.offsets[l + 1]);
  const auto a = rank_metrics(table.lists(), {}), b = rank_metrics(turned.lists(), {});
  ASSERT_EQ(a.size(), b.size());
  for (size_t m = 0; m < a.size(); ++m) {
    EXPECT_NEAR(a[m].value, b[m].value, 1e-9 * (1 + std::abs(a[m].value))) << a[m].name;
    EXPECT_NEAR(a[m].low, b[m].low, 1e-9 * (1 + std::abs(a[m].low))) << a[m].name;
  }
  const std::vector<int64_t> offsets{0, 2};
  const Values equal{1, 1}, first{1, 0}, second{0, 1};
  const auto top = [&](const Values& label) {
    return metric(rank_metrics({offsets, equal, label, {}}, only_values()), "ndcg@1").value;
  };
  EXPECT_EQ(top(first), 1);
  EXPECT_EQ(top(second), 0);
}

TEST(RankMetrics, UndefinedIsNaN) {
  const std::vector<int64_t> offsets{0, 2};
  const Values score{-1, -2}, positive{1, 1}, negative{0, 0};
  const auto ones = rank_metrics({offsets, score, positive, {}}, {});
  EXPECT_TRUE(std::isnan(metric(ones, "auc").value));
  EXPECT_TRUE(std::isnan(metric(ones, "auc").low));
  EXPECT_TRUE(std::isnan(metric(ones, "precision").value));  // nobody is flagged
  EXPECT_EQ(metric(ones, "recall").value, 0);
  const auto none = rank_metrics({offsets, score, negative, {}}, {});
  EXPECT_EQ(metric(none, "ndcg@1").lists, 0);
  EXPECT_TRUE(std::isnan(metric(none, "ndcg@1").value));
  EXPECT_EQ(metric(none, "macro_f1").value, 1);  // the one class that occurs
  EXPECT_TRUE(std::isnan(metric(none, "recall").value));
}

TEST(RankMetrics, Refused) {
  const Table good = random_table(9, 5, 4);
  const auto why = [](const Table& table) {
    return refusal<attn::Error>([&] { rank_metrics(table.lists(), {}); });
  };
  std::vector<int64_t> ragged{0, 3, 5};
  const Values five{1, 2, 3, 4, 5};
  Table table{ragged, five, five, five};
  EXPECT_EQ(why(table), "nothing was thrown");
  table.score[3] = kNaN;
  EXPECT_EQ(why(table),
            "the score of row 1 of list 2 (both counted from 1) is nan, expected a finite number");
  table = {{0, 3, 3, 5}, five, five, five};  // with a list of no rows between
  table.profit[4] = kInfinite;
  EXPECT_THAT(why(table), HasSubstr("the profit of row 2 of list 3 (both counted from 1) is inf"));
  table = {ragged, five, five, five};
  table.label[2] = -1;
  EXPECT_THAT(why(table), HasSubstr("the label of row 3 of list 1 (both counted from 1) is -1"));
  table = {ragged, {1, 2, 3, 4}, five, five};
  EXPECT_THAT(why(table), HasSubstr("4 scores for 5 rows"));
  table = {ragged, five, five, {1}};
  EXPECT_THAT(why(table), HasSubstr("1 profits for 5 rows"));
  table = {ragged, {}, five, five};
  EXPECT_THAT(why(table), HasSubstr("0 scores for 5 rows"));
  EXPECT_THAT(why({{0}, {}, {}, {}}), HasSubstr("no lists"));
  EXPECT_THAT(why({{}, {}, {}, {}}), HasSubstr("no lists"));
  EXPECT_THAT(why({{0, 3, 2, 5}, five, five, five}), HasSubstr("list 2 ends before it starts"));
  EXPECT_THAT(why({{1, 5}, five, five, five}), HasSubstr("starts at row 1"));

  const auto usage = [&](auto change) {
    MetricsOptions options;
    change(options);
    return refusal<attn::UsageError>([&] { rank_metrics(good.lists(), options); });
  };
  EXPECT_THAT(usage([](MetricsOptions& o) { o.at = {5, 0}; }), HasSubstr("first 0 rows"));
  EXPECT_THAT(usage([](MetricsOptions& o) { o.resamples = -1; }), HasSubstr("-1 resamples"));
  EXPECT_THAT(usage([](MetricsOptions& o) { o.level = 1; }), HasSubstr("level of 1"));
  EXPECT_THAT(usage([](MetricsOptions& o) { o.threshold = kNaN; }), HasSubstr("threshold"));
}

}  // namespace
}  // namespace finance
