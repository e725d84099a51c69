#include "timeseries/series/frequency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/damage.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"
#include "timeseries/series/stamp.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Instant> clock(Instant start, const Frequency& f, int64_t rows) {
  std::vector<Instant> out;
  for (int64_t i = 0; i < rows; ++i) out.push_back(advance(start, f, i));
  return out;
}

StampWords words(const std::vector<Instant>& stamps) {
  StampFormat format;
  format.pattern = "Y-m-d";
  StampWords out;
  out.locate = [](size_t i) { return "x.csv: row " + std::to_string(i + 2); };
  out.text = [=](size_t i) { return format_stamp(stamps[i], format); };
  out.write = [=](Instant t) { return format_stamp(t, format); };
  return out;
}

std::vector<Instant> days(const std::vector<Civil>& civils) {
  std::vector<Instant> out;
  for (const Civil& c : civils) out.push_back(instant_of(c));
  return out;
}

TEST(InferFrequency, OfTheUsualKinds) {
  const Instant start = instant_of({2021, 3, 1});  // a Monday
  for (const char* text : {"s", "30s", "min", "5min", "15min", "h", "6h", "D", "2D", "10D", "B",
                           "W", "2W", "M", "2M", "Q", "2Q", "Y", "10Y"}) {
    const Frequency f = parse_frequency(text);
    EXPECT_EQ(infer_frequency(clock(start, f, 40), true), f) << text;
  }
  for (const char* text : {"ME", "2ME", "QE", "2QE", "YE"}) {
    const Frequency f = parse_frequency(text);
    EXPECT_EQ(infer_frequency(clock(instant_of({2020, 12, 31}), f, 40), true), f) << text;
  }
  // weeks on any day, months on any day and at any time
  for (int64_t day = 1; day <= 28; ++day) {
    const Instant t = instant_of({2021, 1, day, 13, 30});
    EXPECT_EQ(infer_frequency(clock(t, {Unit::week}, 9), true), Frequency{Unit::week});
    EXPECT_EQ(infer_frequency(clock(t, {Unit::month}, 9), true), Frequency{Unit::month});
    EXPECT_EQ(infer_frequency(clock(t, {Unit::year}, 9), true), Frequency{Unit::year});
  }
  EXPECT_EQ(infer_frequency(clock(5, {Unit::index, 3}, 9), false), (Frequency{Unit::index, 3}));
}

TEST(InferFrequency, RandomClocksWithGaps) {
  std::mt19937_64 random(8);
  for (const char* text : {"min", "15min", "h", "D", "B", "W", "MS", "ME", "QE", "Y"}) {
    const Frequency f = parse_frequency(text);
    for (int round = 0; round < 50; ++round) {
      Instant start = instant_of(
          {1990 + static_cast<int64_t>(random() % 30), 1 + static_cast<int64_t>(random() % 12), 1});
      start = f.month_end ? advance(start, {Unit::month, 1, true}, 0) : start;
      while (f.unit == Unit::business_day && weekday_of(start) > 4) start += kDaySeconds;
      std::vector<Instant> stamps;
      for (const Instant t : clock(start, f, 200))
        if (stamps.empty() || random() % 10 != 0) stamps.push_back(t);
      ASSERT_EQ(infer_frequency(stamps, true), f) << text;
      const std::vector<int64_t> positions = positions_of(stamps, f, words(stamps));
      for (size_t i = 0; i < stamps.size(); ++i)
        ASSERT_EQ(advance(start, f, positions[i]), stamps[i]);
    }
  }
}

