// The pair loops of every instruction set against their equations.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "finance/loss/rank_loss.h"
#include "tests/finance/loss/pair_reference.h"
#include "tests/support/every_target.h"

namespace finance {
namespace {

using test::Loss;
using test::Rows;
using test::Values;

Loss computed(const LossOptions& o, const Values& s, const Values& y, const Values& p) {
  Loss loss{0, Values(s.size(), 0.0)};
  loss.value = list_loss(o, s, y, p, 1, loss.gradient);
  return loss;
}

void expect_near(const Loss& found, const Loss& expected, double within) {
  EXPECT_NEAR(found.value, expected.value, within * (1 + std::abs(expected.value)));
  double size = 1;
  for (const double g : expected.gradient) size = std::max(size, std::abs(g));
  ASSERT_EQ(found.gradient.size(), expected.gradient.size());
  for (size_t i = 0; i < found.gradient.size(); ++i)
    ASSERT_NEAR(found.gradient[i], expected.gradient[i], within * size) << "row " << i;
}

std::vector<LossOptions> pair_options() {
  std::vector<LossOptions> all;
  for (const int64_t top : {0, 1, 6, 20}) all.push_back({.kind = LossKind::pa_bce, .top = top});
  all.push_back({.kind = LossKind::pa_bce, .weight = GapWeight::log, .money = 20});
  all.push_back({.kind = LossKind::pa_bce, .money = 1e12});
  all.push_back({.kind = LossKind::pa_bce, .top = 6, .weight = GapWeight::linear, .money = 20});
  all.push_back({.kind = LossKind::ranknet});
  for (const LambdaGain gain : {LambdaGain::exponential, LambdaGain::linear})
    for (const int64_t places : {0, 1, 3, 30})
      all.push_back({.kind = LossKind::lambdarank, .gain = gain, .truncation = places});
  return all;
}

Loss expected_of(const LossOptions& o, const Rows& rows) {
  if (o.kind == LossKind::pa_bce) return test::plain_pa_bce(o, rows.score, rows.profit);
  if (o.kind == LossKind::ranknet) return test::plain_ranknet(rows.score, rows.label);
  return test::plain_lambdarank(o, rows.score, rows.label, rows.score);
}

TEST(PairLosses, AreTheirEquationsForEveryLength) {
  std::vector<size_t> lengths{50, 101, 333};
  for (size_t n = 2; n <= 33; ++n) lengths.push_back(n);
  attn::test::with_every_target([&] {
    for (const size_t n : lengths) {
      for (const LossOptions& o : pair_options()) {
        SCOPED_TRACE(to_string(o.kind) + " of " + std::to_string(n));
        const Rows rows = test::some_rows(n, 1);
        expect_near(computed(o, rows.score, rows.label, rows.profit), expected_of(o, rows), 1e-13);
      }
    }
  });
}

TEST(PairLosses, AreStableForScoresFarApart) {
  attn::test::with_every_target([&] {
    for (const double scale : {30.0, 400.0, 1e6, 1e100}) {
      for (const LossOptions& o : pair_options()) {
        SCOPED_TRACE(to_string(o.kind) + " at " + std::to_string(scale));
        Rows rows = test::some_rows(41, 2);
        for (double& s : rows.score) s *= scale;
        const Loss found = computed(o, rows.score, rows.label, rows.profit);
        ASSERT_TRUE(std::isfinite(found.value));
        expect_near(found, expected_of(o, rows), 1e-13);
      }
    }
  });
}

// Two rows of score 0: w log 2.
TEST(PairLosses, WeightsAreExactForEveryGap) {
  const LossOptions o{.weight = GapWeight::log};
  attn::test::with_every_target([&] {
    for (int power = -9000; power < 9000; ++power) {
      const double gap = std::pow(10, power / 30.0);
      const Values s{0, 0}, p{0, gap};
      const double loss = list_loss(o, s, {}, p, 1, {});
      ASSERT_NEAR(loss / (std::log1p(gap) * std::numbers::ln2 / 2), 1, 1.5e-15) << gap;
    }
  });
}

// ... and of one gap, e - 1: log(1 + e^-d) / 2.
TEST(PairLosses, KeepTheirDigitsWhereTheyAreSmall) {
  const LossOptions o{.weight = GapWeight::log, .money = 1 / (std::numbers::e - 1)};
  attn::test::with_every_target([&] {
    for (int power = -900; power < 284; ++power) {
      const double d = std::pow(10, power / 100.0);
      Values slope(2, 0.0);
      const double loss = list_loss(o, Values{d, 0}, {}, Values{1, 0}, 1, slope);
      ASSERT_NEAR(loss / (std::log1p(std::exp(-d)) / 2), 1, 3e-15) << d;
      ASSERT_NEAR(slope[1] / (1 / (1 + std::exp(d)) / 2), 1, 3e-15) << d;
      ASSERT_EQ(slope[0], -slope[1]);
    }
  });
}

TEST(PairLosses, ProfitsOfAnySizeGiveFiniteNumbers) {
  const double most = std::numeric_limits<double>::max();
  attn::test::with_every_target([&] {
    const Loss found = computed({.money = 1e-3}, {1, 2, 3}, {}, {most, 0, -most});
    ASSERT_TRUE(std::isfinite(found.value));
    EXPECT_GT(found.value, 100);
    EXPECT_LT(found.value, 3000);
  });
}

TEST(PairLosses, LabelsOfAnySizeGiveTheSameOrderOfGains) {
  // 2^y of these is no double; the highest label outweighs all others.
  const LossOptions o{.kind = LossKind::lambdarank};
  const Loss found = computed(o, {0, 1, 2}, {3000, 2, 1}, {});
  EXPECT_NEAR(found.value,
              (1 - 0.5) * std::log2(1 + std::exp(2)) +
                  (1 / std::log2(3) - 0.5) * std::log2(1 + std::exp(1)),
              1e-12);
}

TEST(PairLosses, ScoresThatAreNoNumbersShowInTheLoss) {
  attn::test::with_every_target([&] {
    for (const LossOptions& o : pair_options()) {
      if (o.top == 1) continue;
      Rows rows = test::some_rows(19, 3);
      const size_t best =
          static_cast<size_t>(std::ranges::max_element(rows.profit) - rows.profit.begin());
      rows.score[best] = std::numeric_limits<double>::quiet_NaN();
      rows.label[best] = 9;
      EXPECT_FALSE(std::isfinite(list_loss(o, rows.score, rows.label, rows.profit, 1, {})))
          << to_string(o.kind);
    }
  });
}

TEST(PairLosses, LongListsAgreeWithTheReference) {
  const Rows rows = test::some_rows(2000, 4);
  for (const LossOptions& o : {LossOptions{}, LossOptions{.kind = LossKind::ranknet}})
    expect_near(computed(o, rows.score, rows.label, rows.profit), expected_of(o, rows), 1e-12);
}

// What moves a row up moves the others down, and the order of the rows does not matter.
TEST(PairLosses, GradientsSumToZeroAndFollowTheRows) {
  for (const LossOptions& o : pair_options()) {
    const Rows rows = test::some_rows(37, 5);
    Rows turned = rows;
    for (size_t i = 0; i < turned.score.size(); ++i) {
      turned.score[i] += 1e-3 * static_cast<double>(i);  // no ties: those go by row
      turned.profit[i] += 1e-3 * static_cast<double>(i);
    }
    const Loss straight = computed(o, turned.score, turned.label, turned.profit);
    double sum = 0;
    for (const double g : straight.gradient) sum += g;
    EXPECT_NEAR(sum, 0, 1e-12 * (1 + straight.value));
    for (Values* column : {&turned.score, &turned.label, &turned.profit})
      std::ranges::reverse(*column);
    Loss back = computed(o, turned.score, turned.label, turned.profit);
    std::ranges::reverse(back.gradient);
    expect_near(back, straight, 1e-12);
  }
}

}  // namespace
}  // namespace finance
