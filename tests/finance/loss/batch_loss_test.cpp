// Means over the lists of a batch.
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "tests/finance/loss/pair_reference.h"

namespace finance {
namespace {

using test::Values;

// Lists of 2, 0, 1, 2 and 3 rows; the fourth has neither a pair nor a positive label.
const std::vector<int64_t> kOffsets{0, 2, 2, 3, 5, 8};
const Values kScore{0.3, -1, 2, 0.5, 1.5, -0.2, 0.1, 0.9};
const Values kLabel{0, 1, 0, 0, 0, 2, 0, 1};
const Values kProfit{-5, 20, 3, 8, 8, 40, -7, 0};

/// The lists at `which`, one by one.
void expect_mean_of(const LossOptions& o, const std::vector<size_t>& which) {
  SCOPED_TRACE(to_string(o.kind));
  double sum = 0;
  Values expected(kScore.size(), 0.0), found(kScore.size(), 99);
  for (const size_t l : which) {
    const auto from = static_cast<size_t>(kOffsets[l]),
               rows = static_cast<size_t>(kOffsets[l + 1]) - from;
    const auto of = [&](const Values& all) { return std::span(all).subspan(from, rows); };
    sum += list_loss(o, of(kScore), of(kLabel), of(kProfit), 1 / static_cast<double>(which.size()),
                     std::span(expected).subspan(from, rows));
  }
  EXPECT_NEAR(batch_loss(o, kOffsets, kScore, kLabel, kProfit, found),
              sum / static_cast<double>(which.size()), 1e-14);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-14) << i;
  EXPECT_EQ(batch_loss(o, kOffsets, kScore, kLabel, kProfit, {}),
            batch_loss(o, kOffsets, kScore, kLabel, kProfit, found));
}

TEST(BatchLoss, DropsListsOfZeroLossWherePairsMakeIt) {
  for (const LossKind kind :
       {LossKind::pa_bce, LossKind::ranknet, LossKind::lambdarank, LossKind::softmax})
    expect_mean_of({.kind = kind}, {0, 4});
  expect_mean_of({.kind = LossKind::listnet}, {0, 3, 4});
}

TEST(BatchLoss, CountsEveryListThatHasRowsElsewhere) {
  for (const LossKind kind : {LossKind::bce, LossKind::log_profit, LossKind::mse})
    expect_mean_of({.kind = kind}, {0, 2, 3, 4});
  // A perfect fit is a list like any other.
  const Values s{1, 0}, p{std::exp(1) - 1, 1};
  EXPECT_NEAR(
      batch_loss({.kind = LossKind::log_profit}, std::vector<int64_t>{0, 1, 2}, s, {}, p, {}),
      std::log(2) * std::log(2) / 2, 1e-15);
}

TEST(BatchLoss, OfNothingIsZeroAndLeavesNoGradient) {
  Values gradient{7, 7};
  EXPECT_EQ(batch_loss({}, std::vector<int64_t>{0, 1, 2}, Values{1, 2}, {}, Values{3, 4}, gradient),
            0);
  EXPECT_EQ(gradient, (Values{0, 0}));
  EXPECT_EQ(batch_loss({}, std::vector<int64_t>{0}, {}, {}, {}, {}), 0);
  EXPECT_EQ(batch_loss({}, {}, {}, {}, {}, {}), 0);
}

TEST(BatchLoss, LengthsMustAgree) {
  const Values two{1, 2}, three{1, 2, 3};
  Values gradient(3, 0.0);
  EXPECT_THROW(list_loss({}, two, {}, {}, 1, {}), std::logic_error);
  EXPECT_THROW(list_loss({.kind = LossKind::bce}, two, three, {}, 1, {}), std::logic_error);
  EXPECT_THROW(list_loss({}, two, {}, two, 1, gradient), std::logic_error);
  EXPECT_THROW(batch_loss({}, std::vector<int64_t>{0, 3}, two, {}, two, {}), std::logic_error);
}

}  // namespace
}  // namespace finance