TEST(InferFrequency, OfFewStamps) {
  EXPECT_FALSE(infer_frequency({}, true));
  EXPECT_FALSE(infer_frequency(days({{2020, 1, 1}}), true));
  EXPECT_EQ(infer_frequency(days({{2020, 1, 1}, {2020, 2, 1}}), true), Frequency{Unit::month});
  EXPECT_EQ(infer_frequency(days({{2020, 1, 31}, {2020, 2, 29}}), true),
            (Frequency{Unit::month, 1, true}));
  EXPECT_EQ(infer_frequency(days({{2020, 1, 1}, {2020, 1, 29}}), true), (Frequency{Unit::week, 4}));
  EXPECT_EQ(infer_frequency(days({{2020, 1, 1}, {2020, 1, 2}, {2020, 1, 3}}), true),
            Frequency{Unit::day});
  // Friday and Monday alone tell of three days; five days in a row of no weekend
  EXPECT_EQ(infer_frequency(clock(instant_of({2021, 3, 1}), {Unit::day}, 5), true),
            Frequency{Unit::day});
  EXPECT_EQ(infer_frequency(clock(instant_of({2021, 3, 1}), {Unit::business_day}, 6), true),
            Frequency{Unit::business_day});
  EXPECT_EQ(infer_frequency(clock(instant_of({2021, 3, 1}), {Unit::day}, 6), true),
            Frequency{Unit::day});
}

/// The clock is that of the others, and the sentence names the odd stamp's row.
void expect_named(std::vector<Instant> stamps, size_t odd, const Frequency& f,
                  const std::string& what) {
  ASSERT_EQ(infer_frequency(stamps, true), f) << what;
  StampWords own = words(stamps);
  EXPECT_THAT(sentence_of([&] { positions_of(stamps, f, own); }),
              testing::StartsWith(own.locate(odd) + ": the time stamp '" + own.text(odd) +
                                  "' lies on no step of " + frequency_words(f)))
      << what;
}

TEST(InferFrequency, AStampBesideTheClockBendsNoClock) {
  for (const char* text : {"min", "15min", "h", "D", "W", "2W", "M", "Q", "Y", "ME", "QE", "YE"}) {
    const Frequency f = parse_frequency(text);
    const Instant shift = f.unit < Unit::day ? 30 : kDaySeconds / 2;
    const std::vector<Instant> whole = clock(instant_of({2020, 12, f.month_end ? 31 : 1}), f, 12);
    for (size_t odd = 0; odd < whole.size(); ++odd) {
      std::vector<Instant> moved = whole;
      moved[odd] += shift;
      expect_named(moved, odd, f, text + std::string(", moved"));
      std::vector<Instant> more = whole;
      more.insert(more.begin() + static_cast<int64_t>(odd) + 1, whole[odd] + shift);
      if (odd > 0) expect_named(more, odd + 1, f, text + std::string(", one more"));
    }
  }
  // Months that slip by a day, among them the first
  for (size_t odd = 0; odd < 12; ++odd) {
    for (const bool month_end : {false, true}) {
      const Frequency f{Unit::month, 1, month_end};
      std::vector<Instant> stamps = clock(instant_of({2020, 12, month_end ? 31 : 2}), f, 12);
      stamps[odd] -= kDaySeconds;
      expect_named(stamps, odd, f, "a day early");
    }
  }
  // A Saturday among business days; work on every Saturday is a clock of days
  std::vector<Instant> business = clock(instant_of({2021, 3, 1}), {Unit::business_day}, 30);
  business.insert(business.begin() + 5, instant_of({2021, 3, 6}));
  expect_named(business, 5, {Unit::business_day}, "a Saturday");
  std::vector<Instant> shop;
  for (const Instant t : clock(instant_of({2021, 3, 1}), {Unit::day}, 60))
    if (weekday_of(t) != 6) shop.push_back(t);
  EXPECT_EQ(infer_frequency(shop, true), Frequency{Unit::day});
}

