#include "timeseries/series/stamp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/damage.h"
#include "timeseries/series/civil.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Texts = std::vector<std::string>;

StampColumn parse(const Texts& texts, DateOrder order = DateOrder::automatic) {
  StampOptions options;
  options.order = order;
  options.locate = [](size_t i) { return "x.csv: row " + std::to_string(i + 2) + ", column t"; };
  return parse_stamps(texts, options);
}

std::string refusal(const Texts& texts, DateOrder order = DateOrder::automatic) {
  return sentence_of([&] { parse(texts, order); });
}

Texts written(const StampColumn& column) {
  Texts out;
  for (const Instant instant : column.instants) out.push_back(format_stamp(instant, column.format));
  return out;
}

/// The column is read as these instants and written back as it was.
void expect_column(const Texts& texts, const std::vector<Civil>& civils,
                   DateOrder order = DateOrder::automatic) {
  const StampColumn column = parse(texts, order);
  std::vector<Instant> instants;
  for (const Civil& c : civils) instants.push_back(instant_of(c));
  EXPECT_EQ(column.instants, instants) << texts[0];
  EXPECT_EQ(written(column), texts) << column.format.pattern;
}

TEST(Stamp, DatesOfManyForms) {
  expect_column({"2016-07-01", "2016-12-31"}, {{2016, 7, 1}, {2016, 12, 31}});
  expect_column({"1990/1/9", "1990/10/10"}, {{1990, 1, 9}, {1990, 10, 10}});
  expect_column({"04/30/2021", "02/8/1991"}, {{2021, 4, 30}, {1991, 2, 8}});
  expect_column({"30.04.2021", "01.05.2021"}, {{2021, 4, 30}, {2021, 5, 1}});
  expect_column({"30.4.2021", "1.5.2021"}, {{2021, 4, 30}, {2021, 5, 1}});
  expect_column({"31-12-1999"}, {{1999, 12, 31}});
  expect_column({"20160701", "20160702"}, {{2016, 7, 1}, {2016, 7, 2}});
  expect_column({"1-Jul-2016", "12-Aug-2016"}, {{2016, 7, 1}, {2016, 8, 12}});
  expect_column({"Jul 01, 2016", "Dec 24, 2016"}, {{2016, 7, 1}, {2016, 12, 24}});
  expect_column({"01JAN1990", "28FEB1990"}, {{1990, 1, 1}, {1990, 2, 28}});
  expect_column({"May 1990", "June 1990"}, {{1990, 5, 1}, {1990, 6, 1}});
  expect_column({"May 1990", "Jun 1990"}, {{1990, 5, 1}, {1990, 6, 1}});
  expect_column({"1990 Jan"}, {{1990, 1, 1}});
  expect_column({"1949-01", "1949-12"}, {{1949, 1, 1}, {1949, 12, 1}});
  expect_column({"1949-9", "1949-12"}, {{1949, 9, 1}, {1949, 12, 1}});
  expect_column({"07/2016"}, {{2016, 7, 1}});
  expect_column({"194901", "194912"}, {{1949, 1, 1}, {1949, 12, 1}});
  expect_column({"2020Q1", "2020Q4"}, {{2020, 1, 1}, {2020, 10, 1}});
  expect_column({"2020-Q2"}, {{2020, 4, 1}});
  expect_column({"Q3 2020"}, {{2020, 7, 1}});
  expect_column({"1949", "2020"}, {{1949, 1, 1}, {2020, 1, 1}});
  expect_column({"1467378000", "1467381600"}, {{2016, 7, 1, 13}, {2016, 7, 1, 14}});
  expect_column({"1467378000000"}, {{2016, 7, 1, 13}});
}

TEST(Stamp, TimesOfManyForms) {
  const Civil one{2016, 7, 1, 13, 5, 9};
  expect_column({"2016-07-01 13:05:09"}, {one});
  expect_column({"2016-07-01T13:05:09"}, {one});
  expect_column({"2016-07-01t13:05:09z"}, {one});
  expect_column({"2016-07-01T13:05:09Z"}, {one});
  expect_column({"2016-07-01T13:05:09.000Z"}, {one});
  expect_column({"2016-07-01 13:05:09.000000000"}, {one});
  expect_column({"2016-07-01 13:05:09,000"}, {one});
  expect_column({"2016-07-01 13:05:09+02:00"}, {one});
  expect_column({"2016-07-01 13:05:09-0530"}, {one});
  expect_column({"2016-07-01 13:05:09 +02"}, {one});
  expect_column({"2016-07-01 13:05:09 UTC"}, {one});
  expect_column({"20160701T130509"}, {one});
  expect_column({"20160701T1305"}, {{2016, 7, 1, 13, 5}});
  expect_column({"2016-07-01 13:05"}, {{2016, 7, 1, 13, 5}});
  expect_column({"2016-07-01T13"}, {{2016, 7, 1, 13}});
  expect_column({"2016-07-01 13"}, {{2016, 7, 1, 13}});
  expect_column({"1990/1/1 0:00", "1990/1/1 13:00"}, {{1990, 1, 1}, {1990, 1, 1, 13}});
  expect_column({"4/30/2021 1:00 PM", "4/30/2021 12:00 AM"}, {{2021, 4, 30, 13}, {2021, 4, 30}});
  expect_column({"30-Apr-2021 12:00pm"}, {{2021, 4, 30, 12}});
}

