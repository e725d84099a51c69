#include <sys/resource.h>

#include <chrono>
#include <random>

#include "libattn/io/table_write.h"
#include "tests/support/memory.h"
#include "tests/timeseries/series/read_text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"

namespace timeseries::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class ReadLong : public ReadTest {};

TEST_F(ReadLong, SeriesOfUnequalLength) {
  const Reading r = read(
      "unique_id,ds,y\nA,2020-01-01,1\nB,2020-01-02,10\nA,2020-01-02,2\nB,2020-01-03,20\n"
      "A,2020-01-03,3\n");
  EXPECT_EQ(r.report.layout, Layout::longform);
  EXPECT_EQ(r.set.id_column, "unique_id");
  EXPECT_EQ(r.set.time_column, "ds");
  EXPECT_THAT(r.set.channels, ElementsAre("y"));
  ASSERT_EQ(r.set.series.size(), 2U);
  EXPECT_EQ(r.set.series[0].id, "A");
  EXPECT_THAT(r.set.series[0].values, values_are({1, 2, 3}));
  EXPECT_EQ(r.set.series[1].id, "B");
  EXPECT_EQ(r.set.series[1].start, instant_of({2020, 1, 2}));
  EXPECT_THAT(r.set.series[1].values, values_are({10, 20}));
}

TEST_F(ReadLong, IdsFoundOrNamed) {
  const std::string text = "shop,date,y\nA,2020-01-01,1\nA,2020-01-02,2\nB,2020-01-01,1\n";
  EXPECT_THAT(refusal(text),
              HasSubstr("x.csv: row 4, column date: the time stamp '2020-01-01' comes "
                        "after '2020-01-02'"));
  EXPECT_EQ(read(text, {.id_column = "shop", .frequency = Frequency{Unit::day}}).set.series.size(),
            2U);
  const std::string same = "shop,date,y\nA,2020-01-01,1\nB,2020-01-01,1\n";
  EXPECT_THAT(refusal(same), HasSubstr("name the column that tells the series apart by --id"));
  EXPECT_THAT(refusal(text, {.layout = Layout::wide, .id_column = "shop"}),
              HasSubstr("a column of ids makes the layout long"));
  // An id of its own in each row names no series.
  const Reading numbered = read("id,date,y\n1,2020-01-01,1\n2,2020-01-02,2\n3,2020-01-03,2\n");
  EXPECT_EQ(numbered.report.layout, Layout::wide);
  EXPECT_THAT(numbered.set.channels, ElementsAre("y"));
  EXPECT_THAT(
      numbered.report.sentences(numbered.set),
      ElementsAre(HasSubstr("column 'id' holds another text in each row and tells no series "
                            "apart; it is left out")));
  EXPECT_EQ(read("id,date,y\n1,2020-01-01,1\n1,2020-01-02,2\n", {.layout = Layout::wide})
                .set.channels.size(),
            2U);
  EXPECT_EQ(refusal("id,date,y\nA,2020-01-01,1\n,2020-01-02,2\nA,2020-01-03,3\n"),
            "x.csv: row 3, column id: the series has no id");
}

TEST_F(ReadLong, ErrorsNameTheSeries) {
  const std::string head = "id,date,y\nA,2020-01-01,1\nA,2020-01-02,2\nA,2020-01-03,2\n";
  EXPECT_THAT(refusal(head + "B,2020-01-01,1\nB,2020-01-02,1\nB,2020-01-04,1\n"),
              StartsWith("x.csv: row 7, column date, series 'B': a gap: after '2020-01-02' comes "
                         "'2020-01-04', expected '2020-01-03'"));
  EXPECT_THAT(
      refusal(head + "B,2020-01-01,1\nB,2020-01-01,1\n"),
      StartsWith("x.csv: row 6, column date, series 'B': the time stamp '2020-01-01' is that "
                 "of the row before"));
  EXPECT_THAT(refusal(head + "A,2020-01-02,1\n"),
              StartsWith("x.csv: row 5, column date, series 'A': the time stamp '2020-01-02' comes "
                         "after '2020-01-03'"));
  EXPECT_THAT(
      refusal(head + "B,2020-01-01,1\nB,2020-01-02 12:00,1\n"),
      HasSubstr("row 6, column date, series 'B': the time stamp '2020-01-02 12:00' lies on no "
                "step of 1 day from the first, '2020-01-01 00:00'"));
  EXPECT_EQ(refusal("id,date,y\nA,2020-01-01,1\nB,2020-01-02,2\nB,2020-01-02,2\n"),
            "x.csv: row 4, column date, series 'B': the time stamp '2020-01-02' is that of the row "
            "before; keep one row of each stamp, or name the column that tells the series apart by "
            "--id");
  EXPECT_EQ(refusal("id,date,y\nA,2020-01-01,1\nB,2020-01-02,2\n", {.id_column = "id"}),
            "x.csv: a frequency cannot be told from series of a single row; name it by --freq");
}

