// Names, refusals and the warning.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "attn/error.h"
#include "finance/loss/rank_loss.h"

namespace finance {
namespace {

using testing::HasSubstr;
using Values = std::vector<double>;

TEST(LossNames, GoThereAndBack) {
  EXPECT_EQ(loss_names().size(), 8U);
  for (const std::string& name : loss_names()) EXPECT_EQ(to_string(parse_loss(name)), name);
  EXPECT_EQ(parse_loss("pa-bce"), LossKind::pa_bce);
  EXPECT_EQ(parse_loss("log-profit"), LossKind::log_profit);
}

TEST(LossNames, UnknownOnesAreRefusedWithTheNearest) {
  try {
    parse_loss("lamdarank");
    FAIL();
  } catch (const attn::UsageError& error) {
    EXPECT_STREQ(error.what(),
                 "the loss: expected pa-bce, bce, softmax, lambdarank, listnet, ranknet, "
                 "log-profit, mse, found 'lamdarank'; did you mean 'lambdarank'?");
  }
}

TEST(LossOptions, NeedProfitOrLabel) {
  for (const std::string& name : loss_names()) {
    const LossKind kind = parse_loss(name);
    EXPECT_NE(needs_profit(kind), needs_label(kind));
    EXPECT_EQ(needs_profit(kind), name == "pa-bce" || name == "log-profit");
  }
}

TEST(LossOptions, OutOfRangeAreRefused) {
  EXPECT_NO_THROW(check(LossOptions{}));
  EXPECT_THROW(check({.top = -1}), attn::UsageError);
  EXPECT_THROW(check({.truncation = -3}), attn::UsageError);
  for (const double money : {0.0, -2.0, std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()})
    EXPECT_THROW(check({.money = money}), attn::UsageError);
}

TEST(TruncationWarning, OnlyWhereListsOfBothSignsAreCut) {
  const std::vector<int64_t> offsets{0, 3, 5};
  const Values both{5, -2, 1, 7, -7}, gains{5, 2, 1, 7, 7};
  EXPECT_EQ(truncation_warning({.top = 0}, offsets, both), "");
  EXPECT_EQ(truncation_warning({.top = 3}, offsets, both), "");
  EXPECT_EQ(truncation_warning({.top = 2}, offsets, gains), "");
  EXPECT_EQ(truncation_warning({.kind = LossKind::ranknet, .top = 2}, offsets, both), "");
  EXPECT_EQ(truncation_warning({.top = 2}, {}, {}), "");
  const std::string warning = truncation_warning({.top = 2}, offsets, both);
  EXPECT_THAT(warning, HasSubstr("--top 2 trains on the 2 most profitable traders of a list"));
  EXPECT_THAT(warning, HasSubstr("1 of 2 lists is longer and has profits of both signs"));
  EXPECT_THAT(warning, HasSubstr("--top 0 trains on the whole list"));
  EXPECT_THAT(truncation_warning({.top = 1}, offsets, both),
              HasSubstr("2 of 2 lists are longer and have"));
}

}  // namespace
}  // namespace finance
