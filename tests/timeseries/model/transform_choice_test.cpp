#include "timeseries/model/transform_choice.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "attn/error.h"
#include "libattn/train/seed.h"
#include "tests/timeseries/model/small_model.h"
#include "timeseries/model/predict.h"

namespace timeseries {
namespace {

/// Waves of changing height, or their exponentials. A linear map continues the first for any
/// height, the second only where they are bent back.
SeriesSet seasons(bool exponential) {
  SeriesSet set;
  set.path = "seasons.csv";
  set.frequency = {Unit::index, 1, false};
  set.channels = {"x"};
  Series s;
  s.rows = 600;
  attn::train::Random random(4);
  for (int64_t r = 0; r < s.rows; ++r) {
    const auto t = static_cast<double>(r);
    const double wave =
        (2 + std::sin(t / 23)) * std::sin(t * 0.5236) + 0.1 * (random.uniform() - 0.5);
    s.values.push_back(exponential ? 100 * std::exp(wave) : 20 + wave);
  }
  set.series.push_back(std::move(s));
  return set;
}

ModelOptions options() {
  ModelOptions o = test::small_options(Network::entrope, 12);
  o.scale = ScaleBy::channel;
  return o;
}

Transform chosen(const SeriesSet& set) {
  return choose_transform(set, tail_split(set, 12), options());
}

TEST(ChooseTransform, BendsWhatSwingsWithItsLevel) {
  EXPECT_EQ(chosen(seasons(true)), Transform::asinh);
  EXPECT_EQ(chosen(seasons(false)), Transform::none);
}

TEST(ChooseTransform, LeavesWhatIsNegativeOrCannotBeTried) {
  SeriesSet below = seasons(true);
  below.series[0].values[17] = -1e-3;
  EXPECT_EQ(chosen(below), Transform::none);
  SeriesSet holes = seasons(true);  // no window is whole
  for (size_t r = 0; r < holes.series[0].values.size(); r += 20)
    holes.series[0].values[r] = test::kNone;
  EXPECT_EQ(chosen(holes), Transform::none);
  SeriesSet none = seasons(true);
  for (double& x : none.series[0].values) x = 0;
  EXPECT_EQ(chosen(none), Transform::none);
  const SeriesSet set = seasons(true);
  Split split = tail_split(set, 12);
  split.validation = {{0, 0}};
  EXPECT_EQ(choose_transform(set, split, options()), Transform::none);
}

TEST(ChooseTransform, IsWhatAModelTakesUnlessToldOtherwise) {
  const SeriesSet set = seasons(true);
  const Split split = tail_split(set, 12);
  ModelOptions o = options();
  EXPECT_EQ(resolved(o, set, split).transform, Transform::asinh);
  o.transform = Transform::none;
  EXPECT_EQ(resolved(o, set, split).transform, Transform::none);
  EXPECT_EQ(resolved(default_options(Network::dlinear), set, split).transform, Transform::none);
  const nlohmann::json settings = {{"transform", "asinh"}};
  EXPECT_EQ(read_model_options(settings, o, "settings.json").transform, Transform::asinh);
  EXPECT_THROW(read_model_options({{"transform", "log"}}, o, "settings.json"), attn::Error);
}

TEST(ChooseTransform, LeavesNothingBehindWhereItIsChosenAnew) {
  const SeriesSet set = seasons(true);
  ModelOptions o = resolved(options(), set, tail_split(set, 12));
  ASSERT_EQ(o.transform, Transform::asinh);
  EXPECT_FALSE(forecaster_options(o).at("frame").at("scale").get<bool>());
  o.transform.reset();
  const SeriesSet other = seasons(false);
  const ModelOptions anew = resolved(o, other, tail_split(other, 12));
  ASSERT_EQ(anew.transform, Transform::none);
  EXPECT_TRUE(forecaster_options(anew).at("frame").at("scale").get<bool>());
}

TEST(ChooseTransform, AForecastIsInTheUnitsOfTheData) {
  const SeriesSet set = seasons(true);
  const ForecastModel model = test::small_fit(set, options()).model;
  EXPECT_EQ(model.scaler.transform, Transform::asinh);
  const ForecastResult result = predict(model, set, {}, {});
  const double last = set.series[0].values.back();
  for (const double y : result.series.at(0).values) {
    EXPECT_GT(y, last / 100);
    EXPECT_LT(y, last * 100);
  }
}

}  // namespace
}  // namespace timeseries