TEST(Stamp, BlanksAndMidnights) {
  EXPECT_EQ(parse({" 2016-07-01 "}).instants[0], instant_of({2016, 7, 1}));
  // As R writes a column of times: midnight without one.
  const StampColumn column = parse({"2016-07-01", "2016-07-01 01:00:00"});
  EXPECT_EQ(column.instants[1] - column.instants[0], 3600);
  EXPECT_THAT(written(column), ElementsAre("2016-07-01 00:00:00", "2016-07-01 01:00:00"));
}

TEST(Stamp, DayAndMonthAreToldByTheColumn) {
  expect_column({"01/02/2021", "13/02/2021"}, {{2021, 2, 1}, {2021, 2, 13}});
  expect_column({"01/02/2021", "02/13/2021"}, {{2021, 1, 2}, {2021, 2, 13}});
  expect_column({"01.01.2021", "02.02.2021"}, {{2021, 1, 1}, {2021, 2, 2}});
  expect_column({"01/02/2021"}, {{2021, 2, 1}}, DateOrder::day_first);
  expect_column({"01/02/2021"}, {{2021, 1, 2}}, DateOrder::month_first);
  expect_column({"1/12/2021", "13/1/2021"}, {{2021, 12, 1}, {2021, 1, 13}});
  EXPECT_EQ(refusal({"01/01/2021", "01/02/2021"}),
            "x.csv: row 3, column t: whether the day or the month comes first in '01/02/2021' "
            "cannot be told; say --date-order day-first or --date-order month-first");
  EXPECT_EQ(refusal({"13/01/2021", "01/02/2021", "01/14/2021"}),
            "x.csv: row 4, column t: expected day and month in the same order as in '13/01/2021', "
            "found '01/14/2021'");
  EXPECT_THAT(refusal({"01/13/2021"}, DateOrder::day_first),
              HasSubstr("no such date or time as '01/13/2021', read with the day first; see "
                        "--date-order"));
  EXPECT_EQ(parse_date_order("day-first"), DateOrder::day_first);
  EXPECT_EQ(parse_date_order("month-first"), DateOrder::month_first);
  EXPECT_THAT(sentence_of([] { parse_date_order("dmy"); }),
              HasSubstr("unknown date order 'dmy'; expected day-first, month-first or auto"));
}

TEST(Stamp, NumbersWithoutACalendar) {
  const auto is_index = [](const Texts& texts, const std::vector<Instant>& values) {
    const StampColumn column = parse(texts);
    EXPECT_EQ(column.format.pattern, "#");
    EXPECT_EQ(column.instants, values);
  };
  is_index({"0", "1", "2"}, {0, 1, 2});
  is_index({"-5", "+7"}, {-5, 7});
  is_index({"0.0", "1.0"}, {0, 1});
  is_index({"998", "999", "1000", "1001"}, {998, 999, 1000, 1001});
  is_index({"1000", "1001"}, {1000, 1001});  // no years
  is_index({"20160731", "20160732"}, {20160731, 20160732});
  is_index({"190012", "190013"}, {190012, 190013});
  is_index({"1467378000", "0"}, {1467378000, 0});
  EXPECT_THAT(refusal({"1", "2", "9007199254740993"}),
              HasSubstr("row 4, column t: expected a whole "
                        "number up to 2^53"));
  EXPECT_THAT(refusal({"0", "0.5"}), HasSubstr("row 3, column t: expected a date or time such as"));
}

