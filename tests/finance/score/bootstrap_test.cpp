// The intervals: what a resample is, that they cover, that a seed gives the same digits.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "finance/score/rank_metrics.h"
#include "finance/score/weighted_metrics.h"
#include "libattn/train/metrics.h"
#include "tests/finance/score/tables.h"

namespace finance {
namespace {

using test::metric;
using test::random_table;
using test::Table;

// A list drawn n times is a list that stands in the table n times.
TEST(Bootstrap, WeightsAreLists) {
  for (const int levels : {0, 4}) {
    const Table table = random_table(11, 30, 12, levels);
    MetricsOptions options = test::only_values();
    options.threshold = 0.2;
    const WeightedMetrics weighted(table.lists(), options);
    auto random = attn::random::Rng::keyed({12});
    for (int trial = 0; trial < 20; ++trial) {
      Table drawn;
      std::vector<int64_t> weight(30, 0);
      for (int i = 0; i < 30; ++i) {
        const int list = random.below(30);
        ++weight[static_cast<size_t>(list)];
        drawn.add(table, list);
      }
      const std::vector<double> values = weighted.values(weight);
      const std::vector<Metric> plain = rank_metrics(drawn.lists(), options);
      ASSERT_EQ(values.size(), plain.size());
      for (size_t m = 0; m < values.size(); ++m)
        EXPECT_NEAR(values[m], plain[m].value, 1e-10 * (1 + std::abs(values[m]))) << plain[m].name;
    }
  }
}

TEST(Bootstrap, SameSeedSameDigits) {
  const Table table = random_table(13, 50, 8);
  MetricsOptions options;
  options.resamples = 200;
  const auto a = rank_metrics(table.lists(), options), b = rank_metrics(table.lists(), options);
  options.seed = 2;
  const auto c = rank_metrics(table.lists(), options);
  int moved = 0;
  for (size_t m = 0; m < a.size(); ++m) {
    EXPECT_EQ(a[m].low, b[m].low);
    EXPECT_EQ(a[m].high, b[m].high);
    EXPECT_EQ(a[m].value, c[m].value);
    EXPECT_LE(a[m].low, a[m].value) << a[m].name;
    EXPECT_GE(a[m].high, a[m].value) << a[m].name;
    moved += a[m].low != c[m].low ? 1 : 0;
  }
  EXPECT_GT(moved, 5);
}

// What is asked beside does not change the draws.
TEST(Bootstrap, DrawsAreTheSameForEveryMetric) {
  const Table table = random_table(14, 40, 8);
  MetricsOptions all, one;
  one.at = {5};
  Table money = table;
  money.label.clear();
  const Metric a = metric(rank_metrics(table.lists(), all), "profit@5");
  const Metric b = metric(rank_metrics(money.lists(), one), "profit@5");
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
}

TEST(Bootstrap, NoResamplesNoInterval) {
  const auto found = rank_metrics(random_table(15, 5, 5).lists(), test::only_values());
  for (const Metric& one : found) EXPECT_TRUE(std::isnan(one.low) && std::isnan(one.high));
}

/// One row a list, so that profit@1 is the row's profit.
Table singles(uint64_t trial, int lists) {
  auto random = attn::random::Rng::keyed({16, trial});
  Table table;
  for (int l = 0; l < lists; ++l) {
    table.score.push_back(0);
    table.profit.push_back(random.normal(3, 10));
    table.offsets.push_back(l + 1);
  }
  return table;
}

TEST(Bootstrap, CoversTheMeanOverLists) {
  constexpr int kTrials = 1000, kLists = 100;
  MetricsOptions options;
  options.at = {1};
  options.resamples = 400;
  options.level = 0.9;
  int covered = 0;
  for (uint64_t trial = 0; trial < kTrials; ++trial) {
    options.seed = trial;
    const Metric found = rank_metrics(singles(trial, kLists).lists(), options).front();
    covered += found.low <= 3 && 3 <= found.high ? 1 : 0;
  }
  // 3.5 standard errors of a share of 0.9 in 1,000 trials.
  EXPECT_NEAR(covered / double{kTrials}, 0.9, 3.5 * std::sqrt(0.9 * 0.1 / kTrials));
}

TEST(Bootstrap, WidthIsThatOfTheNormalMean) {
  const Table table = singles(0, 4000);
  MetricsOptions options;
  options.at = {1};
  options.resamples = 4000;
  const Metric found = rank_metrics(table.lists(), options).front();
  const attn::train::MeanSd of = attn::train::mean_sd(table.profit);
  const double half = 1.959964 * of.sd / std::sqrt(4000);
  EXPECT_NEAR(found.value, of.mean, 1e-12);
  EXPECT_NEAR(found.low, of.mean - half, 0.08 * half);
  EXPECT_NEAR(found.high, of.mean + half, 0.08 * half);
}

}  // namespace
}  // namespace finance
