#include "timeseries/series/side_by_side.h"

#include "tests/timeseries/series/read_text.h"

namespace timeseries::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SideBySide : public ReadTest {};

TEST_F(SideBySide, SeriesBecomeChannels) {
  const std::string text =
      "id,date,y\nA,2020-01-01,1\nA,2020-01-02,2\nB,2020-01-01,3\nB,2020-01-02,\n";
  const SeriesSet one = side_by_side(read(text).set);
  EXPECT_THAT(one.channels, ElementsAre("A", "B"));
  ASSERT_EQ(one.series.size(), 1U);
  EXPECT_EQ(one.series[0].rows, 2);
  EXPECT_EQ(one.series[0].id, "");
  EXPECT_THAT(one.series[0].values, values_are({1, 3, 2, kNaN}));
  const SeriesSet two = side_by_side(
      read("id,date,y,z\nA,2020-01-01,1,5\nA,2020-01-02,2,6\nB,2020-01-01,3,7\nB,2020-01-02,4,8\n")
          .set);
  EXPECT_THAT(two.channels, ElementsAre("A.y", "A.z", "B.y", "B.z"));
  EXPECT_THAT(two.series[0].values, values_are({1, 5, 3, 7, 2, 6, 4, 8}));
}

TEST_F(SideBySide, OnlyWhereTheyBeginAndEndTogether) {
  const SeriesSet uneven = read("id,date,y\nA,2020-01-01,1\nA,2020-01-02,2\nB,2020-01-01,3\n").set;
  EXPECT_THAT(attn::test::sentence_of([&] { side_by_side(uneven); }),
              HasSubstr("begin and end together can stand side by side"));
  const SeriesSet alone = read("date,y\n2020-01-01,1\n2020-01-02,2\n").set;
  EXPECT_THAT(side_by_side(alone).channels, ElementsAre("y"));
}

}  // namespace
}  // namespace timeseries::test
