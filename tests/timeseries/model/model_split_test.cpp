#include "timeseries/model/model_split.h"

#include <gtest/gtest.h>

#include "attn/error.h"
#include "tests/timeseries/model/small_model.h"

namespace timeseries {
namespace {

TEST(ModelSplit, ValidatesOnTheLastRows) {
  const SeriesSet set = test::small_set(1, 1000);
  const Split plain = tail_split(set, 24);
  EXPECT_EQ(plain.train[0], (RowSpan{0, 900}));  // a tenth
  EXPECT_EQ(plain.validation[0], (RowSpan{900, 1000}));
  EXPECT_EQ(plain.test[0], (RowSpan{1000, 1000}));
  EXPECT_EQ(tail_split(set, 80).validation[0].size(), 160);   // two horizons
  EXPECT_EQ(tail_split(set, 250).validation[0].size(), 333);  // at most a third
  EXPECT_EQ(tail_split(set, 400).validation[0].size(), 400);  // at least a horizon
  EXPECT_EQ(tail_split(set, 499).train[0].size(), 501);
  EXPECT_EQ(tail_split(set, 500).train[0].size(), 1000);  // too short: all of it trains
  EXPECT_EQ(tail_split(set, 24, {0, 0}).train[0].size(), 1000);
}

TEST(ModelSplit, TestsBehindValidation) {
  const SeriesSet set = test::small_set(2, 1000);
  const Split split = tail_split(set, 24, {0.1, 0.2});
  ASSERT_EQ(split.test.size(), 2U);
  EXPECT_EQ(split.train[1], (RowSpan{0, 720}));
  EXPECT_EQ(split.validation[1], (RowSpan{720, 800}));
  EXPECT_EQ(split.test[1], (RowSpan{800, 1000}));
  EXPECT_EQ(tail_split(set, 300, {0.1, 0.2}).test[0].size(), 300);
  for (const SplitOptions& bad : {SplitOptions{-0.1, 0}, {0.1, -0.1}, {0.5, 0.5}})
    EXPECT_THROW(tail_split(set, 24, bad), attn::UsageError);
}

TEST(ModelSplit, FirstRowsKeepWhatIsKnownAhead) {
  SeriesSet set = test::small_set(2, 10);
  set.future_names = {"f"};
  for (Series& s : set.series) {
    s.ahead = 5;
    for (int i = 0; i < 15; ++i) s.future.push_back(i);
  }
  const std::vector<int64_t> rows{4, 20};
  const SeriesSet cut = first_rows(set, rows, 3);
  EXPECT_EQ(cut.series[0].rows, 4);
  EXPECT_EQ(cut.series[0].values.size(), 4U);
  EXPECT_EQ(cut.series[0].future, (std::vector<double>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(cut.series[1].rows, 10);
  EXPECT_EQ(cut.series[1].ahead, 3);
}

}  // namespace
}  // namespace timeseries
