#include "finance/score/compare_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "attn/error.h"
#include "tests/finance/score/tables.h"

namespace finance {
namespace {

using test::metric;
using test::random_table;
using test::refusal;
using test::Table;
using testing::HasSubstr;
using Values = std::vector<double>;

/// The profit seen through noise: the larger `noise`, the worse the order.
Values noisy(const Table& table, double noise, uint64_t seed) {
  auto random = attn::random::Rng::keyed({seed});
  Values score;
  for (const double profit : table.profit) score.push_back(profit + random.normal(0, noise));
  return score;
}

Difference of(const ScorePair& pair, std::string_view name) {
  for (const Difference& one : pair.differences)
    if (one.metric == name) return one;
  return {};
}

TEST(CompareScores, MetricsAreThoseOfEachAlone) {
  const Table table = random_table(21, 80, 10);
  const Values a = noisy(table, 50, 1), b = noisy(table, 200, 2);
  const std::vector<NamedScores> scorings{{"a", a, 10}, {"b", b, -5}};
  MetricsOptions options;
  options.resamples = 100;
  const ScoreComparison found = compare_scores(table.lists(), scorings, options);
  ASSERT_EQ(found.metrics.size(), 2U);
  for (size_t s = 0; s < 2; ++s) {
    ScoredLists lists = table.lists();
    lists.score = scorings[s].score;
    options.threshold = scorings[s].threshold;
    const std::vector<Metric> alone = rank_metrics(lists, options);
    ASSERT_EQ(found.metrics[s].size(), alone.size());
    for (size_t m = 0; m < alone.size(); ++m) {
      EXPECT_EQ(found.metrics[s][m].name, alone[m].name);
      EXPECT_EQ(found.metrics[s][m].value, alone[m].value);
      EXPECT_EQ(found.metrics[s][m].low, alone[m].low);
      EXPECT_EQ(found.metrics[s][m].high, alone[m].high);
    }
  }
  for (const Difference& one : found.pairs[0].differences)
    EXPECT_EQ(one.value, metric(found.metrics[1], one.metric).value -
                             metric(found.metrics[0], one.metric).value);
}

TEST(CompareScores, SeesTheBetterOne) {
  const Table table = random_table(22, 300, 20);
  const Values bad = noisy(table, 300, 1), good = noisy(table, 100, 2);
  const std::vector<NamedScores> scorings{{"bad", bad}, {"good", good}};
  const ScorePair up = compare_scores(table.lists(), scorings, {}).pairs.at(0);
  for (const char* name : {"profit@5", "ndcg@5", "mrr", "auc"}) {
    EXPECT_GT(of(up, name).low, 0) << name;
    EXPECT_LT(of(up, name).not_better, 0.025) << name;
    EXPECT_GT(of(up, name).lists, 100) << name;
  }
  const std::vector<NamedScores> turned{scorings[1], scorings[0]};
  const ScorePair down = compare_scores(table.lists(), turned, {}).pairs.at(0);
  EXPECT_DOUBLE_EQ(of(down, "auc").value, -of(up, "auc").value);
  EXPECT_NEAR(of(down, "auc").low, -of(up, "auc").high, 1e-12);
  EXPECT_GT(of(down, "auc").not_better, 0.975);
}

TEST(CompareScores, EqualScoringsDifferInNothing) {
  const Table table = random_table(23, 30, 10);
  Values doubled = table.score;
  for (double& s : doubled) s *= 2;
  const std::vector<NamedScores> scorings{{"once", table.score}, {"twice", doubled}};
  const ScoreComparison found = compare_scores(table.lists(), scorings, {});
  for (const Difference& one : found.pairs[0].differences) {
    EXPECT_EQ(one.value, 0) << one.metric;
    EXPECT_EQ(one.low, 0) << one.metric;
    EXPECT_EQ(one.high, 0) << one.metric;
    EXPECT_EQ(one.not_better, 1) << one.metric;
  }
}

// Between lists profits differ by far more than the scorings do within one.
TEST(CompareScores, PairsAreSharperThanTheirSides) {
  Table table = random_table(24, 200, 10);
  auto random = attn::random::Rng::keyed({25});
  for (size_t l = 0; l + 1 < table.offsets.size(); ++l) {
    const double level = random.normal(0, 2000);
    for (auto i = table.offsets[l]; i < table.offsets[l + 1]; ++i)
      table.profit[static_cast<size_t>(i)] += level;
  }
  const Values bad = noisy(random_table(24, 200, 10), 300, 1), good = noisy(table, 30, 2);
  const std::vector<NamedScores> scorings{{"bad", bad}, {"good", good}};
  const ScoreComparison found = compare_scores(table.lists(), scorings, {});
  const Metric side = metric(found.metrics[0], "profit@3");
  const Difference gap = of(found.pairs[0], "profit@3");
  EXPECT_LT(gap.high - gap.low, 0.2 * (side.high - side.low));
  EXPECT_GT(gap.low, 0);
}

// Two scorings equally good: the share falls below 10 % in 10 % of the tables.
TEST(CompareScores, ShareOfResamplesIsHonestUnderNoDifference) {
  constexpr int kTrials = 600;
  MetricsOptions options;
  options.at = {3};
  options.resamples = 400;
  int claimed = 0, covered = 0;
  for (uint64_t trial = 0; trial < kTrials; ++trial) {
    Table table = random_table(20000 + trial, 200, 12);
    table.label.clear();
    const Values a = noisy(table, 100, 40000 + trial), b = noisy(table, 100, 60000 + trial);
    const std::vector<NamedScores> scorings{{"a", a}, {"b", b}};
    options.seed = trial;
    const Difference gap = compare_scores(table.lists(), scorings, options).pairs[0].differences[0];
    claimed += gap.not_better <= 0.1 ? 1 : 0;
    covered += gap.low <= 0 && 0 <= gap.high ? 1 : 0;
  }
  const auto margin = [](double p) { return 3.5 * std::sqrt(p * (1 - p) / kTrials); };
  EXPECT_NEAR(claimed / double{kTrials}, 0.1, margin(0.1));
  EXPECT_NEAR(covered / double{kTrials}, 0.95, margin(0.95));
}

TEST(CompareScores, WhichPairs) {
  const Table table = random_table(26, 10, 5);
  const Values a = noisy(table, 10, 1), b = noisy(table, 10, 2);
  const std::vector<NamedScores> scorings{{"a", a}, {"b", b}, {"c", table.score}};
  MetricsOptions options;
  options.resamples = 10;
  const auto pairs = [&](ComparedPairs which) {
    std::vector<std::pair<int64_t, int64_t>> out;
    for (const ScorePair& pair : compare_scores(table.lists(), scorings, options, which).pairs)
      out.emplace_back(pair.earlier, pair.later);
    return out;
  };
  using testing::ElementsAre;
  using testing::Pair;
  EXPECT_THAT(pairs(ComparedPairs::against_first), ElementsAre(Pair(0, 1), Pair(0, 2)));
  EXPECT_THAT(pairs(ComparedPairs::each), ElementsAre(Pair(0, 1), Pair(0, 2), Pair(1, 2)));
  EXPECT_TRUE(compare_scores(table.lists(), {&scorings[0], 1}, options).pairs.empty());
}

TEST(CompareScores, Refused) {
  const Table table = random_table(27, 10, 5);
  Values bad = table.score;
  bad[0] = std::numeric_limits<double>::quiet_NaN();
  const auto compare = [&](const std::vector<NamedScores>& scorings) {
    return [&table, scorings] { compare_scores(table.lists(), scorings, {}); };
  };
  EXPECT_THAT(refusal<attn::UsageError>(compare({})), HasSubstr("no scoring"));
  EXPECT_THAT(refusal<attn::UsageError>(compare({{"a", table.score}, {"a", table.score}})),
              HasSubstr("named 'a'"));
  EXPECT_THAT(refusal<attn::Error>(compare({{"a", table.score}, {"b", bad}})),
              HasSubstr("b: the score of row 1 of list 1"));
}

}  // namespace
}  // namespace finance
