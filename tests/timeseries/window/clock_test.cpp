#include "timeseries/window/clock.h"

#include <gtest/gtest.h>

#include <vector>

#include "timeseries/series/calendar.h"

namespace timeseries {
namespace {

constexpr Instant kFriday = 1467331200;  // 2016-07-01 00:00
constexpr int64_t kDay = 86400;

const std::vector<Frequency> kFrequencies{
    {Unit::index, 1, false},   {Unit::index, 5, false},        {Unit::second, 10, false},
    {Unit::minute, 15, false}, {Unit::hour, 1, false},         {Unit::hour, 6, false},
    {Unit::day, 1, false},     {Unit::business_day, 1, false}, {Unit::week, 1, false},
    {Unit::month, 1, false},   {Unit::month, 1, true},         {Unit::quarter, 1, false},
    {Unit::year, 1, false}};

TEST(Clock, OneStepLaterIsOneMore) {
  for (const Frequency& f : kFrequencies) {
    const Instant start = f.unit == Unit::index ? 15 : kFriday;
    const int64_t first = step_index(start, f);
    for (int64_t n = 1; n < 900; ++n)
      ASSERT_EQ(step_index(advance(start, f, n), f), first + n)
          << static_cast<int>(f.unit) << " " << n;
  }
}

TEST(Clock, StepsBefore1970GoOnEvenly) {
  for (const Frequency& f : kFrequencies) {
    if (f.unit == Unit::index) continue;
    const Instant start = -3653 * kDay;  // Friday 1960-01-01
    const int64_t first = step_index(start, f);
    for (int64_t n = 1; n < 60; ++n)
      ASSERT_EQ(step_index(advance(start, f, n), f), first + n) << static_cast<int>(f.unit);
  }
}

TEST(Clock, ThePhaseIsTheHourOfTheDayAndTheDayOfTheWeek) {
  const Frequency hour{Unit::hour, 1, false}, day{Unit::day, 1, false};
  EXPECT_EQ(phase_of(kFriday, hour, 24), 0);
  EXPECT_EQ(phase_of(kFriday + 5 * 3600, hour, 24), 5);
  EXPECT_EQ(phase_of(kFriday + 29 * 3600 + 1800, hour, 24), 5);
  EXPECT_EQ(phase_of(kFriday, day, 7), 4);  // Monday: 0
  EXPECT_EQ(phase_of(kFriday + 3 * kDay, day, 7), 0);
  EXPECT_EQ(phase_of(kFriday, {Unit::minute, 15, false}, 96), 0);
  EXPECT_EQ(phase_of(kFriday, {Unit::month, 1, false}, 12), 6);
  EXPECT_EQ(phase_of(17, {Unit::index, 1, false}, 5), 2);
  EXPECT_EQ(phase_of(-1, {Unit::index, 1, false}, 5), 4);
}

TEST(Clock, SeasonsOfAYearFollowTheCalendar) {
  const Frequency week{Unit::week, 1, false}, day{Unit::day, 1, false};
  const Instant new_year = 1009843200;  // 2002-01-01
  EXPECT_EQ(phase_of(new_year, week, 52), 0);
  EXPECT_EQ(phase_of(new_year + 7 * kDay, week, 52), 1);
  // 18 years later, 939 weeks and some: the index alone would be 3 weeks off.
  EXPECT_EQ(phase_of(1577836800, week, 52), 0);                 // 2020-01-01
  EXPECT_EQ(phase_of(1577836800 - kDay, week, 52), 51);         // 2019-12-31
  EXPECT_EQ(phase_of(1577836800 + 365 * kDay, day, 365), 364);  // 2020-12-31, a leap year's
}

}  // namespace
}  // namespace timeseries
