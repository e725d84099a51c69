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

TEST(InferFrequency, NamedMonthsTakeTheirEnds) {
  const Frequency m = parse_frequency("M");
  EXPECT_TRUE(settled(m, days({{2020, 1, 31}, {2020, 2, 29}})).month_end);
  EXPECT_FALSE(settled(m, days({{2020, 1, 1}, {2020, 2, 1}})).month_end);
  EXPECT_FALSE(settled(m, {}).month_end);
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
            "'2020-01-01'; mend it, or name the step by --frequency");
}

}  // namespace
}  // namespace timeseries
