// The simulated market: what its knobs do, and that the same seed makes the same lists.
#include "finance/market/simulate_market.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace finance {
namespace {

using Values = std::vector<double>;

const Values& some_returns() {
  static const Values returns = garch_returns(3000, 9);
  return returns;
}

RankLists market(const MarketOptions& options) {
  return simulate_market(options, some_returns());
}

float feature(const RankLists& lists, int64_t row, size_t column) {
  return lists.features[static_cast<size_t>(row * lists.width()) + column];
}

constexpr size_t kStdRet = 4, kAlign = 14, kMeanRet = 3;

double quantile(Values x, double at) {
  std::ranges::sort(x);
  return x[static_cast<size_t>(at * static_cast<double>(x.size() - 1))];
}

TEST(SimulateMarket, ShapesAreThoseOfLists) {
  const RankLists m = market({.lists = 7, .traders = 5});
  EXPECT_EQ(m.lists(), 7);
  EXPECT_EQ(m.rows(), 35);
  EXPECT_EQ(m.width(), 18);
  EXPECT_EQ(m.feature_names, market_features());
  EXPECT_EQ(m.features.size(), 35U * 18U);
  EXPECT_EQ(m.label.size(), 35U);
  EXPECT_EQ(m.profit.size(), 35U);
  ASSERT_EQ(m.kept.size(), 1U);
  EXPECT_EQ(m.kept[0].name, "stake");
  EXPECT_EQ(m.kept[0].values.size(), 35U);
  EXPECT_EQ(m.rows_in_file.size(), 35U);
  EXPECT_EQ(m.rows_in_file[34], 34);
  EXPECT_EQ(m.list_ids, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6"}));
  EXPECT_EQ(m.offsets[3], 15);
  EXPECT_TRUE(std::ranges::all_of(m.features, [](float x) { return std::isfinite(x); }));
}

TEST(SimulateMarket, RaggedListsHaveHalfToAllOfTheTraders) {
  std::vector<int64_t> seen;
  const RankLists m = market({.lists = 300, .traders = 7, .ragged = true, .trades = 2});
  for (size_t l = 0; l < 300; ++l) seen.push_back(m.offsets[l + 1] - m.offsets[l]);
  EXPECT_EQ(m.rows(), std::ssize(m.label));
  for (const int64_t n : {4, 5, 6, 7}) EXPECT_GT(std::ranges::count(seen, n), 40);
  EXPECT_EQ(std::ranges::minmax(seen).min, 4);
  EXPECT_EQ(std::ranges::minmax(seen).max, 7);
  EXPECT_EQ(market({.lists = 3, .traders = 1, .ragged = true}).rows(), 3);
}

TEST(SimulateMarket, TheSameSeedTheSameListsAndMoreChangeNoneBefore) {
  const MarketOptions options{.lists = 6, .traders = 8};
  const RankLists a = market(options), b = market(options);
  EXPECT_EQ(a.features, b.features);
  EXPECT_EQ(a.profit, b.profit);
  MarketOptions more = options;
  more.lists = 9;
  const RankLists longer = market(more);
  EXPECT_TRUE(std::equal(a.features.begin(), a.features.end(), longer.features.begin()));
  EXPECT_TRUE(std::equal(a.profit.begin(), a.profit.end(), longer.profit.begin()));
  MarketOptions wider = options;
  wider.traders = 10;
  const RankLists wide = market(wider);
  for (int64_t l = 0; l < 6; ++l)
    for (int64_t i = 0; i < 8; ++i)
      ASSERT_EQ(a.profit[static_cast<size_t>(l * 8 + i)],
                wide.profit[static_cast<size_t>(l * 10 + i)]);
  MarketOptions other = options;
  other.seed = 2;
  EXPECT_NE(a.profit, market(other).profit);
}

// With hardly any noise the return of a trade is the edge: label and profit follow from it.
TEST(SimulateMarket, LabelIsARuleOnTheReturnAndProfitIsMoney) {
  MarketOptions options{.lists = 60, .noise = 1e-6};
  const RankLists m = market(options);
  int64_t risky = 0;
  for (size_t i = 0; i < m.label.size(); ++i) {
    const double edge = m.profit[i] / m.kept[0].values[i];
    EXPECT_NEAR(edge, feature(m, static_cast<int64_t>(i), kMeanRet), 2e-5);
    if (std::abs(edge - 0.05) > 1e-4) {
      ASSERT_EQ(m.label[i], edge > 0.05 ? 1 : 0) << edge;
    }
    risky += m.label[i] > 0;
  }
  EXPECT_GT(risky, 300);
  EXPECT_LT(risky, 1200);
}

TEST(SimulateMarket, TheLabelRuleMovesTheLabelAlone) {
  const RankLists strict = market({.lists = 40, .label_roi = 0.10}), usual = market({.lists = 40}),
                  all = market({.lists = 40, .label_roi = -100});
  EXPECT_EQ(strict.profit, usual.profit);
  EXPECT_EQ(strict.features, usual.features);
  double fewer = 0, more = 0;
  for (size_t i = 0; i < usual.label.size(); ++i) {
    EXPECT_LE(strict.label[i], usual.label[i]);
    fewer += strict.label[i], more += usual.label[i];
  }
  EXPECT_LT(fewer, 0.7 * more);
  EXPECT_EQ(std::ranges::count(all.label, 1.0), std::ssize(all.label));
}

TEST(SimulateMarket, TheTailKnobWidensTheTailOfStakesAndNothingElse) {
  const auto stakes = [](double probability, double index) {
    return market({.lists = 100, .tail_probability = probability, .tail_index = index})
        .kept[0]
        .values;
  };
  const Values none = stakes(0, 1.5), usual = stakes(0.03, 1.5), heavy = stakes(0.2, 1.5),
               heavier = stakes(0.2, 0.8);
  double large = 0;
  for (size_t i = 0; i < none.size(); ++i) {
    ASSERT_GE(usual[i], none[i]);
    ASSERT_GE(heavy[i], usual[i]);
    ASSERT_GE(heavier[i], heavy[i]);
    large += usual[i] > none[i];
  }
  EXPECT_NEAR(large / static_cast<double>(none.size()), 0.03, 0.01);
  EXPECT_NEAR(quantile(heavy, 0.5) / quantile(none, 0.5), 1.4, 0.3);
  EXPECT_GT(quantile(usual, 0.999), 1.5 * quantile(none, 0.999));
  EXPECT_GT(quantile(heavy, 0.999), 1.5 * quantile(usual, 0.999));
  EXPECT_GT(quantile(heavier, 0.999), 2 * quantile(heavy, 0.999));
}

/// Mean future return, by stake, of traders who look like trend followers (contrarians) in lists of
/// that regime.
double mean_return(const RankLists& m, const std::vector<int>& regimes, int regime, int side) {
  double earned = 0;
  int64_t count = 0;
  for (int64_t l = 0; l < m.lists(); ++l) {
    if (regimes[static_cast<size_t>(l)] != regime) continue;
    for (int64_t i = m.offsets[static_cast<size_t>(l)]; i < m.offsets[static_cast<size_t>(l) + 1];
         ++i) {
      if (side * feature(m, i, kAlign) < 0.8F) continue;
      earned += m.profit[static_cast<size_t>(i)] / m.kept[0].values[static_cast<size_t>(i)];
      ++count;
    }
  }
  return earned / static_cast<double>(count);
}

TEST(SimulateMarket, TheRegimeTurnsTheProfitsOfFollowersAndContrarians) {
  const MarketOptions options{.lists = 1000};
  const RankLists m = market(options);
  const std::vector<int> regimes = market_regimes(options);
  for (const int regime : {1, -1})
    for (const int side : {1, -1})  // 0.11 m, m near 0.7, and their skill
      EXPECT_NEAR(mean_return(m, regimes, regime, side), regime * side * 0.0765 - 0.0105, 0.006);
  MarketOptions without = options;
  without.regime = 0;
  const RankLists calm = market(without);
  EXPECT_NEAR(mean_return(calm, regimes, 1, 1), mean_return(calm, regimes, -1, 1), 0.006);
}

TEST(SimulateMarket, RegimesFlipAsOftenAsTold) {
  for (const double flip : {0.0, 0.1, 0.5, 1.0}) {
    const std::vector<int> r = market_regimes({.lists = 20000, .flip = flip});
    double flips = 0;
    for (size_t t = 1; t < r.size(); ++t) flips += r[t] != r[t - 1];
    EXPECT_NEAR(flips / 19999, flip, 0.012);
  }
  int up = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) up += market_regimes({.lists = 1, .seed = seed})[0];
  EXPECT_LT(std::abs(up), 80);
}

TEST(SimulateMarket, VolatilityIsThatOfTheReturns) {
  // Half of the returns move ten times as much: all 1/sqrt(50.5) of the wide ones.
  Values returns = garch_returns(4000, 3);
  for (size_t t = 0; t < returns.size(); ++t)
    returns[t] = std::copysign(t < 2000 ? 0.1 : 1.0, returns[t]);
  const RankLists m = simulate_market({.lists = 200, .regime = 0}, returns);
  Values spreads;
  for (int64_t l = 0; l < 200; ++l) {
    Values of;
    for (int64_t i = 0; i < 50; ++i) of.push_back(feature(m, 50 * l + i, kStdRet));
    spreads.push_back(quantile(of, 0.5));
  }
  // v = 0.14, clipped to 0.4, or 1.41; the median of 20 trades' deviation is 0.89 of the deviation.
  EXPECT_NEAR(quantile(spreads, 0.2), 0.2 * 0.89 * 0.4, 0.012);
  EXPECT_NEAR(quantile(spreads, 0.8), 0.2 * 0.89 * 1.41, 0.035);
}

}  // namespace
}  // namespace finance
