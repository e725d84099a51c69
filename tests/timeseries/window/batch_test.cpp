#include "timeseries/window/batch.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "attn/error.h"
#include "tests/timeseries/window/make_set.h"
#include "timeseries/series/calendar_features.h"

namespace timeseries {
namespace {

using test::kNone;
using test::make_set;
using testing::HasSubstr;

SeriesSet covered_set() {
  SeriesSet set = make_set({30, 20}, 2);
  set.past_names = {"wind"};
  set.future_names = {"price", "holiday"};
  set.static_names = {"size"};
  for (Series& s : set.series) {
    s.ahead = 5;
    for (int64_t r = 0; r < s.rows; ++r) s.past.push_back(std::cos(static_cast<double>(r)));
    for (int64_t r = 0; r < 2 * (s.rows + s.ahead); ++r)
      s.future.push_back(std::cos(static_cast<double>(3 * r)));
    s.statics = {static_cast<double>(s.rows)};
  }
  set.series[0].values[2 * 12 + 1] = kNone;
  set.series[0].past[13] = kNone;
  return set;
}

BatchOptions options(int64_t lookback, int64_t horizon) {
  BatchOptions o;
  o.lookback = lookback;
  o.horizon = horizon;
  o.season = 24;
  return o;
}

/// Element of a matrix (rows, width), NaN outside of it.
double element(const std::vector<double>& m, int64_t width, int64_t row, int64_t column) {
  const int64_t i = row * width + column;
  if (row < 0 || i >= static_cast<int64_t>(m.size())) return kNone;
  return m[static_cast<size_t>(i)];
}

void expect_same(double got, double wanted) {
  if (std::isnan(wanted)) {
    EXPECT_TRUE(std::isnan(got));
  } else {
    EXPECT_NEAR(got, wanted, 1e-6 * (1 + std::abs(wanted)));
  }
}

TEST(Batch, HoldsWhatTheSeriesHold) {
  const SeriesSet set = covered_set();
  const Scaler scaler = fit_scaler(set, all_rows(set), ScaleBy::series);
  const WindowSource source(set, scaler, options(8, 4));
  const std::vector<Window> windows{{0, 1, 16}, {1, 0, 8}, {0, 0, 3}, {1, 1, 20}, {0, 1, 28}};
  const WindowBatch batch = source.gather(windows);
  ASSERT_EQ(batch.values.sizes(), (at::IntArrayRef{5, 8}));
  ASSERT_EQ(batch.target.sizes(), (at::IntArrayRef{5, 4}));
  ASSERT_EQ(batch.known.sizes(), (at::IntArrayRef{5, 12, 2}));
  ASSERT_EQ(batch.past.sizes(), (at::IntArrayRef{5, 8, 2}));
  for (int64_t n = 0; n < 5; ++n) {
    const Window& w = windows[static_cast<size_t>(n)];
    const Series& s = set.series[static_cast<size_t>(w.series)];
    EXPECT_EQ(batch.channel[n].item<int64_t>(), w.channel);
    EXPECT_EQ(batch.phase[n].item<int64_t>(), (w.series + w.origin) % 24);
    for (int64_t t = -8; t < 4; ++t) {
      const int64_t row = w.origin + t;
      const double x = scaler.of(w.series, w.channel).apply(element(s.values, 2, row, w.channel));
      expect_same((t < 0 ? batch.values[n][t + 8] : batch.target[n][t]).item<double>(), x);
      for (int64_t f = 0; f < 2; ++f) {
        const double k = element(s.future, 2, row, f);
        expect_same(batch.known[n][t + 8][f].item<double>(),
                    std::isnan(k) ? 0 : scaler.future[static_cast<size_t>(f)].apply(k));
      }
      if (t >= 0) continue;
      const double p = element(s.past, 1, row, 0);
      expect_same(batch.past[n][t + 8][0].item<double>(),
                  std::isnan(p) ? 0 : scaler.past[0].apply(p));
      expect_same(batch.past[n][t + 8][1].item<double>(),
                  row < 0 ? 0 : scaler.statics[0].apply(s.statics[0]));
    }
  }
}

TEST(Batch, CalendarFeaturesFollowTheKnownCovariates) {
  const SeriesSet set = make_set({30}, 1);
  const Scaler scaler = fit_scaler(set, all_rows(set), ScaleBy::channel);
  BatchOptions o = options(8, 4);
  o.calendar = true;
  const WindowSource source(set, scaler, o);
  EXPECT_EQ(source.known_names(), cyclic_feature_names(set.frequency));
  const WindowBatch batch = source.gather(std::vector<Window>{{0, 0, 30}});  // beyond the end, too
  for (int64_t t = 0; t < 12; ++t) {
    const std::vector<double> wanted =
        cyclic_features(std::vector<Instant>{set.series[0].start + (22 + t) * 3600}, set.frequency);
    ASSERT_EQ(static_cast<int64_t>(wanted.size()), source.known_width());
    for (int64_t f = 0; f < source.known_width(); ++f)
      EXPECT_FLOAT_EQ(batch.known[0][t][f].item<float>(),
                      static_cast<float>(wanted[static_cast<size_t>(f)]));
  }
  EXPECT_TRUE(batch.target.isnan().all().item<bool>());
}

TEST(Batch, WithoutCovariatesOrSeasonThereAreNone) {
  const SeriesSet set = make_set({30}, 1);
  BatchOptions o = options(8, 4);
  o.season = 0;
  const WindowSource source(set, fit_scaler(set, all_rows(set), ScaleBy::channel), o);
  const WindowBatch batch = source.gather(std::vector<Window>{{0, 0, 17}});
  EXPECT_FALSE(batch.known.defined());
  EXPECT_FALSE(batch.past.defined());
  EXPECT_EQ(batch.phase[0].item<int64_t>(), 0);
  EXPECT_EQ(source.gather({}).values.sizes(), (at::IntArrayRef{0, 8}));
}

TEST(Batch, CovariatesThatEndTooEarlyAreRefused) {
  const SeriesSet set = covered_set();
  const WindowSource source(set, fit_scaler(set, all_rows(set), ScaleBy::channel), options(8, 6));
  EXPECT_NO_THROW(source.gather(std::vector<Window>{{1, 0, 19}}));
  try {
    source.gather(std::vector<Window>{{1, 0, 20}});
    FAIL() << "covariates that end too early were accepted";
  } catch (const attn::Error& e) {
    EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("set.csv"), HasSubstr("'s1'"),
                                         HasSubstr("5 steps"), HasSubstr("6 are needed")));
  }
}

TEST(Batch, AScalerOfOtherColumnsIsRefused) {
  const SeriesSet set = make_set({30}, 2), other = make_set({30}, 1);
  const Scaler scaler = fit_scaler(other, all_rows(other), ScaleBy::channel);
  EXPECT_THROW(WindowSource(set, scaler, options(8, 4)), attn::Error);
}

}  // namespace
}  // namespace timeseries
