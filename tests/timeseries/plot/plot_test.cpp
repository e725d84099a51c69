// Pictures of forecasts, patches, backtests and trainings: what stands in them, and that odd data
// draw a picture all the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/libattn/report/svg_check.h"
#include "timeseries/plot/backtest_plot.h"
#include "timeseries/plot/forecast_plot.h"
#include "timeseries/plot/patch_plot.h"
#include "timeseries/plot/training_plot.h"

namespace timeseries {
namespace {

using attn::report::count_of;
using attn::report::well_formed;
using testing::HasSubstr;
using testing::Not;
using Values = std::vector<double>;
constexpr int64_t kJuly2016 = 1467331200, kHour = 3600;

void expect_whole(const std::string& svg) {
  EXPECT_TRUE(well_formed(svg)) << svg.substr(0, 4000);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

std::vector<int64_t> hours(size_t count, int64_t from = kJuly2016) {
  std::vector<int64_t> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = from + static_cast<int64_t>(i) * kHour;
  return out;
}

Values wave(size_t count) {
  Values out(count);
  for (size_t i = 0; i < count; ++i) out[i] = std::sin(0.26 * static_cast<double>(i));
  return out;
}

ForecastPlot forecast_of(const Values& past, const Values& forecast) {
  ForecastPlot plot;
  plot.title = "OT";
  plot.past = past;
  plot.past_stamps = hours(past.size());
  plot.forecast = forecast;
  plot.stamps = hours(forecast.size(), kJuly2016 + static_cast<int64_t>(past.size()) * kHour);
  for (const double level : {0.8, 0.95}) {
    ForecastBand band{level, forecast, forecast};
    for (double& v : band.low) v -= level;
    for (double& v : band.high) v += level;
    plot.bands.push_back(band);
  }
  plot.actual = forecast;
  return plot;
}

/// Points of the longest path.
int longest_path(const std::string& svg) {
  int most = 0;
  size_t at = 0;
  while ((at = svg.find(" d=\"", at)) != std::string::npos) {
    const size_t end = svg.find('"', at + 4);
    const std::string data = svg.substr(at, end - at);
    most = std::max(most, count_of(data, "L") + count_of(data, "M"));
    at = end;
  }
  return most;
}

TEST(ForecastChart, ShowsPastBandsAndActual) {
  const ForecastPlot plot = forecast_of(wave(96), wave(48));
  const std::string svg = forecast_chart(plot);
  expect_whole(svg);
  for (const char* name : {"past", "forecast", "95 %", "80 %", "actual"})
    EXPECT_THAT(svg, HasSubstr(std::string(">") + name + "</text>"));
  EXPECT_LT(svg.find(">95 %<"), svg.find(">80 %<"));  // the widest first, so that it lies below
  EXPECT_THAT(svg, HasSubstr("Jul"));
  EXPECT_EQ(count_of(svg, "fill-opacity=\".18\""), 2);
  EXPECT_THAT(forecast_section(plot).html(),
              HasSubstr("Forecast of 48 steps; the bands are to hold "
                        "80 % and 95 % of the values."));
  ForecastPlot bare = plot;
  bare.actual.clear();
  bare.bands.clear();
  EXPECT_THAT(forecast_chart(bare), Not(HasSubstr("actual")));
  EXPECT_THAT(forecast_section(bare).html(), HasSubstr("Forecast of 48 steps."));
}

TEST(ForecastChart, ShowsTheLastOfThePast) {
  ForecastPlot plot = forecast_of(wave(960), wave(24));
  plot.past_shown = 24;
  const std::string svg = forecast_chart(plot);
  EXPECT_THAT(svg, HasSubstr("9 Aug"));  // 960 h after the 1st of July, less a day
  EXPECT_THAT(svg, Not(HasSubstr("1 Jul")));
  plot.past_shown = 5000;
  expect_whole(forecast_chart(plot));
}

TEST(ForecastChart, OddDataDrawAPicture) {
  const Values none(20, NAN), constant(20, 7.0);
  for (const ForecastPlot& plot :
       {forecast_of(none, none), forecast_of(constant, constant), forecast_of({}, {}),
        forecast_of({1}, {2}), forecast_of({}, wave(5)), forecast_of(wave(5), {}),
        forecast_of(Values(20, 0.0), none), forecast_of({1e300, -1e300}, {1e-300})}) {
    expect_whole(forecast_chart(plot));
    EXPECT_THAT(forecast_section(plot).html(), HasSubstr("<svg"));
    ForecastPlot numbers = plot;
    numbers.dates = false;
    std::iota(numbers.past_stamps.begin(), numbers.past_stamps.end(), 0);
    std::iota(numbers.stamps.begin(), numbers.stamps.end(), 20);
    expect_whole(forecast_chart(numbers));
  }
  EXPECT_THAT(forecast_section(forecast_of(none, none)).html(),
              HasSubstr("No value of the past is known. There is no forecast."));
  EXPECT_THAT(forecast_section(forecast_of(constant, constant)).html(), Not(HasSubstr("known")));
  ForecastPlot infinite = forecast_of(wave(9), wave(9));
  infinite.bands[0].high[3] = std::numeric_limits<double>::infinity();
  expect_whole(forecast_chart(infinite));
}

TEST(ForecastChart, ThousandsOfPointsAreThinnedAndPeaksStay) {
  ForecastPlot plot = forecast_of(wave(50000), wave(5000));
  plot.past[12345] = 9;
  plot.actual.clear();
  const std::string svg = forecast_chart(plot);
  expect_whole(svg);
  EXPECT_LE(longest_path(svg), 2 * 2000);  // a band goes there and back
  EXPECT_LT(svg.size(), 300000U);
  EXPECT_THAT(svg, HasSubstr(">10</text>"));  // the axis reaches the peak
}

TEST(ForecastChart, LengthsThatDifferAreABug) {
  ForecastPlot plot = forecast_of(wave(9), wave(5));
  plot.bands[0].low.pop_back();
  EXPECT_THROW(forecast_chart(plot), std::logic_error);
  plot = forecast_of(wave(9), wave(5));
  plot.actual.pop_back();
  EXPECT_THROW(forecast_chart(plot), std::logic_error);
  plot = forecast_of(wave(9), wave(5));
  plot.past.pop_back();
  EXPECT_THROW(forecast_chart(plot), std::logic_error);
}

PatchPlot patches_of(const Values& values, const std::vector<int64_t>& begins) {
  PatchPlot plot;
  plot.title = "Patches";
  plot.stamps = hours(values.size());
  plot.values = values;
  plot.entropy = values;
  for (double& h : plot.entropy) h = 3 + std::abs(h);
  plot.begins = begins;
  plot.thresholds = {{"global", 3.4}, {"quantile", 3.8}};
  return plot;
}

TEST(PatchChart, ShadesEverySecondPatchAndMarksWhereTheyBegan) {
  const PatchPlot plot = patches_of(wave(96), {0, 5, 20, 21, 60});
  const std::string svg = patch_chart(plot);
  expect_whole(svg);
  EXPECT_EQ(count_of(svg, "class=\"axis\""), 2);
  EXPECT_EQ(count_of(svg, "<circle"), 4 + 1);  // and one in the legend
  EXPECT_THAT(svg, HasSubstr(">global</text>"));
  EXPECT_THAT(svg, HasSubstr(">quantile</text>"));
  // Patches 5..19 and 21..59 in both panels.
  static const std::regex shade("d=\"(M[^\"]*)\" fill=\"currentColor\"");
  std::vector<std::string> shades;
  for (std::sregex_iterator it(svg.begin(), svg.end(), shade), end; it != end; ++it)
    shades.push_back((*it)[1]);
  ASSERT_EQ(shades.size(), 2U);
  for (const std::string& path : shades) EXPECT_EQ(count_of(path, "Z"), 2);
  EXPECT_THAT(patch_section(plot).html(),
              HasSubstr("5 patches of 96 values, mean length 19.2 (1 to 39)."));
}

TEST(PatchChart, MarksAreThoseGiven) {
  PatchPlot plot = patches_of(wave(96), {0, 5, 20, 21, 60});
  plot.marks = {4};
  EXPECT_EQ(count_of(patch_chart(plot), "<circle"), 1 + 1);
  plot.marks = std::vector<int64_t>();
  EXPECT_EQ(count_of(patch_chart(plot), "<circle"), 0 + 1);
  plot.entropy.clear();
  EXPECT_EQ(count_of(patch_chart(plot), "class=\"axis\""), 1);
}

TEST(PatchChart, OddDataDrawAPicture) {
  for (const PatchPlot& plot :
       {patches_of({}, {}), patches_of({1}, {0}), patches_of(Values(30, NAN), {0, 10}),
        patches_of(Values(30, 2.0), {0}), patches_of(wave(3), {0, 1, 2})}) {
    expect_whole(patch_chart(plot));
    EXPECT_THAT(patch_section(plot).html(), HasSubstr("<svg"));
  }
  EXPECT_THAT(patch_section(patches_of({1}, {0})).html(),
              HasSubstr("1 patch of 1 value, mean length 1.0 (1 to 1)."));
  EXPECT_THAT(patch_section(patches_of(Values(30, NAN), {0, 10})).html(),
              HasSubstr("No value is known."));
  std::vector<int64_t> many(9000);
  for (size_t i = 0; i < many.size(); ++i) many[i] = 4 * static_cast<int64_t>(i);
  const std::string svg = patch_chart(patches_of(wave(36000), many));
  expect_whole(svg);
  EXPECT_LE(longest_path(svg), 2000);
  EXPECT_LT(svg.size(), 600000U);
  EXPECT_THAT(svg, HasSubstr("v-8"));
}

TEST(PatchChart, PlacesOutsideAreABug) {
  EXPECT_THROW(patch_chart(patches_of(wave(9), {1, 4})), std::logic_error);
  EXPECT_THROW(patch_chart(patches_of(wave(9), {0, 4, 4})), std::logic_error);
  EXPECT_THROW(patch_chart(patches_of(wave(9), {0, 9})), std::logic_error);
  PatchPlot plot = patches_of(wave(9), {0});
  plot.marks = {9};
  EXPECT_THROW(patch_chart(plot), std::logic_error);
}

BacktestPlot backtest() {
  BacktestPlot plot;
  plot.windows = 8;
  plot.metrics = {
      {"mase", {{"entropy patches", {0.8, 0.9, 1.0}, 0.9}, {"naive", {1.2, 1.3, 1.4}, 1.3}}},
      {"smape", {{"entropy patches", {11, 12, 13}, 12}, {"naive", {14, 15, NAN}, NAN}}}};
  plot.coverage = {{"entropy patches", {0.5, 0.8, 0.95}, {0.48, 0.78, 0.93}}};
  return plot;
}

TEST(BacktestCharts, ShowEveryMethod) {
  const BacktestPlot plot = backtest();
  const std::string steps = horizon_chart(plot.metrics[0]);
  expect_whole(steps);
  EXPECT_THAT(steps, HasSubstr("MASE by step of the horizon"));
  EXPECT_THAT(steps, HasSubstr(">entropy patches</text>"));
  EXPECT_THAT(steps, HasSubstr(">naive</text>"));
  EXPECT_THAT(steps, Not(HasSubstr(">1.5</text>")));
  const std::string bars = overall_chart(plot.metrics[1]);
  expect_whole(bars);
  EXPECT_THAT(bars, HasSubstr("sMAPE, %"));
  EXPECT_THAT(bars, HasSubstr(">12.0</text>"));
  const std::string coverage = coverage_chart(plot.coverage);
  expect_whole(coverage);
  EXPECT_THAT(coverage, HasSubstr(">as promised</text>"));
  EXPECT_EQ(count_of(coverage, "<circle"), 3);
  const std::string html = backtest_section(plot).html();
  EXPECT_THAT(html, HasSubstr("Mean over 8 windows."));
  EXPECT_EQ(count_of(html, "<svg class=\"chart\""), 5);
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">0.900</td>"));
}

TEST(BacktestCharts, OddDataDrawAPicture) {
  EXPECT_EQ(count_of(backtest_section({}).html(), "<svg"), 0);
  const MetricPlot none{"mse", {}}, one{"mse", {{"a", {0.5}, 0.5}}},
      bad{"mse", {{"a", {NAN, NAN}, NAN}}};
  MetricPlot many{"mse", {}};
  for (int m = 0; m < 9; ++m)
    many.methods.push_back({"method " + std::to_string(m), Values(5000, m), 1.0 * m});
  for (const MetricPlot& plot : {none, one, bad, many}) {
    expect_whole(horizon_chart(plot));
    expect_whole(overall_chart(plot));
  }
  EXPECT_LE(longest_path(horizon_chart(many)), 2000);
  expect_whole(coverage_chart({}));
}

TEST(TrainingChart, MarksTheBestEpoch) {
  TrainingPlot plot;
  plot.train = {0.9, 0.5, 0.4, 0.35};
  plot.validation = {0.8, 0.6, 0.55, 0.58};
  plot.best = 3;
  const std::string svg = training_chart(plot);
  expect_whole(svg);
  EXPECT_THAT(svg, HasSubstr(">best: epoch 3</text>"));
  EXPECT_EQ(count_of(svg, "<circle"), 2);  // and in the legend
  EXPECT_THAT(training_section(plot).html(),
              HasSubstr("Epoch 3 was kept, with a validation loss of 0.5500."));
}

TEST(TrainingChart, OddDataDrawAPicture) {
  for (const TrainingPlot& plot :
       {TrainingPlot{}, TrainingPlot{.train = {0.5}, .validation = {0.6}, .best = 1},
        TrainingPlot{.train = {NAN, NAN}, .validation = {NAN, NAN}, .best = 1},
        TrainingPlot{.train = {1, 2}, .validation = {}, .best = 7},
        TrainingPlot{.train = Values(20000, 1.0), .validation = {}, .best = 0}}) {
    expect_whole(training_chart(plot));
    EXPECT_THAT(training_section(plot).html(), HasSubstr("<svg"));
  }
  // Over decades: 0.01, 0.1, 1, 10 are the labels.
  EXPECT_THAT(training_chart({.train = {9, 1, 0.02}, .validation = {}}), HasSubstr(">0.01</text>"));
}

}  // namespace
}  // namespace timeseries
