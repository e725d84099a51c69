#include "timeseries/series/calendar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/damage.h"
#include "timeseries/series/civil.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::HasSubstr;

TEST(Civil, EveryDayOfThreeThousandYears) {
  // The calendar written out: every day one more than the last, by the rule of leap years.
  int64_t year = 1, month = 1, day = 1, weekday = 0, of_year = 0;  // 0001-01-01 was a Monday
  Instant instant = -62135596800;
  while (year < 3000) {
    ASSERT_EQ(instant_of({year, month, day}), instant) << year << "-" << month << "-" << day;
    ASSERT_EQ(civil_of(instant + 86399), (Civil{year, month, day, 23, 59, 59}));
    ASSERT_EQ(weekday_of(instant + 86399), weekday);
    ASSERT_EQ(day_of_year(instant), of_year);
    instant += 86400;
    weekday = (weekday + 1) % 7;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    const int64_t lengths[] = {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    ++of_year;
    if (++day <= lengths[month - 1]) continue;
    day = 1;
    if (++month <= 12) continue;
    month = 1;
    of_year = 0;
    ++year;
  }
}

TEST(Civil, KnownInstants) {
  EXPECT_EQ(instant_of({2016, 7, 1, 13}), 1467378000);  // date -u -d '2016-07-01 13:00' +%s
  EXPECT_EQ(instant_of({1970, 1, 1}), 0);
  EXPECT_EQ(instant_of({1949, 1, 1}), -662688000);
  EXPECT_EQ(weekday_of(instant_of({2021, 4, 30})), 4);
  EXPECT_FALSE(is_valid({2021, 2, 29}));
  EXPECT_TRUE(is_valid({2020, 2, 29}));
  EXPECT_FALSE(is_valid({1900, 2, 29}));
  EXPECT_FALSE(is_valid({2020, 13, 1}));
  EXPECT_FALSE(is_valid({2020, 1, 0}));
  EXPECT_FALSE(is_valid({2020, 1, 1, 24}));
  EXPECT_FALSE(is_valid({2020, 1, 1, 0, 0, 60}));
  for (const Instant far : {Instant{1} << 50, -(Instant{1} << 50)})
    EXPECT_EQ(instant_of(civil_of(far)), far);
}

TEST(Frequency, Names) {
  const auto is = [](const char* text, Unit unit, int64_t count = 1, bool end = false) {
    EXPECT_EQ(parse_frequency(text), (Frequency{unit, count, end})) << text;
  };
  is("h", Unit::hour), is("H", Unit::hour), is("hourly", Unit::hour), is("1h", Unit::hour);
  is("15min", Unit::minute, 15), is("15 minutes", Unit::minute, 15), is("15T", Unit::minute, 15);
  is("D", Unit::day), is("daily", Unit::day), is("2 days", Unit::day, 2);
  is("B", Unit::business_day), is("business day", Unit::business_day);
  is("W", Unit::week), is("W-SUN", Unit::week), is("2w", Unit::week, 2);
  is("M", Unit::month), is("MS", Unit::month), is("ME", Unit::month, 1, true);
  is("Q", Unit::quarter), is("Q-DEC", Unit::quarter), is("QE-DEC", Unit::quarter, 1, true);
  is("Y", Unit::year), is("A", Unit::year), is("yearly", Unit::year), is("YE", Unit::year, 1, true);
  is("index", Unit::index), is("10index", Unit::index, 10), is("s", Unit::second);
  // in the largest unit
  is("60min", Unit::hour), is("1440min", Unit::day), is("7D", Unit::week), is("24h", Unit::day);
  is("3M", Unit::quarter), is("12M", Unit::year), is("6MS", Unit::quarter, 2),
      is("36h", Unit::hour, 36);
  is("3600s", Unit::hour), is("12ME", Unit::year, 1, true);
}

TEST(Frequency, RefusedNames) {
  for (const char* text : {"", "m", "x", "0h", "-1h", "h1", "1.5h", "99999999999999999999h", "15",
                           "hh", "W-", "D-SUN", "2000000s"})
    EXPECT_THAT(sentence_of([&] { parse_frequency(text); }),
                HasSubstr("unknown frequency '" + std::string(text) + "'"));
  EXPECT_THROW(parse_frequency("m"), attn::UsageError);
}

std::vector<Frequency> many_frequencies() {
  std::vector<Frequency> out;
  for (const Unit unit : {Unit::index, Unit::second, Unit::minute, Unit::hour, Unit::day,
                          Unit::business_day, Unit::week, Unit::month, Unit::quarter, Unit::year}) {
    for (const int64_t count : {1, 2, 3, 5, 7, 11, 15, 30}) {
      out.push_back({unit, count});
      if (unit >= Unit::month) out.push_back({unit, count, true});
    }
  }
  return out;
}

TEST(Frequency, TextReadsBack) {
  for (const Frequency& f : many_frequencies()) {
    const Frequency largest = normalised(f);
    EXPECT_EQ(parse_frequency(frequency_text(largest)), largest) << frequency_text(largest);
  }
  EXPECT_EQ(parse_frequency("3600000000index"), (Frequency{Unit::index, 3'600'000'000}));
  EXPECT_EQ(frequency_text({Unit::month, 1, true}), "ME");
  EXPECT_EQ(frequency_text({Unit::minute, 15}), "15min");
  EXPECT_EQ(frequency_words({Unit::minute, 15}), "15 minutes");
  EXPECT_EQ(frequency_words({Unit::business_day}), "1 business day");
}

TEST(Frequency, StepsOnTheCalendar) {
  const auto day = [](int64_t y, int64_t m, int64_t d) { return instant_of({y, m, d}); };
  const Frequency month{Unit::month}, month_end{Unit::month, 1, true};
  EXPECT_EQ(advance(day(2020, 1, 31), month, 1), day(2020, 2, 29));
  EXPECT_EQ(advance(day(2020, 1, 31), month, 2), day(2020, 3, 31));
  EXPECT_EQ(advance(day(2020, 2, 29), month, 1), day(2020, 3, 29));
  EXPECT_EQ(advance(day(2020, 2, 29), month_end, 1), day(2020, 3, 31));
  EXPECT_EQ(advance(day(2020, 1, 1), month, -1), day(2019, 12, 1));
  EXPECT_EQ(advance(day(2020, 6, 30), {Unit::quarter, 1, true}, 1), day(2020, 9, 30));
  EXPECT_EQ(advance(day(2020, 9, 30), {Unit::quarter, 1, true}, 1), day(2020, 12, 31));
  EXPECT_EQ(advance(day(2020, 2, 29), {Unit::year}, 1), day(2021, 2, 28));
  EXPECT_EQ(advance(day(2020, 2, 29), {Unit::year}, 4), day(2024, 2, 29));
  const Frequency business{Unit::business_day};
  EXPECT_EQ(advance(day(2021, 4, 30), business, 1), day(2021, 5, 3));  // Friday to Monday
  EXPECT_EQ(advance(day(2021, 5, 3), business, -1), day(2021, 4, 30));
  EXPECT_EQ(advance(day(2021, 4, 30), business, 5), day(2021, 5, 7));
  EXPECT_EQ(advance(day(2021, 5, 1), business, 1), day(2021, 5, 3));  // a Saturday
  EXPECT_FALSE(steps_between(day(2021, 4, 30), day(2021, 5, 1), business));
  EXPECT_FALSE(steps_between(day(2020, 1, 1), day(2020, 2, 2), month));
  EXPECT_FALSE(steps_between(0, 1800, {Unit::hour}));
  EXPECT_EQ(steps_between(0, -7200, {Unit::hour}), -2);
}

TEST(Frequency, StepsBetweenUndoesAdvance) {
  std::mt19937_64 random(3);
  for (const Frequency& f : many_frequencies()) {
    for (int i = 0; i < 500; ++i) {
      Instant from = static_cast<Instant>(random() % 8'000'000'000) - 4'000'000'000;
      if (f.month_end) {
        Civil c = civil_of(from);
        c.day = days_in_month(c.year, c.month);
        from = instant_of(c);
      }
      if (f.unit == Unit::business_day && weekday_of(from) > 4) from += 2 * kDaySeconds;
      const int64_t n = static_cast<int64_t>(random() % 4001) - 2000;
      const Instant to = advance(from, f, n);
      ASSERT_EQ(steps_between(from, to, f), n) << frequency_text(f) << " " << from << " " << n;
      ASSERT_EQ(to > from, n > 0);
      // A second beside the clock is on no step, but where steps are seconds.
      if (f.unit > Unit::second) {
        ASSERT_FALSE(steps_between(from, to + 1, f)) << frequency_text(f);
      }
      // Two halves of a way are the way, but where a short month cut the day off.
      const bool cut = civil_of(from).day > 28 && f.unit >= Unit::month && !f.month_end;
      if (!cut) {
        ASSERT_EQ(advance(advance(from, f, n / 2), f, n - n / 2), to) << frequency_text(f);
      }
    }
  }
}

TEST(Frequency, Seasons) {
  const auto season = [](const char* text) { return season_length(parse_frequency(text)); };
  EXPECT_EQ(season("h"), 24);
  EXPECT_EQ(season("2h"), 12);
  EXPECT_EQ(season("5h"), 1);
  EXPECT_EQ(season("15min"), 96);
  EXPECT_EQ(season("min"), 1440);
  EXPECT_EQ(season("7min"), 1);
  EXPECT_EQ(season("D"), 7);
  EXPECT_EQ(season("B"), 5);
  EXPECT_EQ(season("W"), 52);
  EXPECT_EQ(season("MS"), 12);
  EXPECT_EQ(season("2M"), 6);
  EXPECT_EQ(season("QE"), 4);
  EXPECT_EQ(season("Y"), 1);
  EXPECT_EQ(season("s"), 1);
  EXPECT_EQ(season("index"), 1);
}

}  // namespace
}  // namespace timeseries
