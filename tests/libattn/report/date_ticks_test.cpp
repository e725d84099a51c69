#include "libattn/report/date_ticks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace attn::report {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// `date -u -d DATE +%s`
constexpr double kJuly2016 = 1467331200;   // 2016-07-01 00:00
constexpr double kJan2016 = 1451606400;    // 2016-01-01 00:00
constexpr double kJan2017 = 1483228800;    // 2017-01-01 00:00
constexpr double kMarch2016 = 1456790400;  // 2016-03-01 00:00, behind a leap day
constexpr double kHour = 3600, kDay = 86400;

std::vector<std::string> texts(double low, double high, int most) {
  std::vector<std::string> out;
  for (const DateTick& tick : date_ticks(low, high, most))
    out.push_back(tick.label + (tick.context.empty() ? "" : "|" + tick.context));
  return out;
}

TEST(DateTicks, HoursCarryTheirDay) {
  EXPECT_THAT(
      texts(kJuly2016 - 5 * kHour, kJuly2016 + 13 * kHour, 7),
      ElementsAre("21:00|30 Jun 2016", "00:00|1 Jul 2016", "03:00", "06:00", "09:00", "12:00"));
  EXPECT_THAT(
      texts(kJuly2016, kJuly2016 + 2 * kDay, 5),
      ElementsAre("00:00|1 Jul 2016", "12:00", "00:00|2 Jul 2016", "12:00", "00:00|3 Jul 2016"));
}

TEST(DateTicks, MinutesAndSeconds) {
  EXPECT_THAT(texts(kJuly2016 + 60, kJuly2016 + 3600, 5),
              ElementsAre("00:15|1 Jul 2016", "00:30", "00:45", "01:00"));
  EXPECT_THAT(texts(kJuly2016 - 4, kJuly2016 + 6.5, 6),
              ElementsAre("23:59:56|30 Jun 2016", "23:59:58", "00:00:00|1 Jul 2016", "00:00:02",
                          "00:00:04", "00:00:06"));
}

TEST(DateTicks, DaysAndWeeksCarryTheirYear) {
  EXPECT_THAT(texts(kJan2017 - 2 * kDay, kJan2017 + 2 * kDay, 5),
              ElementsAre("30 Dec|2016", "31 Dec", "1 Jan|2017", "2 Jan", "3 Jan"));
  // 2016 was a leap year; every second day begins anew with the month.
  EXPECT_THAT(texts(kMarch2016 - 5 * kDay, kMarch2016 + 4 * kDay, 6),
              ElementsAre("25 Feb|2016", "27 Feb", "29 Feb", "1 Mar", "3 Mar", "5 Mar"));
  EXPECT_THAT(texts(kJuly2016 + 28 * kDay, kJuly2016 + 33 * kDay, 4),
              ElementsAre("29 Jul|2016", "1 Aug", "3 Aug"));
  // Mondays.
  EXPECT_THAT(texts(kJuly2016, kJuly2016 + 27 * kDay, 5),
              ElementsAre("4 Jul|2016", "11 Jul", "18 Jul", "25 Jul"));
}

TEST(DateTicks, MonthsAndQuarters) {
  EXPECT_THAT(texts(kJuly2016 + 1, kJan2017 + 40 * kDay, 9),
              ElementsAre("Aug|2016", "Sep", "Oct", "Nov", "Dec", "Jan|2017", "Feb"));
  EXPECT_THAT(texts(kJan2016, kJan2017, 6),
              ElementsAre("Jan|2016", "Apr", "Jul", "Oct", "Jan|2017"));
  EXPECT_THAT(texts(kJan2016, kJan2017, 4), ElementsAre("Jan|2016", "Jul", "Jan|2017"));
}

TEST(DateTicks, Years) {
  EXPECT_THAT(texts(-662688000, -283996800, 8),  // 1949-01-01 to 1961-01-01
              ElementsAre("1950", "1952", "1954", "1956", "1958", "1960"));
  EXPECT_THAT(texts(-62135596800, 253402300799, 6),  // of the years 1 to 9999
              ElementsAre("2000", "4000", "6000", "8000"));
}

TEST(DateTicks, AreWithinTheRangeAndNoMoreThanAskedFor) {
  for (int i = 0; i < 50; ++i) {
    const double span = std::pow(1.7, i);  // up to 3e11
    for (const int most : {1, 2, 5, 11}) {
      for (const double low : {kJuly2016 + 12345, -1e9, kJan2017}) {
        const double high = std::min(low + span, 2.5e11);
        const auto ticks = date_ticks(low, high, most);
        EXPECT_LE(ticks.size(), static_cast<size_t>(most));
        if (most >= 5 && span > 10) {
          EXPECT_GE(ticks.size(), 2U) << span;
        }
        std::set<std::string> seen;
        std::string context;
        double before = -std::numeric_limits<double>::infinity();
        for (const DateTick& tick : ticks) {
          EXPECT_GE(tick.at, low);
          EXPECT_LE(tick.at, high);
          EXPECT_GT(tick.at, before);
          before = tick.at;
          if (!tick.context.empty()) context = tick.context;
          EXPECT_TRUE(seen.insert(tick.label + "|" + context).second)  // unambiguous
              << tick.label << " " << context;
        }
        if (!ticks.empty() && ticks[0].label.size() != 4) {
          EXPECT_NE(ticks[0].context, "");
        }
      }
    }
  }
}

TEST(DateTicks, NoneWhereThereIsNoCalendar) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  EXPECT_THAT(date_ticks(0, kInf, 5), IsEmpty());
  EXPECT_THAT(date_ticks(std::nan(""), 0, 5), IsEmpty());
  EXPECT_THAT(date_ticks(-1e300, 1e300, 5), IsEmpty());
  EXPECT_THAT(date_ticks(5, 1, 5), IsEmpty());
  EXPECT_THAT(texts(kJuly2016, kJuly2016, 5), ElementsAre("00:00:00|1 Jul 2016"));
}

}  // namespace
}  // namespace attn::report
