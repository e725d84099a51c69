// Numbers in words, and times as places on an axis.
#include "finance/report/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "finance/report/iso_time.h"

namespace finance {
namespace {

using testing::HasSubstr;

TEST(Words, MoneyIsGroupedInThrees) {
  EXPECT_EQ(money_text(1234567.4), "1 234 567");
  EXPECT_EQ(money_text(-654440.2), "-654 440");
  EXPECT_EQ(money_text(-1000), "-1 000");
  EXPECT_EQ(money_text(999.4), "999.4");
  EXPECT_EQ(money_text(999.7), "1 000");
  EXPECT_EQ(money_text(33.91), "33.91");
  EXPECT_EQ(money_text(-0.0), "0");
  EXPECT_EQ(money_text(NAN), "-");
  EXPECT_EQ(money_text(INFINITY), "-");
  EXPECT_LT(money_text(1e300).size(), 16U);
  EXPECT_EQ(signed_money(193.5), "+193.5");
  EXPECT_EQ(signed_money(-193.5), "-193.5");
  EXPECT_EQ(signed_money(0), "0");
  EXPECT_EQ(signed_money(INFINITY), "-");
}

TEST(Words, SharesAndCounts) {
  EXPECT_EQ(percent(0.4312), "43.1 %");
  EXPECT_EQ(percent(NAN), "-");
  EXPECT_EQ(level_text(0.95), "95 %");
  EXPECT_EQ(level_text(0.999), "99.9 %");
  EXPECT_EQ(counted(1, "list", "lists"), "1 list");
  EXPECT_EQ(counted(12500, "row", "rows"), "12 500 rows");
}

TEST(Words, AxesOfMoneyKeepFewDigits) {
  const auto scale = [](double v) { return money_scale(std::vector<double>{NAN, -v, v / 2}); };
  EXPECT_EQ(scale(99999).label, "money");
  EXPECT_EQ(scale(100000).label, "money, thousands");
  EXPECT_EQ(scale(2.5e6).unit, 1e6);
  EXPECT_EQ(scale(2.5e6).label, "money, millions");
  EXPECT_EQ(scale(3e9).label, "money, billions");
  EXPECT_EQ(money_scale({}).unit, 1);
}

TEST(Words, EveryMetricOfTheHouseHasAMeaning) {
  for (const char* name : {"profit@1", "profit@5", "ndcg@3", "precision@1", "precision@10", "mrr",
                           "auc", "macro_f1", "precision", "recall", "pnl_of_mistakes"})
    EXPECT_NE(metric_meaning(name), "") << name;
  EXPECT_THAT(metric_meaning("profit@12"), HasSubstr("first 12 traders"));
  for (const char* name : {"", "@", "profit@", "profit@x", "profit@-3", "profit@0", "own"})
    EXPECT_EQ(metric_meaning(name), "") << name;
  EXPECT_TRUE(is_money("profit@5"));
  EXPECT_TRUE(is_money("pnl_of_mistakes"));
  EXPECT_FALSE(is_money("precision@5"));
}

TEST(IsoTime, ReadsDatesAndTimes) {
  EXPECT_EQ(iso_seconds("1970-01-01"), 0);
  EXPECT_EQ(iso_seconds("2016-07-01"), 1467331200);
  EXPECT_EQ(iso_seconds("2016-07-01 13:00"), 1467331200 + 13 * 3600);
  EXPECT_EQ(iso_seconds("2016-07-01T13:00:05Z"), 1467331200 + 13 * 3600 + 5);
  EXPECT_EQ(iso_seconds("2016-07-01T13:00:05.25"), 1467331200 + 13 * 3600 + 5.25);
  EXPECT_EQ(iso_seconds("1969-12-31"), -86400);
  EXPECT_TRUE(iso_seconds("2024-02-29"));
  for (const char* text :
       {"", "2016", "2016-07", "2016-7-1", "2016-07-01x", "2016-13-01", "2023-02-29", "01.07.2016",
        "2016-07-01 24:00", "2016-07-01 13:60", "2016-07-01 13:00:60", "2016-07-01 13:00:05.",
        "2016-07-01T13:00+02:00", "2016-07-01 ", "2016-07-01T", "-016-07-01", "2016--7-01", "17"})
    EXPECT_FALSE(iso_seconds(text)) << text;
}

TEST(IsoTime, TimesMustAscend) {
  using Times = std::vector<std::string>;
  EXPECT_EQ(ascending_times(Times{"1970-01-01", "1970-01-01", "1970-01-02"}),
            (std::vector<double>{0, 0, 86400}));
  EXPECT_TRUE(ascending_times(Times{"1970-01-02", "1970-01-01"}).empty());
  EXPECT_TRUE(ascending_times(Times{"1970-01-01", ""}).empty());
  EXPECT_TRUE(ascending_times({}).empty());
}

}  // namespace
}  // namespace finance
