#include "timeseries/series/write_forecast.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "libattn/io/table.h"
#include "tests/timeseries/series/read_text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"

namespace timeseries::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class WriteForecast : public ReadTest {};

ForecastTable table_of(const SeriesSet& set, int64_t horizon) {
  ForecastTable t;
  t.names = {"forecast", "lower-80"};
  for (const Series& s : set.series) {
    for (const std::string& channel : set.channels) {
      for (const Instant at : future_stamps(s, set.frequency, horizon)) {
        t.ids.push_back(s.id);
        t.channels.push_back(channel);
        t.instants.push_back(at);
        t.values.push_back(1.5);
        t.values.push_back(kNaN);
      }
    }
  }
  return t;
}

TEST_F(WriteForecast, StampsGoOnInTheFilesOwnForm) {
  const auto next = [&](const std::string& text) {
    const SeriesSet set = read(text).set;
    return format_stamp(future_stamps(set.series[0], set.frequency, 1)[0], set.stamps);
  };
  EXPECT_EQ(next("date,y\n2016-07-01 22:00:00,1\n2016-07-01 23:00:00,2\n"), "2016-07-02 00:00:00");
  EXPECT_EQ(next("date,y\n1990/1/30 0:00,1\n1990/1/31 0:00,2\n"), "1990/2/1 0:00");
  EXPECT_EQ(next("Month,y\n1949-11,1\n1949-12,2\n"), "1950-01");
  EXPECT_EQ(next("Week,y\n04/30/2021,2\n04/23/2021,1\n"), "05/07/2021");
  EXPECT_EQ(next("q,y\n2020Q3,1\n2020Q4,2\n"), "2021Q1");
  EXPECT_EQ(next("Year,y\n1999,1\n2000,2\n"), "2001");
  EXPECT_EQ(next("date,y\n2020-01-31,1\n2020-02-29,2\n"), "2020-03-31");
  EXPECT_EQ(next("date,y\n29.04.2021,1\n30.04.2021,2\n"), "01.05.2021");
  EXPECT_EQ(next("date,y\n2020-01-01T00:00:00+02:00,1\n2020-01-01T00:15:00+02:00,2\n"),
            "2020-01-01T00:30:00+02:00");
  EXPECT_EQ(next("y\n1\n2\n"), "3");
}

TEST_F(WriteForecast, Csv) {
  const SeriesSet one = read("Month,a,b\n1949-11,1,2\n1949-12,3,4\n").set;
  EXPECT_EQ(forecast_csv(table_of(one, 2), one),
            "channel,Month,forecast,lower-80\na,1950-01,1.5,\na,1950-02,1.5,\nb,1950-01,1.5,\n"
            "b,1950-02,1.5,\n");
  const SeriesSet many =
      read("unique_id,ds,y\nA,2020-01-01,1\nA,2020-01-02,2\nB,2020-01-01,1\nB,2020-01-02,1\n").set;
  EXPECT_EQ(forecast_csv(table_of(many, 1), many),
            "unique_id,channel,ds,forecast,lower-80\nA,y,2020-01-03,1.5,\nB,y,2020-01-03,1.5,\n");
  const SeriesSet m4 = read("V1,V2,V3\nH1,1,2\n").set;
  EXPECT_EQ(forecast_csv(table_of(m4, 1), m4),
            "id,channel,row,forecast,lower-80\nH1,value,3,1.5,\n");
}

TEST_F(WriteForecast, Json) {
  const SeriesSet one = read("Month,a\n1949-11,1\n1949-12,3\n").set;
  const auto j = nlohmann::json::parse(forecast_json(table_of(one, 2), one));
  ASSERT_EQ(j.size(), 2U);
  EXPECT_EQ(j[0],
            (nlohmann::json{
                {"channel", "a"}, {"Month", "1950-01"}, {"forecast", 1.5}, {"lower-80", nullptr}}));
  const SeriesSet index = read("y\n1\n2\n").set;
  EXPECT_EQ(nlohmann::json::parse(forecast_json(table_of(index, 1), index))[0]["row"], 3);
}

TEST_F(WriteForecast, Files) {
  const SeriesSet set = read("date,a\n2016-07-01 12:00:00,1\n2016-07-01 13:00:00,3\n").set;
  const ForecastTable t = table_of(set, 3);
  for (const char* name : {"f.csv", "f.parquet", "f.json"}) write_forecast(folder_ / name, t, set);
  const auto parquet = attn::io::Table::read(folder_ / "f.parquet");
  const auto csv = attn::io::Table::read(folder_ / "f.csv");
  EXPECT_THAT(csv.strings("date"),
              ElementsAre("2016-07-01 14:00:00", "2016-07-01 15:00:00", "2016-07-01 16:00:00"));
  EXPECT_EQ(parquet.strings("date")[0], "2016-07-01 14:00:00.000");
  EXPECT_EQ(parquet.doubles("forecast"), csv.doubles("forecast"));
  // A forecast is a table of series like any other.
  const Reading again = read_series(folder_ / "f.parquet", {.targets = {"forecast"}});
  EXPECT_EQ(again.set.frequency, Frequency{Unit::hour});
  EXPECT_THAT(attn::test::listing(folder_.path()),
              ElementsAre("f.csv", "f.json", "f.parquet", "x.csv"));
  EXPECT_THAT(attn::test::sentence_of([&] { write_forecast(folder_ / "f.txt", t, set); }),
              HasSubstr("expected a name ending in .csv, .parquet or .json, found '.txt'"));
  ForecastTable broken = t;
  broken.ids.pop_back();
  EXPECT_THROW(forecast_csv(broken, set), std::logic_error);
}

}  // namespace
}  // namespace timeseries::test
