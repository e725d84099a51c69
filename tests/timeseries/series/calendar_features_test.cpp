#include "timeseries/series/calendar_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"

namespace timeseries {
namespace {

using testing::ElementsAre;

std::vector<std::string> cycles(const char* text) {
  std::vector<std::string> out;
  for (const std::string& name : cyclic_feature_names(parse_frequency(text)))
    if (name.ends_with("-sin")) out.push_back(name.substr(0, name.size() - 4));
  return out;
}

TEST(CalendarFeatures, SuitTheFrequency) {
  EXPECT_THAT(cycles("5min"),
              ElementsAre("minute-of-hour", "hour-of-day", "day-of-week", "day-of-year"));
  EXPECT_THAT(cycles("h"), ElementsAre("hour-of-day", "day-of-week", "day-of-year"));
  EXPECT_THAT(cycles("6h"), ElementsAre("hour-of-day", "day-of-week", "day-of-year"));
  EXPECT_THAT(cycles("12h"), ElementsAre("day-of-week", "day-of-year"));
  EXPECT_THAT(cycles("D"), ElementsAre("day-of-week", "day-of-month", "day-of-year"));
  EXPECT_THAT(cycles("B"), ElementsAre("day-of-week", "day-of-month", "day-of-year"));
  EXPECT_THAT(cycles("W"), ElementsAre("day-of-year"));
  EXPECT_THAT(cycles("M"), ElementsAre("month-of-year"));
  EXPECT_THAT(cycles("QE"), ElementsAre("month-of-year"));
  EXPECT_THAT(cycles("4M"), ElementsAre());
  EXPECT_THAT(cycles("Y"), ElementsAre());
  EXPECT_THAT(cycles("index"), ElementsAre());
}

TEST(CalendarFeatures, AreOnTheCircleAndComeBack) {
  std::mt19937_64 random(12);
  for (const char* text : {"s", "15min", "h", "D", "B", "W", "MS", "QE"}) {
    const Frequency f = parse_frequency(text);
    const size_t names = cyclic_feature_names(f).size();
    for (int round = 0; round < 100; ++round) {
      const Instant t = static_cast<Instant>(random() % 8'000'000'000) - 4'000'000'000;
      const std::vector<double> x = cyclic_features(std::vector<Instant>{t}, f);
      ASSERT_EQ(x.size(), names);
      for (size_t k = 0; k < names; k += 2)
        EXPECT_NEAR(x[k] * x[k] + x[k + 1] * x[k + 1], 1, 1e-12);
    }
  }
  // A day, a week later the same.
  const Frequency hour{Unit::hour};
  const Instant t = instant_of({2020, 5, 6, 7});
  const std::vector<double> x =
      cyclic_features(std::vector<Instant>{t, t + kDaySeconds, t + 7 * kDaySeconds}, hour);
  const size_t k = cyclic_feature_names(hour).size();
  for (size_t j : {0, 1}) EXPECT_EQ(x[j], x[k + j]);
  for (size_t j : {0, 1, 2, 3}) EXPECT_EQ(x[j], x[2 * k + j]);
  EXPECT_NE(x[2], x[k + 2]);
}

TEST(CalendarFeatures, KnownPlaces) {
  const std::vector<double> x =
      cyclic_features(std::vector<Instant>{instant_of({2021, 1, 4, 6})}, {Unit::hour});
  EXPECT_NEAR(x[0], 1, 1e-12);  // six o'clock is a quarter of the day
  EXPECT_NEAR(x[1], 0, 1e-12);
  EXPECT_NEAR(x[2], std::sin(2 * M_PI * 0.25 / 7), 1e-12);  // of a Monday
  EXPECT_NEAR(x[4], std::sin(2 * M_PI * 3 / 365), 1e-12);
  const std::vector<double> july =
      cyclic_features(std::vector<Instant>{instant_of({2021, 7, 1})}, {Unit::month});
  EXPECT_NEAR(july[0], 0, 1e-12);
  EXPECT_NEAR(july[1], -1, 1e-12);
}

TEST(CalendarFeatures, RowsOfASeries) {
  Series s;
  s.start = instant_of({2020, 1, 31});
  s.rows = 2;
  EXPECT_THAT(
      instants_of(s, {Unit::month, 1, true}, 3),
      ElementsAre(instant_of({2020, 1, 31}), instant_of({2020, 2, 29}), instant_of({2020, 3, 31})));
}

}  // namespace
}  // namespace timeseries