TEST_F(ReadLong, SomeSeriesRunBackwards) {
  const Reading r = read(
      "id,date,y\nA,2020-01-01,1\nA,2020-01-02,2\nA,2020-01-03,3\nB,2020-01-02,20\n"
      "B,2020-01-01,10\n");
  EXPECT_THAT(r.set.series[1].values, values_are({10, 20}));
  EXPECT_THAT(
      r.report.sentences(r.set),
      ElementsAre(HasSubstr("x.csv: 1 series runs from the latest to the earliest and were")));
}

TEST_F(ReadLong, CovariatesBySeries) {
  const std::string text =
      "id,date,y,f,s\nA,2020-01-01,1,0,5\nA,2020-01-02,2,1,\nA,2020-01-03,,2,5\n"
      "B,2020-01-01,7,3,6\nB,2020-01-02,8,4,6\n";
  const Reading r = read(text, {.future = {"f"}, .statics = {"s"}});
  EXPECT_EQ(r.set.series[0].ahead, 1);
  EXPECT_EQ(r.set.series[1].ahead, 0);
  EXPECT_THAT(r.set.series[0].future, values_are({0, 1, 2}));
  EXPECT_THAT(r.set.series[0].statics, values_are({5}));
  EXPECT_THAT(r.set.series[1].statics, values_are({6}));
  EXPECT_EQ(
      attn::test::sentence_of([&] {
        require_ahead(r.set, 2);
      }).substr(folder_.path().string().size() + 1),
      "x.csv: covariates known ahead must reach 2 steps behind the last value; absent: 'A' at "
      "'2020-01-04', 'B' at '2020-01-03', 'B' at '2020-01-04'; add those rows");
}

TEST_F(ReadLong, ParquetWithTimestamps) {
  const std::vector<attn::io::Column> columns = {
      {"item_id", std::vector<std::string>{"A", "A", "B", "B"}},
      {"timestamp", attn::io::Timestamps{{1467378000, 1467381600, 1467378000, 1467381600}}},
      {"target", std::vector<double>{1, kNaN, 3, 4}}};
  attn::io::write_table(folder_ / "x.parquet", columns);
  const Reading r = read_series(folder_ / "x.parquet");
  EXPECT_EQ(r.set.frequency, Frequency{Unit::hour});
  EXPECT_EQ(r.set.series[1].start, 1467378000);
  EXPECT_THAT(r.set.series[0].values, values_are({1, kNaN}));
}

/// `series` series of `rows` hours, one below the other.
std::string long_text(int64_t series, int64_t rows) {
  std::string text = "unique_id,ds,y\n";
  StampFormat format;
  format.pattern = "Y-m-d h:i:s";
  std::vector<std::string> stamps;
  for (int64_t t = 0; t < rows; ++t) stamps.push_back(format_stamp(1577836800 + 3600 * t, format));
  for (int64_t s = 0; s < series; ++s)
    for (int64_t t = 0; t < rows; ++t)
      text += "S" + std::to_string(s) + "," + stamps[static_cast<size_t>(t)] + "," +
              std::to_string((s * 31 + t * 7) % 1000) + ".5\n";
  return text;
}

TEST_F(ReadLong, TimeAndMemoryAreLinear) {
  const auto seconds_for = [&](int64_t series) {
    attn::test::put(folder_ / "x.csv", long_text(series, 200));
    const auto begin = std::chrono::steady_clock::now();
    const Reading r = read_series(folder_ / "x.csv");
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(r.set.series.size(), static_cast<size_t>(series));
    EXPECT_EQ(r.set.series.back().rows, 200);
    return time.count();
  };
  seconds_for(50);
  const double memory_before = attn::test::status_mb("VmHWM");
  const double small = seconds_for(500);
  const double large = seconds_for(5000);  // 1e6 rows
  RecordProperty("rows_1e5_seconds", std::to_string(small));
  RecordProperty("rows_1e6_seconds", std::to_string(large));
  RecordProperty("rows_1e6_peak_mb",
                 std::to_string(attn::test::status_mb("VmHWM") - memory_before));
  // 10 times the rows: quadratic work would be 100 times the time.
  EXPECT_LT(large, 40 * small);
}

}  // namespace
}  // namespace timeseries::test
