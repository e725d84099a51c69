// What decisions are worth: identities, the curve, calibration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "attn/error.h"
#include "finance/score/decisions.h"
#include "tests/finance/score/tables.h"

namespace finance {
namespace {

using test::metric;
using test::random_table;
using test::refusal;
using test::Table;
using testing::HasSubstr;
using Values = std::vector<double>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Values stakes(const Table& table) {
  auto random = attn::random::Rng::keyed({41});
  Values stake;
  for (size_t i = 0; i < table.score.size(); ++i) stake.push_back(random.log_normal(100, 1));
  return stake;
}

void expect_identities(const HedgeTotals& t) {
  EXPECT_NEAR(t.result - t.unhedged, t.money_kept - t.money_lost - t.cost, 1e-8);
  EXPECT_GE(t.best + 1e-8, t.result);
  EXPECT_GE(t.best + 1e-8, t.unhedged);
  EXPECT_LE(t.caught, std::min(t.flagged, t.positives));
}

TEST(HedgeReport, IdentitiesOfEveryList) {
  const Table table = random_table(42, 50, 12);
  const Values stake = stakes(table);
  const std::vector<bool> flagged = top_k_decisions(table.lists(), 3);
  const HedgeReport report = hedge_report(table.lists(), flagged, stake, 0.2);
  ASSERT_EQ(report.lists.size(), 50U);
  HedgeTotals sum;
  double gained = 0;
  for (size_t l = 0; l < report.lists.size(); ++l) {
    const HedgeTotals& list = report.lists[l];
    expect_identities(list);
    EXPECT_EQ(list.flagged, std::min<int64_t>(3, list.rows));
    gained += list.result - list.unhedged;
    EXPECT_NEAR(report.cumulative[l], gained, 1e-8);
    sum.rows += list.rows;
    sum.caught += list.caught;
    sum.best += list.best;
  }
  expect_identities(report.total);
  EXPECT_EQ(report.total.rows, static_cast<int64_t>(table.score.size()));
  EXPECT_EQ(report.total.rows, sum.rows);
  EXPECT_EQ(report.total.caught, sum.caught);
  EXPECT_NEAR(report.total.best, sum.best, 1e-8);
  EXPECT_NEAR(report.total.unhedged,
              -std::accumulate(table.profit.begin(), table.profit.end(), 0.0), 1e-8);
  // profit@3 is the loss avoided, before what hedging costs.
  const double profit = metric(rank_metrics(table.lists(), test::only_values()), "profit@3").value;
  EXPECT_NEAR((report.total.money_kept - report.total.money_lost) / 50, profit, 1e-8);
}

TEST(HedgeReport, ByHand) {
  const std::vector<int64_t> offsets{0, 3};
  const Values profit{10, -4, 3}, label{1, 0, 0}, stake{20, 10, 40};
  const HedgeReport report =
      hedge_report({offsets, {}, label, profit}, {true, true, false}, stake, 0.1);
  const HedgeTotals& t = report.total;
  EXPECT_EQ(t.flagged, 2);
  EXPECT_EQ(t.positives, 1);
  EXPECT_EQ(t.caught, 1);
  EXPECT_DOUBLE_EQ(t.unhedged, -9);
  EXPECT_DOUBLE_EQ(t.result, -3 - 3);
  EXPECT_DOUBLE_EQ(t.money_kept, 10);
  EXPECT_DOUBLE_EQ(t.money_lost, 4);
  EXPECT_DOUBLE_EQ(t.cost, 3);
  EXPECT_DOUBLE_EQ(t.best, -2 + 4 - 3);  // the first alone: the third costs 4 and loses 3
  EXPECT_DOUBLE_EQ(report.cumulative[0], 3);
}

// Costs of decisions, C_FP 5, C_FN 20, C_TP 5, C_TN 1: what is paid is what is told.
TEST(HedgeReport, OfCostsTellsWhatIsPaid) {
  const std::vector<int64_t> offsets{0, 3};
  const Values label{1, 0, 1}, profit{15, -4, 15}, unflagged{-20, -1, -20};
  const HedgeTotals t =
      hedge_report({offsets, {}, label, profit, unflagged}, {true, true, false}, {}, 0).total;
  EXPECT_DOUBLE_EQ(t.unhedged, -41);
  EXPECT_DOUBLE_EQ(t.result, -5 - 5 - 20);
  EXPECT_DOUBLE_EQ(t.best, -5 - 1 - 5);
  EXPECT_DOUBLE_EQ(t.result - t.unhedged, t.money_kept - t.money_lost);
}

TEST(HedgeReport, RefusesSumsBeyondNumbers) {
  const std::vector<int64_t> offsets{0, 2};
  const Values profit{-1e308, -1e308};
  EXPECT_THROW(hedge_report({offsets, {}, {}, profit}, {true, true}, {}, 0), attn::Error);
}

TEST(ThresholdDecisions, OfEachListItsOwn) {
  const std::vector<int64_t> offsets{0, 2, 2, 4};
  const Values score{1, 2, 1, 2};
  EXPECT_EQ(threshold_decisions({offsets, score, {}, {}}, Values{2, 0, 1}),
            (std::vector<bool>{false, true, true, true}));
  EXPECT_THROW(threshold_decisions({offsets, score, {}, {}}, Values{2, 0}), attn::Error);
  const Values label{0, 1, 1, 0};
  MetricsOptions one = test::only_values(), each = one;
  one.threshold = 2, each.thresholds = {2, 7, 2};
  const ScoredLists lists{offsets, score, label, {}};
  EXPECT_EQ(metric(rank_metrics(lists, each), "recall").value,
            metric(rank_metrics(lists, one), "recall").value);
  each.thresholds = {2, 7, 1};
  EXPECT_EQ(metric(rank_metrics(lists, each), "recall").value, 1);
  EXPECT_NEAR(metric(rank_metrics(lists, each), "precision").value, 2.0 / 3, 1e-15);
}

TEST(HedgeReport, KnowingEveryProfitIsTheBest) {
  const Table table = random_table(43, 20, 9);
  const Values stake = stakes(table);
  std::vector<bool> wise;
  for (size_t i = 0; i < stake.size(); ++i) wise.push_back(table.profit[i] > 0.3 * stake[i]);
  const HedgeTotals known = hedge_report(table.lists(), wise, stake, 0.3).total;
  EXPECT_NEAR(known.result, known.best, 1e-8);
  const HedgeTotals nobody =
      hedge_report(table.lists(), std::vector<bool>(stake.size(), false), stake, 0.3).total;
  EXPECT_DOUBLE_EQ(nobody.result, nobody.unhedged);
  EXPECT_EQ(nobody.cost, 0);
  const HedgeTotals all =
      hedge_report(table.lists(), std::vector<bool>(stake.size(), true), {}, 0.3).total;
  EXPECT_EQ(all.result, 0);
}

TEST(HedgeReport, Refused) {
  const std::vector<int64_t> offsets{0, 2};
  const Values two{1, 2}, one{1}, bad{1, kNaN};
  const std::vector<bool> flagged{true, false};
  const auto why = [&](const ScoredLists& lists, const std::vector<bool>& which,
                       const Values& stake, double kappa) {
    return refusal<attn::Error>([&] { hedge_report(lists, which, stake, kappa); });
  };
  EXPECT_EQ(why({offsets, {}, {}, two}, flagged, two, 1), "nothing was thrown");
  EXPECT_THAT(why({offsets, two, {}, {}}, flagged, two, 1), HasSubstr("no profits"));
  EXPECT_THAT(why({offsets, two, {}, two}, {true}, two, 1), HasSubstr("1 decisions for 2 rows"));
  EXPECT_THAT(why({offsets, two, {}, two}, flagged, one, 1), HasSubstr("1 stakes for 2 rows"));
  EXPECT_THAT(why({offsets, two, {}, two}, flagged, {1, -2}, 1), HasSubstr("stake of row 2"));
  EXPECT_THAT(why({offsets, two, {}, two}, flagged, bad, 1), HasSubstr("stake of row 2"));
  EXPECT_THAT(why({offsets, two, {}, two}, flagged, two, -1), HasSubstr("costs -1 of the stake"));
  EXPECT_THAT(why({offsets, two, {}, bad}, flagged, two, 1), HasSubstr("profit of row 2"));
}

TEST(ProfitCurve, IsProfitAtEveryDepth) {
  Table table = random_table(44, 30, 7);
  table.offsets.push_back(table.offsets.back());  // a list of no rows counts as nothing
  const Values curve = profit_curve(table.lists(), 10);
  MetricsOptions options = test::only_values();
  options.at = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const auto found = rank_metrics(table.lists(), options);
  for (size_t k = 1; k <= 10; ++k)
    EXPECT_NEAR(curve[k - 1], metric(found, "profit@" + std::to_string(k)).value, 1e-9) << k;
  EXPECT_EQ(curve[7], curve[6]);  // the longest list has 7 rows
  EXPECT_THROW(profit_curve(table.lists(), 0), attn::UsageError);
  table.profit.clear();
  EXPECT_THROW(profit_curve(table.lists(), 3), attn::Error);
}

// By falling profit the curve rises while there is money, then falls, and falls no further than the
// sum of all.
TEST(ProfitCurve, OfKnowingAllRisesThenFalls) {
  Table table = random_table(45, 1, 1);
  table.offsets = {0, 40};
  table.profit = random_table(46, 40, 1).profit;
  table.score = table.profit;
  table.label.clear();
  const Values curve = profit_curve(table.lists(), 40);
  Values falling = table.profit;
  std::sort(falling.rbegin(), falling.rend());
  for (size_t k = 1; k < 40; ++k) EXPECT_EQ(curve[k] > curve[k - 1], falling[k] > 0) << k;
  EXPECT_NEAR(curve.back(), std::accumulate(falling.begin(), falling.end(), 0.0), 1e-9);
}

TEST(Calibration, CountsAddUp) {
  const Table table = random_table(47, 40, 10, 9);
  const auto rows = static_cast<int64_t>(table.score.size());
  const std::vector<CalibrationBin> bins = calibration(table.lists(), 7);
  ASSERT_EQ(bins.size(), 7U);
  int64_t counted = 0;
  double positives = 0, profit = 0, last = -1e9;
  for (const CalibrationBin& bin : bins) {
    counted += bin.rows;
    EXPECT_LE(std::abs(bin.rows - rows / 7), 1);
    positives += bin.positives * static_cast<double>(bin.rows);
    profit += bin.profit * static_cast<double>(bin.rows);
    EXPECT_GE(bin.score, last);
    last = bin.score;
    const auto hits = std::llround(bin.positives * static_cast<double>(bin.rows));
    EXPECT_EQ(std::pair(bin.low, bin.high), wilson_interval(hits, bin.rows));
    EXPECT_LE(bin.low, bin.positives);
    EXPECT_GE(bin.high, bin.positives);
  }
  EXPECT_EQ(counted, rows);
  EXPECT_NEAR(positives,
              static_cast<double>(std::count_if(table.label.begin(), table.label.end(),
                                                [](double y) { return y > 0; })),
              1e-9);
  EXPECT_NEAR(profit, std::accumulate(table.profit.begin(), table.profit.end(), 0.0), 1e-8);
}

TEST(Calibration, ScalesAndMissingColumns) {
  const std::vector<int64_t> offsets{0, 4};
  const Values score{2, -2, 0, -1000}, label{1, 0, 1, 0};
  const auto as_is = calibration({offsets, score, label, {}}, 2);
  EXPECT_DOUBLE_EQ(as_is[0].score, -501);
  EXPECT_DOUBLE_EQ(as_is[0].positives, 0);
  EXPECT_DOUBLE_EQ(as_is[1].positives, 1);
  EXPECT_TRUE(std::isnan(as_is[0].profit));
  const auto logit = calibration({offsets, score, {}, {}}, 2, ScoreScale::logit);
  EXPECT_DOUBLE_EQ(logit[0].score, (1 / (1 + std::exp(2.0)) + 0) / 2);
  EXPECT_DOUBLE_EQ(logit[1].score, (1 / (1 + std::exp(-2.0)) + 0.5) / 2);
  EXPECT_TRUE(std::isnan(logit[0].positives) && std::isnan(logit[0].low));
  EXPECT_EQ(calibration({offsets, score, label, {}}, 99).size(), 4U);
  EXPECT_THROW(calibration({offsets, score, label, {}}, 0), attn::UsageError);
}

}  // namespace
}  // namespace finance