TEST(InferFrequency, OfFewStampsWithAFault) {
  const Instant t = instant_of({2020, 1, 1});
  const auto found = [&](const std::vector<Instant>& halves) {
    std::vector<Instant> stamps;
    for (const Instant half : halves) stamps.push_back(t + 1800 * half);
    return infer_frequency(stamps, true);
  };
  EXPECT_EQ(found({0, 2, 5, 6}), Frequency{Unit::hour});  // 02:30 for 02:00
  EXPECT_EQ(found({0, 2, 4, 5, 6, 8}), Frequency{Unit::hour});
  EXPECT_EQ(found({0, 2, 8}), Frequency{Unit::hour});  // gaps
  EXPECT_EQ(found({0, 6, 8}), Frequency{Unit::hour});
  EXPECT_EQ(found({0, 4, 6}), Frequency{Unit::hour});
  // Steps of whole days are days, of 365 no years, of 30 no months.
  EXPECT_EQ(infer_frequency(clock(t, {Unit::day, 365}, 9), true), (Frequency{Unit::day, 365}));
  EXPECT_EQ(infer_frequency(clock(t, {Unit::day, 30}, 9), true), (Frequency{Unit::day, 30}));
  EXPECT_EQ(infer_frequency(clock(t, {Unit::week, 4}, 9), true), (Frequency{Unit::week, 4}));
  // Distances that all differ are no work of the square.
  std::vector<Instant> apart = {0};
  for (Instant d = 1; d < 200'000; ++d) apart.push_back(apart.back() + d);
  EXPECT_EQ(infer_frequency(apart, true), Frequency{Unit::second});
}

TEST(InferFrequency, NamedMonthsTakeTheirEnds) {
  const Frequency m = parse_frequency("M");
  EXPECT_TRUE(settled(m, days({{2020, 1, 31}, {2020, 2, 29}})).month_end);
  EXPECT_FALSE(settled(m, days({{2020, 1, 1}, {2020, 2, 1}})).month_end);
  EXPECT_FALSE(settled(m, {}).month_end);
  EXPECT_TRUE(settled(m, days({{2020, 1, 31}, {2020, 2, 28}, {2020, 3, 31}})).month_end);
  EXPECT_FALSE(settled(m, days({{2021, 2, 28}, {2021, 3, 28}, {2021, 4, 28}})).month_end);
  EXPECT_FALSE(settled(parse_frequency("D"), days({{2020, 1, 31}, {2020, 2, 29}})).month_end);
}

TEST(StampOrder, DirectionAndFaults) {
  const auto backwards = [](const std::vector<Instant>& t) { return runs_backwards(t, words(t)); };
  EXPECT_FALSE(backwards({}));
  EXPECT_FALSE(backwards({5}));
  EXPECT_FALSE(backwards({1, 2, 3}));
  EXPECT_TRUE(backwards({3, 2, 1}));
  const std::vector<Instant> unsorted =
      days({{2020, 1, 1}, {2020, 1, 2}, {2020, 1, 4}, {2020, 1, 3}, {2020, 1, 5}});
  EXPECT_EQ(sentence_of([&] { runs_backwards(unsorted, words(unsorted)); }),
            "x.csv: row 5: the time stamp '2020-01-03' comes after '2020-01-04', against the order "
            "of the other rows; sort the rows by time");
  const std::vector<Instant> falling =
      days({{2020, 1, 5}, {2020, 1, 4}, {2020, 1, 2}, {2020, 1, 3}, {2020, 1, 1}});
  EXPECT_THAT(sentence_of([&] { runs_backwards(falling, words(falling)); }),
              HasSubstr("row 5: the time stamp '2020-01-03' comes after '2020-01-02'"));
  const std::vector<Instant> twice = days({{2020, 1, 1}, {2020, 1, 2}, {2020, 1, 2}});
  EXPECT_THAT(sentence_of([&] { runs_backwards(twice, words(twice)); }),
              HasSubstr("row 4: the time stamp '2020-01-02' is that of the row before"));
}

TEST(StampOrder, GapsAndStampsBesideTheClock) {
  const std::vector<Instant> t = days({{2020, 1, 1}, {2020, 2, 1}, {2020, 5, 1}, {2020, 6, 1}});
  const Frequency f{Unit::month};
  const std::vector<int64_t> positions = positions_of(t, f, words(t));
  EXPECT_THAT(positions, ElementsAre(0, 1, 4, 5));
  EXPECT_EQ(gap_sentence(t, positions, 2, f, words(t)),
            "x.csv: row 4: a gap: after '2020-02-01' comes '2020-05-01', expected '2020-03-01' (a "
            "step of 1 month, 2 rows absent); add the rows, or choose --fill missing, linear or "
            "forward");
  const std::vector<Instant> off = days({{2020, 1, 1}, {2020, 2, 1}, {2020, 3, 2}});
  EXPECT_EQ(sentence_of([&] { positions_of(off, f, words(off)); }),
            "x.csv: row 4: the time stamp '2020-03-02' lies on no step of 1 month from the first, "
            "'2020-01-01'; mend it, or name the step by --freq");
}

}  // namespace
}  // namespace timeseries