TEST(Stamp, RefusedInASentence) {
  EXPECT_THAT(refusal({"2016-07-01", ""}),
              HasSubstr("row 3, column t: the time stamp is missing; give one"));
  EXPECT_THAT(refusal({"2016-07-01", "2016/07/02"}),
              HasSubstr("row 3, column t: expected a time stamp of the form of the first, "
                        "'2016-07-01', found '2016/07/02'"));
  EXPECT_THAT(refusal({"2016-07-01", "abc"}),
              HasSubstr("row 3, column t: expected a date or time"));
  EXPECT_THAT(refusal({"2016-07-01 00:00", "2016-07-01 01:00:00"}),
              HasSubstr("expected a time of the form of the earlier rows, found"));
  EXPECT_THAT(refusal({"2021-02-28", "2021-02-29"}),
              HasSubstr("row 3, column t: there is no such date or time as '2021-02-29'"));
  for (const char* text : {"2021-13-01", "2021-00-01", "2021-01-01 24:00", "2021-01-01 00:60",
                           "2021-01-01 00:00:60", "2021-04-31"})
    EXPECT_THAT(refusal({text}), HasSubstr("there is no such date or time as")) << text;
  for (const char* text : {"01/02/21", "Jan-90", "1-Jan-90", "30.04.21 12:00"})
    EXPECT_THAT(refusal({text}), HasSubstr("expected a date with a year of four digits")) << text;
  EXPECT_THAT(refusal({"2021-01-01 00:00:00.5"}), HasSubstr("expected whole seconds, found"));
  EXPECT_THAT(refusal({"2021-01-01 00:00 CET"}), HasSubstr("expected a time with no zone or one"));
  EXPECT_THAT(
      refusal({"2021-03-28T00:00+01:00", "2021-03-28T03:00+02:00"}),
      HasSubstr("row 3, column t: its time zone is not that of the first stamp, "
                "'2021-03-28T00:00+01:00', found '2021-03-28T03:00+02:00'; write all stamps "
                "in one zone, such as UTC"));
  for (const char* text : {"13:00",
                           "2021-",
                           "-2021-01",
                           "2021--",
                           "2021-01-01-01",
                           "12021-01-01",
                           "Foo 2021",
                           "2020Q5",
                           "2020Q11",
                           "2020Q",
                           "2021-01-01T",
                           "2021-01-01 1:2",
                           "2021-01-01 13:00 PM x",
                           "2021-01 13:00",
                           "2021-01-01 0:00 AM",
                           "1e5",
                           "nan",
                           "2021.5",
                           "1949.10",
                           "2021-01-01 123",
                           "T12",
                           "\xc3\xa9",
                           "2021-01-01 00:00:00+2",
                           "999999999999999999999",
                           "2021-01-01T130",
                           "Q 2020"})
    EXPECT_THAT(refusal({text}), HasSubstr("row 2, column t: ")) << text;
}

TEST(Stamp, LooksLikeOne) {
  for (const char* text : {"2016-07-01", "1949-01", "2020Q1", "Jan 1990", "1949", " 1990/1/1 0:00"})
    EXPECT_TRUE(looks_like_stamp(text)) << text;
  for (const char* text : {"", "0.5", "12", "12345", "3000", "north", "-0.109", "1e3"})
    EXPECT_FALSE(looks_like_stamp(text)) << text;
}

/// Every form that keeps what it is given: format, read, format again.
TEST(Stamp, ReadsWhatItWrites) {
  std::mt19937_64 random(5);
  const Texts patterns = {"Y-m-d",
                          "Y/m/d",
                          "d.m.Y",
                          "m/d/Y",
                          "Ymd",
                          "Y-m",
                          "Ym",
                          "Y",
                          "b Y",
                          "d-b-Y",
                          "b d, Y",
                          "dbY",
                          "YQk",
                          "Qk Y",
                          "E",
                          "L",
                          "U",
                          "#",
                          "Y-m-d h:i:s",
                          "Y-m-dTh:i:sZ",
                          "Y/m/d h:i",
                          "m/d/Y H:i P",
                          "d.m.Y h:i:s",
                          "YmdThis",
                          "Y-m-dTh:i:s.000+02:00",
                          "b d, Y H:i:s p",
                          "Y-m-d h"};
  for (const std::string& pattern : patterns) {
    for (int round = 0; round < 200; ++round) {
      StampFormat format;
      format.pattern = pattern;
      const bool joined = pattern.find_first_of("-/. ") == std::string::npos;
      format.pad_month = format.pad_day = format.pad_hour = joined || round % 2 == 0;
      format.full_names = round % 4 > 1;
      format.upper_names = round % 8 > 3;
      Texts texts;
      // Years 1990 ... 2090, so that seconds have ten digits
      for (int i = 0; i < 20; ++i) {
        const Instant t = 631152000 + static_cast<Instant>(random() % 3'000'000'000);
        texts.push_back(format_stamp(t, format));
      }
      DateOrder order = DateOrder::automatic;
      if (pattern[0] == 'd') order = DateOrder::day_first;
      if (pattern[0] == 'm') order = DateOrder::month_first;
      const StampColumn column = parse(texts, order);
      ASSERT_EQ(column.instants.size(), texts.size());
      for (size_t i = 0; i < texts.size(); ++i)
        ASSERT_EQ(format_stamp(column.instants[i], column.format), texts[i]) << pattern;
      if (pattern.find('s') != std::string::npos || pattern == "E") {
        StampFormat plain;
        plain.pattern = "Y-m-d h:i:s";
        const StampColumn again = parse(
            {format_stamp(column.instants[0], plain), format_stamp(column.instants[1], plain)});
        EXPECT_EQ(again.instants[0], column.instants[0]);
      }
    }
  }
}

TEST(Stamp, AnyTextIsReadOrRefused) {
  const std::string letters = "0123456789-/.: TZQ+JanuaryFebPM,\xc3\xa9";
  std::mt19937_64 random(6);
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    for (size_t k = 1 + random() % 22; k > 0; --k) text += letters[random() % letters.size()];
    attn::test::reads_or_explains(
        [&] {
          const StampColumn column = parse({text}, DateOrder::day_first);
          // What is read is read the same when written.
          const std::string back = format_stamp(column.instants[0], column.format);
          EXPECT_EQ(parse({back}, DateOrder::day_first).instants, column.instants) << text;
        },
        text);
  }
}

}  // namespace
}  // namespace timeseries
