// The files of ../shared/data/timeseries, each with an oddity of its own; figures from SOURCES.md
// there, and counted with Python's csv module.
#include <chrono>

#include "tests/timeseries/series/read_text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"
#include "timeseries/series/protocol.h"

namespace timeseries::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::filesystem::path file(const std::string& name) {
  return attn::test::shared_data("timeseries/" + name);
}

std::string last_stamp(const SeriesSet& set) {
  const Series& s = set.series[0];
  return format_stamp(advance(s.start, set.frequency, s.rows - 1), set.stamps);
}
std::string first_stamp(const SeriesSet& set) {
  return format_stamp(set.series[0].start, set.stamps);
}

TEST(OddFiles, HourlyTransformer) {
  ATTN_NEED_SHARED_DATA(file("ETTh1.csv"));
  const Reading r = read_series(file("ETTh1.csv"));
  EXPECT_EQ(r.set.frequency, Frequency{Unit::hour});
  EXPECT_THAT(r.set.channels, ElementsAre("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"));
  EXPECT_EQ(r.set.series[0].rows, 17420);
  EXPECT_EQ(first_stamp(r.set), "2016-07-01 00:00:00");
  EXPECT_EQ(last_stamp(r.set), "2018-06-26 19:00:00");
  EXPECT_EQ(r.set.series[0].values[6], 30.5310001373291);
  EXPECT_EQ(r.set.series[0].values.back(), 9.56700038909912);
  EXPECT_THAT(r.report.sentences(r.set), IsEmpty());
}

TEST(OddFiles, UnpaddedDates) {
  ATTN_NEED_SHARED_DATA(file("exchange_rate.csv"));
  const Reading r = read_series(file("exchange_rate.csv"));
  EXPECT_EQ(r.set.frequency, Frequency{Unit::day});
  EXPECT_EQ(r.set.channels.size(), 8U);
  EXPECT_EQ(r.set.series[0].rows, 7588);
  EXPECT_EQ(first_stamp(r.set), "1990/1/1 0:00");
  EXPECT_EQ(last_stamp(r.set), "2010/10/10 0:00");
}

TEST(OddFiles, WeeksOnTuesdays) {
  ATTN_NEED_SHARED_DATA(file("national_illness.csv"));
  const Reading r = read_series(file("national_illness.csv"));
  EXPECT_EQ(r.set.frequency, Frequency{Unit::week});
  EXPECT_EQ(r.set.series[0].rows, 966);
  EXPECT_EQ(r.set.channels[0], "% WEIGHTED ILI");
  EXPECT_EQ(last_stamp(r.set), "2020-06-30 00:00:00");
}

TEST(OddFiles, Months) {
  ATTN_NEED_SHARED_DATA(file("AirPassengers.csv"));
  const Reading air = read_series(file("AirPassengers.csv"));
  EXPECT_EQ(air.set.frequency, Frequency{Unit::month});
  EXPECT_THAT(air.set.channels, ElementsAre("#Passengers"));
  EXPECT_EQ(air.set.series[0].rows, 144);
  EXPECT_EQ(last_stamp(air.set), "1960-12");
  const Reading ice = read_series(file("ice_cream_heater.csv"));
  EXPECT_EQ(ice.set.frequency, Frequency{Unit::month});
  EXPECT_THAT(ice.set.channels, ElementsAre("heater", "ice cream"));
  EXPECT_EQ(ice.set.series[0].rows, 198);
  EXPECT_EQ(last_stamp(ice.set), "2020-06");
}

TEST(OddFiles, NoTimeAtAll) {
  ATTN_NEED_SHARED_DATA(file("gasrate_co2.csv"));
  const Reading r = read_series(file("gasrate_co2.csv"));
  EXPECT_EQ(r.set.frequency, Frequency{});
  EXPECT_THAT(r.set.channels, ElementsAre("GasRate(ft3/min)", "CO2%"));
  EXPECT_EQ(r.set.series[0].rows, 296);
  EXPECT_EQ(first_stamp(r.set), "1");
}

TEST(OddFiles, AbsentMonths) {
  const auto path = file("monthly-milk-incomplete.csv");
  ATTN_NEED_SHARED_DATA(path);
  EXPECT_THAT(
      attn::test::sentence_of([&] { read_series(path); }),
      HasSubstr("row 22, column Month: a gap: after '1963-08' comes '1963-10', expected "
                "'1963-09' (a step of 1 month, 1 row absent); add the rows, or choose --fill"));
  const Reading r = read_series(path, {.fill = Fill::missing});
  EXPECT_EQ(r.set.series[0].rows, 168);  // 1962-01 ... 1975-12
  EXPECT_EQ(r.report.inserted_rows, 13);
  EXPECT_EQ(r.report.gaps, 8);
  EXPECT_EQ(last_stamp(r.set), "1975-12");
  EXPECT_THAT(read_series(path, {.fill = Fill::linear}).set.series[0].values[20],
              testing::DoubleEq((617 + 587) / 2.0));
}

TEST(OddFiles, NewestFirst) {
  ATTN_NEED_SHARED_DATA(file("us_gasoline.csv"));
  const Reading r = read_series(file("us_gasoline.csv"));
  EXPECT_EQ(r.set.frequency, Frequency{Unit::week});
  EXPECT_EQ(r.set.series[0].rows, 1578);
  EXPECT_EQ(first_stamp(r.set), "02/8/1991");
  EXPECT_EQ(last_stamp(r.set), "04/30/2021");
  EXPECT_EQ(r.set.series[0].values[0], 6621);
  EXPECT_EQ(r.set.series[0].values.back(), 8864);
  EXPECT_EQ(r.report.backwards, 1);
}

TEST(OddFiles, M4Hourly) {
  ATTN_NEED_SHARED_DATA(file("M4-Hourly-train.csv"));
  const auto begin = std::chrono::steady_clock::now();
  const Reading train = read_series(file("M4-Hourly-train.csv"));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  RecordProperty("m4_hourly_train_seconds", std::to_string(seconds.count()));
  EXPECT_LT(seconds.count(), 20);
  ASSERT_EQ(train.set.series.size(), 414U);
  int64_t shortest = 1 << 20, longest = 0, total = 0;
  for (const Series& s : train.set.series) {
    shortest = std::min(shortest, s.rows);
    longest = std::max(longest, s.rows);
    total += s.rows;
    EXPECT_LE(s.values.capacity(), static_cast<size_t>(s.rows) + 1);
  }
  EXPECT_EQ(shortest, 700);
  EXPECT_EQ(longest, 960);
  EXPECT_EQ(train.report.missing_values, 0);
  const Reading test = read_series(file("M4-Hourly-test.csv"));
  const SeriesSet both = joined(train.set, test.set);
  ASSERT_EQ(both.series.size(), 414U);
  for (size_t i = 0; i < both.series.size(); ++i)
    EXPECT_EQ(both.series[i].rows, train.set.series[i].rows + 48);
  EXPECT_EQ(both.series[0].values[700], 619);
  EXPECT_EQ(both.series[413].values.back(), test.set.series[413].values[47]);
}

}  // namespace
}  // namespace timeseries::test
