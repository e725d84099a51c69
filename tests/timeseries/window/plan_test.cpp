#include "timeseries/window/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "attn/error.h"
#include "tests/timeseries/window/make_set.h"

namespace timeseries {
namespace {

using test::kNone;
using test::make_set;
using testing::HasSubstr;

WindowOptions options(int64_t lookback, int64_t horizon, int64_t stride = 1) {
  WindowOptions o;
  o.lookback = lookback;
  o.horizon = horizon;
  o.stride = stride;
  return o;
}

TEST(Split, TheLiteraturesProtocols) {
  const SeriesSet ett = make_set({17420}, 1);
  const Split rows = split_by(ett, protocol_of("ett-hour"));
  EXPECT_EQ(rows.validation[0], (RowSpan{8640, 11520}));
  EXPECT_EQ(rows.test[0], (RowSpan{11520, 14400}));
  const SeriesSet illness = make_set({966}, 1);
  const Split shares = split_by(illness, protocol_of("70-10-20"));
  EXPECT_EQ(shares.train[0], (RowSpan{0, 676}));
  EXPECT_EQ(shares.validation[0], (RowSpan{676, 773}));
  EXPECT_EQ(shares.test[0], (RowSpan{773, 966}));
  EXPECT_EQ(split_by_share(illness, 0.7, 0.2).validation, shares.validation);
}

TEST(Split, TheLastRowsOfEachSeries) {
  const SeriesSet set = make_set({100, 10}, 1);
  const Split split = split_tail(set, 8, 8);
  EXPECT_EQ(split.train[0], (RowSpan{0, 84}));
  EXPECT_EQ(split.test[0], (RowSpan{92, 100}));
  EXPECT_EQ(split.train[1], (RowSpan{0, 10}));
  EXPECT_EQ(split.test[1].size(), 0);
}

TEST(Split, RefusesWhatCannotBe) {
  const SeriesSet set = make_set({100, 10}, 1);
  try {
    split_by(set, protocol_of("m4-hourly"));
    FAIL() << "a short series was accepted";
  } catch (const attn::Error& e) {
    EXPECT_THAT(e.what(),
                testing::AllOf(HasSubstr("set.csv"), HasSubstr("'s1'"), HasSubstr("10 rows")));
  }
  EXPECT_THROW(split_by_share(set, 0.9, 0.2), attn::UsageError);
  EXPECT_THROW(split_by_share(set, 0, 0.2), attn::UsageError);
  EXPECT_THROW(split_by_share(set, NAN, 0.2), attn::UsageError);
  EXPECT_THROW(split_tail(set, -1, 2), attn::UsageError);
}

TEST(Windows, NoneIsDropped) {
  // The counts of the literature: 8449 and 2785 of ETTh1 at 96 -> 96, 170 of national illness.
  const SeriesSet ett = make_set({14400}, 7);
  const Split split = split_by(ett, protocol_of("ett-hour"));
  EXPECT_EQ(plan_windows(ett, split.train, options(96, 96)).windows.size(), 8449U * 7);
  EXPECT_EQ(plan_windows(ett, split.validation, options(96, 96)).windows.size(), 2785U * 7);
  EXPECT_EQ(plan_windows(ett, split.test, options(96, 96)).windows.size(), 2785U * 7);
  EXPECT_EQ(plan_windows(ett, split.test, options(336, 720)).windows.size(), 2161U * 7);
  const SeriesSet illness = make_set({966}, 7);
  EXPECT_EQ(
      plan_windows(illness, split_by_share(illness, 0.7, 0.2).test, options(36, 24)).windows.size(),
      170U * 7);
}

/// The same list by trying every origin.
std::vector<Window> by_trying(const SeriesSet& set, const std::vector<RowSpan>& ranges,
                              const WindowOptions& o) {
  std::vector<Window> out;
  const auto channels = static_cast<int64_t>(set.channels.size());
  for (size_t s = 0; s < set.series.size(); ++s) {
    const Series& series = set.series[s];
    int64_t next = -1;
    for (int64_t origin = 0; origin <= series.rows; ++origin) {
      const int64_t least = o.least_lookback > 0 ? o.least_lookback : o.lookback;
      if (origin < ranges[s].begin || origin + o.horizon > ranges[s].end || origin < least ||
          origin < next)
        continue;
      next = origin + o.stride;
      for (int64_t c = 0; c < channels; ++c) {
        bool known = false;
        for (int64_t r = std::max<int64_t>(0, origin - o.lookback); r < origin; ++r)
          known = known || !std::isnan(series.values[static_cast<size_t>(r * channels + c)]);
        if (known) out.push_back({static_cast<int32_t>(s), static_cast<int32_t>(c), origin});
      }
    }
  }
  return out;
}

TEST(Windows, AreThoseFoundByTryingEveryOrigin) {
  SeriesSet set = make_set({40, 7, 23, 9, 0}, 2);
  for (int64_t r = 5; r < 16; ++r) set.series[0].values[static_cast<size_t>(2 * r)] = kNone;
  for (int64_t r = 0; r < 12; ++r) set.series[2].values[static_cast<size_t>(2 * r + 1)] = kNone;
  const std::vector<RowSpan> whole = all_rows(set);
  const std::vector<RowSpan> part{{20, 35}, {2, 7}, {0, 23}, {3, 9}, {0, 0}};
  for (const auto& ranges : {whole, part}) {
    for (const int64_t lookback : {1, 4, 6}) {
      for (const int64_t stride : {1, 3}) {
        for (const int64_t least : {int64_t{0}, int64_t{1}}) {
          WindowOptions o = options(lookback, 3, stride);
          o.least_lookback = least;
          EXPECT_EQ(plan_windows(set, ranges, o).windows, by_trying(set, ranges, o))
              << lookback << " " << stride << " " << least;
        }
      }
    }
  }
}

TEST(Windows, WhatIsLeftOutIsTold) {
  SeriesSet set = make_set({40, 7, 8}, 1);
  for (int64_t r = 0; r < 6; ++r) set.series[0].values[static_cast<size_t>(r)] = kNone;
  const WindowPlan plan = plan_windows(set, all_rows(set), options(5, 4));
  EXPECT_EQ(plan.short_series, (std::vector<std::string>{"s1", "s2"}));
  EXPECT_EQ(plan.empty_lookbacks, 2);  // rows 0-4 and 1-5
  EXPECT_THAT(plan.told(), testing::AllOf(HasSubstr("2 series are too short"), HasSubstr("'s1'"),
                                          HasSubstr("2 windows have no known value")));
  EXPECT_EQ(plan_windows(set, std::vector<RowSpan>{{10, 40}, {0, 0}, {0, 0}}, options(5, 4))
                .empty_lookbacks,
            0);
  const SeriesSet good = make_set({40}, 1);
  EXPECT_EQ(plan_windows(good, all_rows(good), options(5, 4)).told(), "");
}

TEST(Windows, RefuseSenselessOptions) {
  const SeriesSet set = make_set({40}, 1);
  EXPECT_THROW(plan_windows(set, all_rows(set), options(0, 4)), attn::UsageError);
  EXPECT_THROW(plan_windows(set, all_rows(set), options(4, 0)), attn::UsageError);
  EXPECT_THROW(plan_windows(set, all_rows(set), options(4, 4, 0)), attn::UsageError);
  WindowOptions o = options(4, 4);
  o.least_lookback = 5;
  EXPECT_THROW(plan_windows(set, all_rows(set), o), attn::UsageError);
}

}  // namespace
}  // namespace timeseries
