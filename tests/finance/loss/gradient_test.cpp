// Every loss: its gradient against differences of itself, and what it is at points known by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/finance/loss/pair_reference.h"

namespace finance {
namespace {

using test::Rows;
using test::Values;

std::vector<LossOptions> every_loss() {
  std::vector<LossOptions> all;
  for (const std::string& name : loss_names()) all.push_back({.kind = parse_loss(name)});
  all.push_back({.kind = LossKind::pa_bce, .top = 6, .weight = GapWeight::log, .money = 20});
  all.push_back({.kind = LossKind::pa_bce, .weight = GapWeight::linear, .money = 7});
  all.push_back({.kind = LossKind::log_profit, .money = 20});
  all.push_back({.kind = LossKind::lambdarank, .gain = LambdaGain::linear, .truncation = 4});
  return all;
}

// LambdaRank holds the order fixed: its differences are those of the reference whose places stay.
TEST(Gradient, IsTheLimitOfDifferences) {
  for (const size_t n : {1U, 2U, 7U, 23U}) {
    const Rows rows = test::some_rows(n, 11);
    for (const LossOptions& o : every_loss()) {
      SCOPED_TRACE(to_string(o.kind) + " of " + std::to_string(n));
      const auto loss = [&](const Values& s) {
        if (o.kind == LossKind::lambdarank)
          return n == 1 ? 0 : test::plain_lambdarank(o, s, rows.label, rows.score).value;
        return list_loss(o, s, rows.label, rows.profit, 1, {});
      };
      Values gradient(n, 0.0);
      const double value = list_loss(o, rows.score, rows.label, rows.profit, 1, gradient);
      EXPECT_NEAR(value, loss(rows.score), 1e-12 * (1 + value));
      constexpr double kStep = 1e-4;
      for (size_t i = 0; i < n; ++i) {
        const auto moved = [&](double steps) {
          Values s = rows.score;
          s[i] += steps * kStep;
          return loss(s);
        };
        const double slope =  // of fourth order
            (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * kStep);
        EXPECT_NEAR(gradient[i], slope, 1e-8 * (1 + std::abs(slope))) << "row " << i;
      }
    }
  }
}

TEST(Gradient, IsWeightedAndAdded) {
  const Rows rows = test::some_rows(13, 12);
  for (const LossOptions& o : every_loss()) {
    Values once(13, 0.0), added(13, 5.0);
    const double loss = list_loss(o, rows.score, rows.label, rows.profit, 1, once);
    EXPECT_EQ(list_loss(o, rows.score, rows.label, rows.profit, -0.25, added), loss);
    EXPECT_EQ(list_loss(o, rows.score, rows.label, rows.profit, -0.25, {}), loss);
    for (size_t i = 0; i < 13; ++i)
      EXPECT_NEAR(added[i], 5 - 0.25 * once[i], 1e-13 * (1 + std::abs(once[i])));
  }
}

TEST(ListLoss, AsByHand) {
  const Values s{0, std::log(3)}, y{2, 0}, p{-19, 0};
  const auto loss = [&](const LossOptions& o) { return list_loss(o, s, y, p, 1, {}); };
  EXPECT_NEAR(loss({.kind = LossKind::bce}), (std::log(2) + std::log(4)) / 2, 1e-15);
  EXPECT_NEAR(loss({.kind = LossKind::softmax}), -2 * std::log(0.25) / 2, 1e-15);
  const double share = 1 / (1 + std::exp(-2));
  EXPECT_NEAR(loss({.kind = LossKind::listnet}),
              -share * std::log(0.25) - (1 - share) * std::log(0.75), 1e-15);
  EXPECT_NEAR(loss({.kind = LossKind::ranknet}), std::log(4), 1e-15);
  EXPECT_NEAR(loss({.kind = LossKind::pa_bce}), std::log10(20) * std::log(4.0 / 3) / 2, 1e-15);
  EXPECT_NEAR(loss({.kind = LossKind::log_profit}),
              (std::log(20) * std::log(20) + std::log(3) * std::log(3)) / 2, 1e-14);
  EXPECT_NEAR(loss({.kind = LossKind::pa_bce, .weight = GapWeight::linear}),
              19 * std::log(4.0 / 3) / 2, 1e-14);
  EXPECT_NEAR(loss({.kind = LossKind::mse}), (4 + std::log(3) * std::log(3)) / 2, 1e-15);
  // The one relevant row stands second: swapped, NDCG rises from 1/log2(3) to 1.
  EXPECT_NEAR(loss({.kind = LossKind::lambdarank}), (1 - 1 / std::log2(3)) * 2, 1e-15);
}

TEST(ListLoss, RowLossesAreStable) {
  const Values s{1e6, -1e6, 0, 1e6}, y{1, 0, 1, 0}, p{5, -5, 0, 2};
  for (const LossOptions& o : every_loss()) {
    Values gradient(4, 0.0);
    EXPECT_TRUE(std::isfinite(list_loss(o, s, y, p, 1, gradient))) << to_string(o.kind);
    for (const double g : gradient) EXPECT_TRUE(std::isfinite(g)) << to_string(o.kind);
  }
  EXPECT_NEAR(list_loss({.kind = LossKind::bce}, s, y, p, 1, {}), (std::log(2) + 1e6) / 4, 1e-9);
}

TEST(ListLoss, WhatHasNoPairIsZero) {
  const auto zero = [](const LossOptions& o, const Values& s, const Values& y, const Values& p) {
    Values gradient(s.size(), 0.0);
    EXPECT_EQ(list_loss(o, s, y, p, 1, gradient), 0) << to_string(o.kind);
    for (const double g : gradient) EXPECT_EQ(g, 0) << to_string(o.kind);
  };
  for (const LossOptions& o : every_loss()) zero(o, {}, {}, {});
  for (const LossKind kind : {LossKind::pa_bce, LossKind::ranknet, LossKind::lambdarank}) {
    zero({.kind = kind}, {3}, {1}, {7});
    zero({.kind = kind}, {3, -2, 1}, {2, 2, 2}, {7, 7, 7});
  }
  zero({.kind = LossKind::softmax}, {3, -2, 1}, {0, 0, 0}, {});
  zero({.kind = LossKind::listnet}, {3}, {1}, {});
}

// Of equal profits the earlier row is kept.
TEST(ListLoss, TopCutsStably) {
  Values gradient(4, 0.0);
  list_loss({.top = 2}, Values{0, 0, 0, 0}, {}, Values{1, 5, 1, 1}, 1, gradient);
  EXPECT_LT(gradient[1], 0);
  EXPECT_GT(gradient[0], 0);
  EXPECT_EQ(gradient[2], 0);
  EXPECT_EQ(gradient[3], 0);
}

}  // namespace
}  // namespace finance
