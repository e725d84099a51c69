#include "timeseries/model/stream.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <span>

#include "attn/error.h"
#include "tests/support/damage.h"
#include "tests/timeseries/model/small_model.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::HasSubstr;

const std::vector<double> kLevels{0.5, 0.95};

/// The stream over rows first ... of a series is at each of them what predict says of all before.
void expect_stream(const ForecastModel& model, const SeriesSet& set, int64_t series,
                   int64_t first) {
  const Series& whole = set.series[static_cast<size_t>(series)];
  SeriesSet one = set;
  one.series = {whole};
  const auto before = [&](int64_t rows) {
    return first_rows(one, std::vector<int64_t>{rows}, model.horizon());
  };
  StreamForecaster stream(model, before(first), 0, kLevels);
  const size_t channels = set.channels.size(), past = set.past_names.size(),
               future = set.future_names.size();
  PredictOptions o;
  o.levels = kLevels;
  for (int64_t r = first; r < whole.rows; ++r) {
    const auto row = static_cast<size_t>(r);
    if (future > 0)
      stream.know(std::span(whole.future)
                      .subspan((row + static_cast<size_t>(model.horizon())) * future, future));
    stream.push(std::span(whole.values).subspan(row * channels, channels),
                std::span(whole.past).subspan(row * past, past));
    const SeriesForecast f = stream.forecast();
    const SeriesForecast want = predict(model, before(r + 1), o, {}).series.at(0);
    ASSERT_EQ(f.stamps, want.stamps);
    EXPECT_EQ(f.origin, want.origin);
    EXPECT_EQ(stream.rows(), r + 1);
    for (const auto& [mine, theirs] :
         {std::pair(&f.values, &want.values), {&f.low, &want.low}, {&f.high, &want.high}}) {
      ASSERT_EQ(mine->size(), theirs->size());
      for (size_t i = 0; i < mine->size(); ++i)
        ASSERT_NEAR((*mine)[i], (*theirs)[i], 1e-6 * std::max(1.0, std::abs((*theirs)[i])))
            << "row " << r << ", number " << i;
    }
  }
}

TEST(Stream, IsTheForecastOfTheWholePast) {
  const SeriesSet set = test::small_set(1, 300, 2);
  const ForecastModel model = test::small_fit(set, test::small_options()).model;
  SeriesSet holed = set;  // also where values are missing or stand still
  for (size_t r = 180; r < 190; ++r) holed.series[0].values[2 * r] = test::kNone;
  for (size_t r = 200; r < 240; ++r) holed.series[0].values[2 * r + 1] = 5;
  expect_stream(model, holed, 0, 10);
}

TEST(Stream, OfASeriesThatTheModelNeverMet) {
  for (const Transform transform : {Transform::none, Transform::asinh}) {
    SeriesSet set = test::small_set(2, 200);
    ModelOptions o = test::small_options();
    o.transform = transform;
    const ForecastModel model = test::small_fit(set, o).model;
    set.series[1].id = "new";
    expect_stream(model, set, 1, 40);  // and on, over what tells where it bends
    expect_stream(model, set, 0, 150);
  }
}

TEST(Stream, WithCovariatesAndCalendar) {
  SimulateOptions s;
  s.rows = 300;
  s.covariates = true;
  s.ahead = 6;
  const SeriesSet set = simulate(s);
  ModelOptions o = test::small_options();
  o.calendar = true;
  const ForecastModel model = test::small_fit(set, o).model;
  expect_stream(model, set, 0, 250);
}

TEST(Stream, RefusesRowsOfOtherColumns) {
  SeriesSet set = test::small_set(1, 200);
  const ForecastModel model = test::small_fit(set, test::small_options(Network::dlinear)).model;
  StreamForecaster stream(model, first_rows(set, std::vector<int64_t>{3}, 0), 0);
  EXPECT_THAT(sentence_of([&] { stream.forecast(); }), HasSubstr("3 rows"));
  EXPECT_THAT(sentence_of([&] { stream.push(std::vector<double>{1, 2}); }), HasSubstr("2 values"));
  EXPECT_THAT(sentence_of([&] { stream.push(std::vector<double>{INFINITY}); }),
              HasSubstr("infinite"));
  EXPECT_THAT(sentence_of([&] { stream.push(std::vector<double>{1}, std::vector<double>{1}); }),
              HasSubstr("covariates"));
  for (int i = 0; i < 24; ++i) stream.push(std::vector<double>{test::kNone});
  EXPECT_THAT(sentence_of([&] { stream.forecast(); }), HasSubstr("all missing"));
  EXPECT_THROW(StreamForecaster(model, set, 1), attn::UsageError);
}

}  // namespace
}  // namespace timeseries
