#include "timeseries/window/scaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "tests/timeseries/window/make_set.h"

namespace timeseries {
namespace {

using test::kNone;
using test::make_set;
using testing::HasSubstr;

SeriesSet of_values(const std::vector<double>& values) {
  SeriesSet set = make_set({static_cast<int64_t>(values.size())}, 1);
  set.series[0].values = values;
  return set;
}

TEST(Scaler, MeanAndPopulationSdOfTheTrainingRowsAlone) {
  const SeriesSet set = of_values({2, 4, kNone, 6, 1000});
  const Scaler scaler = fit_scaler(set, std::vector<RowSpan>{{0, 4}}, ScaleBy::channel);
  EXPECT_DOUBLE_EQ(scaler.of(0, 0).mean, 4);
  EXPECT_DOUBLE_EQ(scaler.of(0, 0).sd, std::sqrt(8.0 / 3));
  EXPECT_TRUE(scaler.notes.empty());
  EXPECT_DOUBLE_EQ(scaler.of(0, 0).undo(scaler.of(0, 0).apply(17)), 17);
}

TEST(Scaler, ALargeMeanDoesNotDrownTheSpread) {
  const SeriesSet set = of_values({1e9 + 1, 1e9 + 3});
  const Scaler scaler = fit_scaler(set, all_rows(set), ScaleBy::channel);
  EXPECT_DOUBLE_EQ(scaler.of(0, 0).sd, 1);
}

TEST(Scaler, BendsAtATenthOfTheMeanMagnitude) {
  const SeriesSet set = of_values({0, 10, kNone, 200, 30, 1e6});
  const Scaler scaler =
      fit_scaler(set, std::vector<RowSpan>{{0, 5}}, ScaleBy::channel, Transform::asinh);
  const Moments& m = scaler.of(0, 0);
  EXPECT_DOUBLE_EQ(m.bend, 8);
  double mean = 0, square = 0;
  for (const double x : {0.0, 10.0, 200.0, 30.0}) mean += std::asinh(x / 8) / 4;
  for (const double x : {0.0, 10.0, 200.0, 30.0})
    square += (std::asinh(x / 8) - mean) * (std::asinh(x / 8) - mean) / 4;
  EXPECT_NEAR(m.mean, mean, 1e-12);
  EXPECT_NEAR(m.sd, std::sqrt(square), 1e-12);
  EXPECT_DOUBLE_EQ(m.unit(),
                   fit_scaler(set, std::vector<RowSpan>{{0, 5}}, ScaleBy::channel).of(0, 0).sd);
  for (const double x : {-1e5, -3.0, 0.0, 17.0, 1e6})
    EXPECT_NEAR(m.undo(m.apply(x)), x, 1e-9 * (1 + std::abs(x)));
  EXPECT_TRUE(std::isnan(m.apply(kNone)));
  for (const double y : {-1e30, 1e30}) EXPECT_TRUE(std::isfinite(m.undo(y)));
}

TEST(Scaler, WhatIsConstantOrNothingDoesNotBend) {
  for (const std::vector<double>& values : {std::vector<double>{5, 5, 5}, {0, 0, 0}, {kNone}}) {
    const SeriesSet set = of_values(values);
    const Moments m = fit_scaler(set, all_rows(set), ScaleBy::channel, Transform::asinh).of(0, 0);
    EXPECT_EQ(m.bend, 0);
    EXPECT_EQ(m.unit(), 1);
    EXPECT_EQ(m.undo(m.apply(4)), 4);
  }
}

TEST(Scaler, AnUnknownSeriesBendsByItsFirstValues) {
  const SeriesSet trained = make_set({100, 100}, 1);
  const Scaler scaler = fit_scaler(trained, all_rows(trained), ScaleBy::series, Transform::asinh);
  SeriesSet other = make_set({100, 100}, 1);
  other.series[1].id = "new";
  double sum = 0;
  for (size_t r = 0; r < 64; ++r) sum += std::abs(other.series[1].values[r]);
  const Scaler served = scaler_for(scaler, other, all_rows(other));
  EXPECT_NEAR(served.of(1, 0).bend, 0.1 * sum / 64, 1e-9);
  EXPECT_EQ(served.of(0, 0).bend, scaler.of(0, 0).bend);
  for (double& x : other.series[1].values) x = &x - other.series[1].values.data() < 64 ? x : 9 * x;
  EXPECT_EQ(scaler_for(scaler, other, all_rows(other)).of(1, 0).bend, served.of(1, 0).bend);
}

TEST(Scaler, BendsComeBackFromJson) {
  const SeriesSet set = make_set({40, 50}, 2);
  const Scaler scaler = fit_scaler(set, all_rows(set), ScaleBy::series, Transform::asinh);
  const nlohmann::json j = scaler;
  const auto back = j.get<Scaler>();
  EXPECT_EQ(back.transform, Transform::asinh);
  EXPECT_EQ(back.of(1, 1).bend, scaler.of(1, 1).bend);
  EXPECT_EQ(back.of(1, 1).unit(), scaler.of(1, 1).unit());
  EXPECT_EQ(nlohmann::json(back), j);
  for (const auto& [key, value] : {std::pair<std::string, nlohmann::json>{"/transform", "log"},
                                   {"/values/bend", {1.0}},
                                   {"/values/bend/0", -1},
                                   {"/values/spread/3", 0},
                                   {"/values/spread", nullptr}}) {
    nlohmann::json damaged = j;
    damaged[nlohmann::json::json_pointer(key)] = value;
    EXPECT_THROW(damaged.get<Scaler>(), attn::Error) << key;
  }
}

TEST(Scaler, AConstantColumnIsCentredAndNoted) {
  SeriesSet set = make_set({3}, 2);
  set.series[0].values = {0.1, 1, 0.1, 2, 0.1, 3};
  const Scaler scaler = fit_scaler(set, all_rows(set), ScaleBy::channel);
  EXPECT_DOUBLE_EQ(scaler.of(0, 0).sd, 1);
  EXPECT_NEAR(scaler.of(0, 0).apply(0.1), 0, 1e-15);
  ASSERT_EQ(scaler.notes.size(), 1U);
  EXPECT_THAT(scaler.notes[0], testing::AllOf(HasSubstr("'c0'"), HasSubstr("constant")));
}

TEST(Scaler, AColumnWithoutKnownValuesIsLeftAndNoted) {
  const SeriesSet set = of_values({kNone, kNone});
  const Scaler scaler = fit_scaler(set, all_rows(set), ScaleBy::channel);
  EXPECT_EQ(scaler.of(0, 0).mean, 0);
  EXPECT_EQ(scaler.of(0, 0).sd, 1);
  EXPECT_THAT(scaler.notes.at(0), HasSubstr("no known value"));
}

TEST(Scaler, OverAllSeriesOrOneBySeries) {
  SeriesSet set = make_set({2, 2}, 1);
  set.series[0].values = {0, 2};
  set.series[1].values = {10, 12};
  const Scaler all = fit_scaler(set, all_rows(set), ScaleBy::channel);
  EXPECT_DOUBLE_EQ(all.of(1, 0).mean, 6);
  EXPECT_DOUBLE_EQ(all.of(0, 0).sd, std::sqrt(26.0));
  const Scaler own = fit_scaler(set, all_rows(set), ScaleBy::series);
  EXPECT_DOUBLE_EQ(own.of(0, 0).mean, 1);
  EXPECT_DOUBLE_EQ(own.of(1, 0).mean, 11);
  EXPECT_DOUBLE_EQ(own.of(1, 0).sd, 1);
}

TEST(Scaler, CovariatesHaveMomentsOfTheirOwn) {
  SeriesSet set = make_set({2, 2}, 1);
  set.past_names = {"p"};
  set.future_names = {"f"};
  set.static_names = {"t"};
  set.series[0].past = {1, 3};
  set.series[1].past = {5, 7};
  set.series[0].future = {0, 2, 100};
  set.series[1].future = {0, 2, 100};
  set.series[0].statics = {1};
  set.series[1].statics = {5};
  const Scaler scaler = fit_scaler(set, all_rows(set), ScaleBy::series);
  EXPECT_DOUBLE_EQ(scaler.past.at(0).mean, 4);
  EXPECT_DOUBLE_EQ(scaler.future.at(0).mean, 1);
  EXPECT_DOUBLE_EQ(scaler.statics.at(0).sd, 2);
}

TEST(Scaler, ComesBackFromJsonAsItWas) {
  SeriesSet set = make_set({20, 30}, 3);
  set.past_names = {"p"};
  for (Series& s : set.series) s.past.assign(static_cast<size_t>(s.rows), 0.1);
  for (const ScaleBy by : {ScaleBy::channel, ScaleBy::series}) {
    const Scaler scaler = fit_scaler(set, all_rows(set), by);
    const nlohmann::json j = scaler;
    const Scaler back = nlohmann::json::parse(j.dump()).get<Scaler>();
    for (int64_t s = 0; s < 2; ++s) {
      for (int64_t c = 0; c < 3; ++c) {
        EXPECT_EQ(back.of(s, c).mean, scaler.of(s, c).mean);
        EXPECT_EQ(back.of(s, c).sd, scaler.of(s, c).sd);
      }
    }
    EXPECT_EQ(nlohmann::json(back), j);
  }
}

TEST(Scaler, RefusesDamagedJson) {
  const SeriesSet set = make_set({20}, 2);
  const nlohmann::json good = fit_scaler(set, all_rows(set), ScaleBy::channel);
  const auto refused = [&](const char* pointer, const nlohmann::json& value) {
    nlohmann::json j = good;
    j[nlohmann::json::json_pointer(pointer)] = value;
    EXPECT_THROW(j.get<Scaler>(), attn::Error) << pointer;
  };
  refused("/by", "row");
  refused("/values/mean", {1.0});
  refused("/values/sd", {1.0, 0.0});
  refused("/values/sd", {1.0, -1.0});
  refused("/values/mean", {1.0, "2"});
  refused("/values/names", 3);
}

TEST(Scaler, ServesAFileOfTheSameColumnsOnly) {
  const SeriesSet trained = make_set({20, 20}, 2);
  const Scaler scaler = fit_scaler(trained, all_rows(trained), ScaleBy::series);
  SeriesSet other = make_set({10, 30}, 2);
  other.series[0].id = "new";
  const Scaler served = scaler_for(scaler, other, all_rows(other));
  EXPECT_EQ(served.of(1, 1).mean, scaler.of(1, 1).mean);  // "s1", known
  const Scaler own = fit_scaler(other, all_rows(other), ScaleBy::series);
  EXPECT_EQ(served.of(0, 0).mean, own.of(0, 0).mean);  // "new"
  other.channels[1] = "load";
  try {
    scaler_for(scaler, other, all_rows(other));
    FAIL() << "other columns were accepted";
  } catch (const attn::Error& e) {
    EXPECT_THAT(e.what(),
                testing::AllOf(HasSubstr("set.csv"), HasSubstr("'load'"), HasSubstr("'c1'")));
  }
}

}  // namespace
}  // namespace timeseries
