#include "timeseries/series/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/damage.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Protocol, PublishedRows) {
  // Rows of the reference note: train 0-8639, validation 8640-11519, test 11520-14399.
  EXPECT_EQ(parts_of(protocol_of("ett-hour"), 17420, "x"),
            (ProtocolParts{{0, 8640}, {8640, 11520}, {11520, 14400}}));
  EXPECT_EQ(parts_of(protocol_of("ett-minute"), 69680, "x"),
            (ProtocolParts{{0, 34560}, {34560, 46080}, {46080, 57600}}));
  // 7588 rows: floor(5311.6), floor(1517.6)
  EXPECT_EQ(parts_of(protocol_of("70-10-20"), 7588, "x"),
            (ProtocolParts{{0, 5311}, {5311, 6071}, {6071, 7588}}));
  EXPECT_EQ(parts_of(protocol_of("m4-hourly"), 748, "x"),
            (ProtocolParts{{0, 652}, {652, 700}, {700, 748}}));
  EXPECT_EQ(protocol_of("m4-hourly").horizon, 48);
  EXPECT_EQ(protocol_of("m4-hourly").season, 24);
}

TEST(Protocol, SharesCoverEveryLength) {
  for (int64_t n = 10; n < 5000; ++n) {
    const ProtocolParts p = parts_of(protocol_of("70-10-20"), n, "x");
    ASSERT_EQ(p.train.begin, 0);
    ASSERT_EQ(p.train.end, p.validation.begin);
    ASSERT_EQ(p.validation.end, p.test.begin);
    ASSERT_EQ(p.test.end, n);
    ASSERT_LE(10 * p.train.size(), 7 * n);
    ASSERT_GT(10 * (p.train.size() + 1), 7 * n);
    ASSERT_LE(10 * p.test.size(), 2 * n);
    ASSERT_GT(10 * (p.test.size() + 1), 2 * n);
  }
}

TEST(Protocol, RefusedInASentence) {
  EXPECT_THAT(
      sentence_of([] { protocol_of("ett-hours"); }),
      HasSubstr("unknown protocol 'ett-hours'; expected one of ett-hour, ett-minute, 70-10-20, "
                "m4-hourly; did you mean 'ett-hour'?"));
  EXPECT_EQ(sentence_of([] { parts_of(protocol_of("ett-hour"), 14399, "x.csv"); }),
            "x.csv: has 14399 rows, the protocol ett-hour needs 14400 or more; take another "
            "--protocol");
  EXPECT_THAT(sentence_of([] { parts_of(protocol_of("m4-hourly"), 96, "x.csv"); }),
              HasSubstr("x.csv: has 96 rows, the protocol m4-hourly needs 97 or more"));
  EXPECT_THROW(parts_of(protocol_of("70-10-20"), 4, "x"), attn::Error);
  for (const std::string& name : protocol_names()) EXPECT_EQ(protocol_of(name).name, name);
}

SeriesSet set_of(const std::vector<std::pair<std::string, std::vector<double>>>& series,
                 const std::string& path) {
  SeriesSet set;
  set.path = path;
  set.channels = {"value"};
  for (const auto& [id, values] : series) {
    Series s;
    s.id = id;
    s.start = 1;
    s.values = values;
    s.rows = static_cast<int64_t>(values.size());
    set.series.push_back(s);
  }
  return set;
}

TEST(Protocol, TrainAndTestAreJoinedById) {
  const SeriesSet both = joined(set_of({{"H1", {1, 2}}, {"H2", {3}}}, "train.csv"),
                                set_of({{"H2", {30}}, {"H1", {10, 20}}}, "test.csv"));
  EXPECT_THAT(both.series[0].values, ElementsAre(1, 2, 10, 20));
  EXPECT_EQ(both.series[0].rows, 4);
  EXPECT_THAT(both.series[1].values, ElementsAre(3, 30));
  EXPECT_EQ(sentence_of([] {
              joined(set_of({{"H1", {1}}, {"H2", {3}}}, "a.csv"), set_of({{"H1", {1}}}, "b.csv"));
            }),
            "b.csv: has no series 'H2' of a.csv; take the test file that belongs to it");
  EXPECT_EQ(sentence_of([] {
              joined(set_of({{"H1", {1}}}, "a.csv"), set_of({{"H1", {1}}, {"H2", {3}}}, "b.csv"));
            }),
            "b.csv: series 'H2' is not in a.csv; take the training file that belongs to it");
  SeriesSet other = set_of({{"H1", {1}}}, "b.csv");
  other.channels = {"load"};
  EXPECT_THAT(sentence_of([&] {
                joined(set_of({{"H1", {1}}}, "a.csv"), other);
              }),
              HasSubstr("b.csv: has the columns load, expected those of a.csv, value"));
}

TEST(Protocol, RowsWithStampsGoOnWhereTheSeriesEnds) {
  const auto hourly = [](const char* path, Instant start, std::vector<double> values) {
    SeriesSet set = set_of({{"H1", std::move(values)}}, path);
    set.frequency = {Unit::hour, 1, false};
    set.series[0].start = start;
    return set;
  };
  const SeriesSet train = hourly("a.csv", 0, {1, 2, 3});
  EXPECT_EQ(joined(train, hourly("b.csv", 3 * 3600, {4})).series[0].rows, 4);
  for (const Instant start : {Instant{0}, Instant{2 * 3600}, Instant{4 * 3600}})
    EXPECT_THAT(sentence_of([&] { joined(train, hourly("b.csv", start, {4})); }),
                HasSubstr("the step behind the last of a.csv"));
  SeriesSet daily = hourly("b.csv", 3 * 3600, {4});
  daily.frequency.unit = Unit::day;
  EXPECT_THAT(sentence_of([&] { joined(train, daily); }), HasSubstr("b.csv: series 'H1'"));
}

}  // namespace
}  // namespace timeseries
