// Thresholds against every threshold there is.
#include "finance/score/decisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
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
using testing::ElementsAre;
using testing::HasSubstr;
using Values = std::vector<double>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

int64_t flagged_at(const Values& score, double threshold) {
  const std::vector<bool> flagged = threshold_decisions(score, threshold);
  return std::count(flagged.begin(), flagged.end(), true);
}

/// The best worth of all thresholds, and the fewest rows that it takes.
std::pair<double, int64_t> best_of_all(const Values& score,
                                       const std::function<double(double)>& worth) {
  Values thresholds = score;
  thresholds.push_back(std::numeric_limits<double>::infinity());
  double best = -std::numeric_limits<double>::infinity();
  int64_t fewest = 0;
  for (const double t : thresholds) {
    const double value = worth(t);
    const int64_t flagged = flagged_at(score, t);
    if (value > best || (value == best && flagged < fewest)) best = value, fewest = flagged;
  }
  return {best, fewest};
}

TEST(TopK, FirstOfEachList) {
  const std::vector<int64_t> offsets{0, 3, 4, 4, 6};
  const Values score{1, 2, 2, 9, 5, 6};
  EXPECT_THAT(top_k_decisions({offsets, score, {}, {}}, 1),
              ElementsAre(false, true, false, true, false, true));
  EXPECT_THAT(top_k_decisions({offsets, score, {}, {}}, 2),
              ElementsAre(false, true, true, true, true, true));
  EXPECT_THAT(top_k_decisions({offsets, score, {}, {}}, 0), testing::Each(false));
  EXPECT_THROW(top_k_decisions({offsets, score, {}, {}}, -1), attn::UsageError);
}

TEST(PriorThreshold, FlagsItsShare) {
  const Table table = random_table(31, 40, 10);
  const auto rows = static_cast<double>(table.score.size());
  for (const double prior : {0.0, 0.001, 0.01, 0.3, 0.5, 0.999, 1.0})
    EXPECT_EQ(flagged_at(table.score, prior_threshold(table.score, prior)),
              std::max<int64_t>(1, std::llround(prior * rows)))
        << prior;
  // Of tied rows, all or none.
  const Values tied{1, 2, 2, 2, 3};
  EXPECT_EQ(prior_threshold(tied, 0.4), 2);
  EXPECT_EQ(flagged_at(tied, prior_threshold(tied, 0.4)), 4);
}

double macro_f1_at(const Table& table, double threshold) {
  MetricsOptions options = test::only_values();
  options.threshold = threshold;
  return metric(rank_metrics(table.lists(), options), "macro_f1").value;
}

TEST(TunedThreshold, IsTheBestOfAll) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const Table table = random_table(100 + seed, 6, 8, seed % 2 == 0 ? 0 : 5);
    const double found = tuned_threshold(table.score, table.label);
    const auto [best, fewest] =
        best_of_all(table.score, [&](double t) { return macro_f1_at(table, t); });
    EXPECT_EQ(macro_f1_at(table, found), best) << seed;
    EXPECT_EQ(flagged_at(table.score, found), fewest) << seed;
  }
}

TEST(TunedThreshold, MidpointsAndEnds) {
  EXPECT_EQ(tuned_threshold(Values{1, 2, 4, 5}, Values{0, 0, 1, 1}), 3);
  EXPECT_EQ(tuned_threshold(Values{1, 2, 4}, Values{1, 1, 1}), 1);
  const double none = tuned_threshold(Values{1, 2, 4}, Values{0, 0, 0});
  EXPECT_GT(none, 4);
  EXPECT_TRUE(std::isfinite(none));
  // Nothing lies between neighbouring numbers: the cut keeps them apart all the same.
  const double next = std::nextafter(1.0, 2.0);
  EXPECT_EQ(tuned_threshold(Values{1, next}, Values{0, 1}), next);
  const double large = std::numeric_limits<double>::max();
  EXPECT_EQ(tuned_threshold(Values{-large, large}, Values{0, 1}), 0);
}

double money_at(const Table& table, const Values& cost, double threshold) {
  double sum = 0;
  for (size_t i = 0; i < table.score.size(); ++i)
    if (table.score[i] >= threshold) sum += table.profit[i] - (cost.empty() ? 0 : cost[i]);
  return sum;
}

TEST(MoneyThreshold, IsTheBestOfAll) {
  auto random = attn::random::Rng::keyed({32});
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Table table = random_table(200 + seed, 6, 8, seed % 2 == 0 ? 0 : 5);
    for (double& profit : table.profit) profit = std::round(profit / 40);  // sums are exact
    Values cost(seed % 3 == 0 ? 0 : table.score.size());
    for (double& c : cost) c = random.below(3);
    const double found = money_threshold(table.score, table.profit, cost);
    const auto [best, fewest] =
        best_of_all(table.score, [&](double t) { return money_at(table, cost, t); });
    EXPECT_EQ(money_at(table, cost, found), best) << seed;
    EXPECT_EQ(flagged_at(table.score, found), fewest) << seed;
  }
}

TEST(MoneyThreshold, FlagsNobodyWhereNothingPays) {
  const Values score{1, 2}, loss{-1, -2}, gain{3, 3};
  EXPECT_EQ(flagged_at(score, money_threshold(score, loss, {})), 0);
  EXPECT_EQ(flagged_at(score, money_threshold(score, gain, {})), 2);
  EXPECT_EQ(flagged_at(score, money_threshold(score, gain, Values{4, 1})), 1);
}

TEST(Thresholds, Refused) {
  const Values two{1, 2}, one{1}, bad{1, kNaN}, none;
  EXPECT_THAT(refusal<attn::Error>([&] { prior_threshold(none, 0.1); }), HasSubstr("no score"));
  EXPECT_THAT(refusal<attn::Error>([&] { prior_threshold(bad, 0.1); }),
              HasSubstr("the score of row 2 (counted from 1) is nan"));
  EXPECT_THROW(prior_threshold(two, 1.1), attn::UsageError);
  EXPECT_THROW(prior_threshold(two, kNaN), attn::UsageError);
  EXPECT_THAT(refusal<attn::Error>([&] { tuned_threshold(two, one); }), HasSubstr("1 labels"));
  EXPECT_THAT(refusal<attn::Error>([&] { tuned_threshold(two, bad); }),
              HasSubstr("label of row 2"));
  EXPECT_THAT(refusal<attn::Error>([&] { money_threshold(two, bad, {}); }), HasSubstr("profit"));
  EXPECT_THAT(refusal<attn::Error>([&] { money_threshold(two, two, one); }), HasSubstr("1 costs"));
  EXPECT_THAT(refusal<attn::Error>([&] { money_threshold(two, two, bad); }),
              HasSubstr("cost of row"));
  EXPECT_THROW(threshold_decisions(two, kNaN), attn::UsageError);
}

}  // namespace
}  // namespace finance
