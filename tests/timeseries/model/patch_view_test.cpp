#include "timeseries/model/patch_view.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "tests/support/damage.h"
#include "tests/timeseries/model/small_model.h"
#include "timeseries/model/patch_json.h"
#include "timeseries/model/plots.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::AllOf;
using testing::HasSubstr;

TEST(PatchView, ShowsWhatTheForecasterCuts) {
  const SeriesSet set = test::small_set(2, 300, 2);
  const ForecastModel model = test::small_fit(set, test::small_options()).model;
  PatchViewOptions o;
  o.series = "S2";
  o.channel = "other";
  o.windows = 3;
  const PatchViews views = view_patches(model, set, o, {});
  ASSERT_EQ(views.windows.size(), 3U);
  int64_t patches = 0;
  for (size_t n = 0; n < 3; ++n) {
    const PatchView& v = views.windows[n];
    EXPECT_EQ(v.first_row, 300 - 24 * (3 - static_cast<int64_t>(n)));
    EXPECT_EQ(v.stamps[0], set.series[1].start + v.first_row * 3600);
    EXPECT_EQ(v.values[5], set.series[1].values[static_cast<size_t>(v.first_row + 5) * 2 + 1]);
    at::Tensor z = at::empty({1, 24}, at::kFloat);
    for (int64_t t = 0; t < 24; ++t)
      z[0][t] = static_cast<float>(model.scaler.of(1, 1).apply(v.values[static_cast<size_t>(t)]));
    const PatchCuts cuts = model.forecaster->cut(z);
    const auto* begin = cuts.begin.const_data_ptr<int64_t>();
    EXPECT_EQ(v.begins, std::vector<int64_t>(begin, begin + cuts.begin.size(0)));
    const at::Tensor h = model.patcher->entropy(z);
    for (int64_t t = 0; t < 24; ++t)
      EXPECT_EQ(v.entropy[static_cast<size_t>(t)], h[0][t].item<double>());
    patches += static_cast<int64_t>(v.begins.size());
  }
  EXPECT_DOUBLE_EQ(views.mean_length, 72.0 / static_cast<double>(patches));
  const std::string csv = patch_csv(views, set);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), patches + 1);
  EXPECT_THAT(csv,
              testing::StartsWith("window,patch,first,last,length,entropy_before,entropy_mean"));
  EXPECT_EQ(to_json(views, set)["windows"].size(), 3U);
  o.windows = 0;
  EXPECT_EQ(view_patches(model, set, o, {}).windows.size(), 12U);
  EXPECT_FALSE(patch_chart(patch_plot(views, 2, set)).empty());
}

TEST(PatchView, RefusesWhatIsNotThere) {
  SeriesSet set = test::small_set(2, 300, 2);
  const ForecastModel model = test::small_fit(set, test::small_options()).model;
  const auto says = [&](const PatchViewOptions& o) {
    return sentence_of([&] { view_patches(model, set, o, {}); });
  };
  EXPECT_THAT(says({"S7", "", 1}), AllOf(HasSubstr("'S7'"), HasSubstr("S1")));
  EXPECT_THAT(says({"", "oter", 1}), HasSubstr("did you mean 'other'?"));
  EXPECT_THAT(says({"", "", -1}), HasSubstr("-1"));
  const ForecastModel flat = test::small_fit(set, test::small_options(Network::dlinear)).model;
  EXPECT_THAT(sentence_of([&] { view_patches(flat, set, {}, {}); }), HasSubstr("dlinear"));
  set.series[0].rows = 20;
  set.series[0].values.resize(40);
  EXPECT_THAT(says({}), AllOf(HasSubstr("'S1'"), HasSubstr("20 rows")));
}

TEST(Plots, TakeTheRightNumbers) {
  const SeriesSet set = test::small_set(2, 400, 2);
  const ModelFit fit =
      fit_model(set, tail_split(set, 6, {0.1, 0.2}), test::small_options(Network::dlinear), {}, {});
  PredictOptions o;
  o.levels = {0.5, 0.8};
  const ForecastResult f = predict(fit.model, set, o, {});
  const ForecastPlot plot = forecast_plot(f, 1, 1, set, 50);
  EXPECT_EQ(plot.past.size(), 50U);
  EXPECT_EQ(plot.past.back(), set.series[1].values.back());
  EXPECT_EQ(plot.forecast[2], f.series[1].values[6 + 2]);
  ASSERT_EQ(plot.bands.size(), 2U);
  EXPECT_EQ(plot.bands[1].high[2], f.series[1].high[12 + 6 + 2]);
  EXPECT_TRUE(plot.actual.empty());
  EXPECT_FALSE(forecast_chart(plot).empty());

  BacktestModelOptions b;
  b.windows = 3;
  const BacktestResult back = backtest_model(fit.model, set, b, {});
  const ForecastPlot past = backtest_forecast_plot(back, 4, set, 0);
  EXPECT_EQ(past.actual, back.forecasts[4].target);
  EXPECT_EQ(static_cast<int64_t>(past.past.size()), back.forecasts[4].origin);
  const BacktestPlot errors = backtest_plot(back);
  ASSERT_EQ(errors.metrics.size(), 2U);
  EXPECT_EQ(errors.metrics[0].methods[0].by_step.size(), 6U);
  EXPECT_EQ(errors.coverage.size(), 1U);
  const TrainingPlot training = training_plot(fit.forecaster, "Loss", "error");
  EXPECT_EQ(training.train.size(), 2U);
  EXPECT_GE(training.best, 1);
}

}  // namespace
}  // namespace timeseries
