#include <chrono>

#include "tests/timeseries/series/read_text.h"
#include "timeseries/series/calendar.h"

namespace timeseries::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ReadRows : public ReadTest {};

TEST_F(ReadRows, OneSeriesARow) {
  const Reading r = read(
      "\"V1\",\"V2\",\"V3\",\"V4\",\"V5\"\n\"H1\",\"1\",\"2\",\"\",\"\"\n\"H2\",\"3\",\"NA\",\"5\","
      "\n"
      "\"H3\",,,,\"9\"\n");
  EXPECT_EQ(r.report.layout, Layout::rows);
  EXPECT_EQ(r.set.frequency, Frequency{});
  EXPECT_THAT(r.set.channels, ElementsAre("value"));
  ASSERT_EQ(r.set.series.size(), 3U);
  EXPECT_EQ(r.set.series[0].id, "H1");
  EXPECT_EQ(r.set.series[0].start, 1);
  EXPECT_EQ(r.set.series[0].rows, 2);
  EXPECT_THAT(r.set.series[0].values, values_are({1, 2}));
  EXPECT_THAT(r.set.series[1].values, values_are({3, kNaN, 5}));
  EXPECT_THAT(r.set.series[2].values, values_are({kNaN, kNaN, kNaN, 9}));
  EXPECT_EQ(r.report.missing_values, 4);
  EXPECT_EQ(r.report.series, 3);
}

TEST_F(ReadRows, OtherHeadersWhereNamed) {
  const std::string text = "name,t1,t2,t3\na,1,2,3\nb,4,5,6\n";
  EXPECT_EQ(read(text, {.layout = Layout::rows}).set.series[1].id, "b");
  EXPECT_EQ(read("t1,t2,key\n1,2,a\n3,4,b\n", {.layout = Layout::rows, .id_column = "key"})
                .set.series[1]
                .id,
            "b");
  EXPECT_THAT(refusal(text), HasSubstr("row 2, column name: expected a number, found 'a'"));
}

TEST_F(ReadRows, RefusedInASentence) {
  const ReadOptions rows{.layout = Layout::rows};
  EXPECT_THAT(refusal("V1,V2\nH1,1\nH2,\n"),
              HasSubstr("x.csv: row 3: the series 'H2' holds no value; leave it out"));
  EXPECT_THAT(refusal("V1,V2\nH1,1\nH1,2\n"),
              HasSubstr("row 3, column V1: the series 'H1' is there"));
  EXPECT_THAT(refusal("V1,V2\n,1\n"), HasSubstr("row 2, column V1: the series has no id"));
  EXPECT_THAT(refusal("V1,V2,V3\nH1,1,x\n"),
              HasSubstr("x.csv: row 2, column V3: expected a number, found 'x'"));
  EXPECT_THAT(refusal("V1,V2\n"), HasSubstr("x.csv: holds a header but no rows"));
  EXPECT_THAT(refusal("a\nx\n", rows), HasSubstr("holds ids but no columns of values"));
  EXPECT_THAT(
      refusal("a,b\nx,1\n", {.layout = Layout::rows, .past = {"b"}}),
      HasSubstr("with one series a row there are no columns of time, values or covariates"));
  EXPECT_THAT(refusal("a,b\nx,1\n", {.layout = Layout::rows, .frequency = Frequency{Unit::hour}}),
              HasSubstr("the frequency h needs some; leave --freq out"));
}

}  // namespace
}  // namespace timeseries::test
