// Panels, and what charts of lines can carry: bands of several levels, rules, regions, dates.
#include "libattn/report/panels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/report/bar_rows.h"
#include "tests/libattn/report/svg_check.h"

namespace attn::report {
namespace {

using testing::HasSubstr;
using testing::Not;
using Values = std::vector<double>;

ChartOptions fixed_range() {
  ChartOptions options;
  options.x_range = {{0, 10}};
  options.y_range = {{0, 10}};
  return options;
}

/// The numbers of the first match.
std::vector<double> numbers(const std::string& svg, const std::string& pattern) {
  std::smatch found;
  std::vector<double> out;
  if (!std::regex_search(svg, found, std::regex(pattern))) return out;
  for (size_t i = 1; i < found.size(); ++i) out.push_back(std::stod(found[i]));
  return out;
}

/// Pixels of the plotting area: left, top, bottom, right.
Values frame(const std::string& svg) {
  return numbers(svg, "class=\"axis\" d=\"M([0-9.]+) ([0-9.]+)V([0-9.]+)H([0-9.]+)\"");
}

TEST(Lines, BandsOfSeveralLevelsAreNested) {
  Series s{"forecast", {0, 5, 10}, {5, 5, 5}};
  s.bands = {{"95 %", {1, 1, 1}, {9, 9, 9}}, {"80 %", {3, 3, 3}, {7, 7, 7}}};
  const std::string svg = line_chart({s}, fixed_range());
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_EQ(count_of(svg, "fill-opacity=\".18\""), 2);
  const size_t outer = svg.find("Z\" fill=\"#0072B2\""), line = svg.find("stroke=\"#0072B2\"");
  EXPECT_LT(outer, line);  // the line over its bands
  EXPECT_THAT(svg, HasSubstr(">95 %</text>"));
  EXPECT_THAT(svg, HasSubstr(">80 %</text>"));
  // In the legend as dark as in the plot, where the inner one lies over the outer.
  EXPECT_THAT(svg, HasSubstr("height=\"10\" fill=\"#0072B2\" fill-opacity=\"0.18\""));
  EXPECT_THAT(svg, HasSubstr("height=\"10\" fill=\"#0072B2\" fill-opacity=\"0.33\""));
  s.bands[0].low.pop_back();
  EXPECT_THROW(line_chart({s}, {}), Error);
}

TEST(Lines, TheAxisReachesBandsAndRules) {
  Series s{"", {0, 1}, {5, 5}};
  s.bands = {{"", {-31, 0}, {0, 48}}};
  ChartOptions options;
  options.rules = {{.at = 77, .name = "limit"}, {.at = 1e9, .vertical = true}};
  const std::string svg = line_chart({s}, options);
  EXPECT_THAT(svg, HasSubstr(">-40</text>"));
  EXPECT_THAT(svg, HasSubstr(">80</text>"));
  EXPECT_THAT(svg, HasSubstr(">limit</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("1e+09")));  // a vertical rule outside is not drawn
  EXPECT_EQ(count_of(svg, "stroke-dasharray=\"4 4\""), 1);
}

TEST(Lines, BandsBreakWhereTheyAreMissing) {
  Series s{"", {0, 1, 2, 3, 4}, {1, 1, 1, 1, 1}};
  s.bands = {{"", {0, 0, NAN, 0, 0}, {2, 2, 2, 2, 2}}};
  const std::string svg = line_chart({s}, {});
  std::smatch found;
  ASSERT_TRUE(std::regex_search(svg, found, std::regex("d=\"([^\"]*)\" fill=\"#0072B2\"")));
  EXPECT_EQ(count_of(found[1].str(), "M"), 2);
  EXPECT_EQ(count_of(found[1].str(), "Z"), 2);
}

TEST(Lines, APointBetweenGapsIsSeenWhereAskedFor) {
  Series lone{"", {0, 1, 2, 3, 4}, {1, NAN, 2, NAN, 3}}, ends{"", {0, 1, 2}, {1, 2, NAN}};
  EXPECT_EQ(count_of(line_chart({lone}, {}), "<circle"), 0);
  lone.lone_dots = ends.lone_dots = true;
  EXPECT_EQ(count_of(line_chart({lone}, {}), "<circle"), 3);
  EXPECT_EQ(count_of(line_chart({ends}, {}), "<circle"), 0);
  Series one{"", {3}, {5}};
  one.bands = {{"", {4}, {6}}};
  const std::string svg_of_one = line_chart({one}, {});
  EXPECT_EQ(count_of(svg_of_one, "<circle"), 1);
  EXPECT_THAT(svg_of_one, HasSubstr("width=\"8\""));  // its band as well
}

TEST(Lines, RegionsAndRulesLieWhereTheDataSay) {
  ChartOptions options = fixed_range();
  options.regions = {{.from = 2, .to = 4}, {.from = 6, .to = 99}, {.from = 20, .to = 30}};
  options.rules = {{.at = 5, .vertical = true, .name = "now"}, {.at = 2.5, .name = "low"}};
  const std::string svg = line_chart({{"", {0, 10}, {0, 10}}}, options);
  EXPECT_TRUE(well_formed(svg)) << svg;
  const Values at = frame(svg);
  ASSERT_EQ(at.size(), 4U);
  const auto x = [&](double v) { return at[0] + v / 10 * (at[3] - at[0]); };
  const auto y = [&](double v) { return at[2] + v / 10 * (at[1] - at[2]); };
  const Values region = numbers(svg,
                                "M([0-9.]+) [0-9.]+H([0-9.]+)V[0-9.]+H[0-9.]+ZM([0-9.]+) "
                                "[0-9.]+H([0-9.]+)V[0-9.]+H[0-9.]+Z\"");
  ASSERT_EQ(region.size(), 4U);
  EXPECT_NEAR(region[0], x(2), 0.11);
  EXPECT_NEAR(region[1], x(4), 0.11);
  EXPECT_NEAR(region[2], x(6), 0.11);
  EXPECT_NEAR(region[3], x(10), 0.11);  // cut off; the one outside is not drawn
  const Values vertical = numbers(svg, "M([0-9.]+) ([0-9.]+)V([0-9.]+)\" stroke=");
  ASSERT_EQ(vertical.size(), 3U);
  EXPECT_NEAR(vertical[0], x(5), 0.11);
  EXPECT_NEAR(vertical[1], at[1], 0.11);
  EXPECT_NEAR(vertical[2], at[2], 0.11);
  const Values level = numbers(svg, "M([0-9.]+) ([0-9.]+)H[0-9.]+\" stroke=");
  ASSERT_EQ(level.size(), 2U);
  EXPECT_NEAR(level[1], y(2.5), 0.11);
}

TEST(Lines, StepsDotsAndRug) {
  Series steps{"", {0, 5, 10}, {0, 5, 10}}, dots = steps, rug = steps;
  steps.draw = Draw::steps;
  dots.draw = Draw::dots;
  rug.draw = Draw::rug;
  rug.y = {1e9, NAN, -1e9};  // is not looked at
  ChartOptions options;
  options.x_range = {{0, 10}};
  const std::string svg = line_chart({steps, dots, rug}, options);
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_TRUE(std::regex_search(
      svg, std::regex("d=\"M[0-9.]+ [0-9.]+H[0-9.]+V[0-9.]+H[0-9.]+V[0-9.]+\" fill=\"none\"")));
  EXPECT_EQ(count_of(svg, "<circle"), 3);
  EXPECT_EQ(count_of(svg, "v-8"), 3);
  EXPECT_THAT(svg, HasSubstr(">10</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("e+")));
}

TEST(Lines, ColorsAreThoseAskedFor) {
  Series a{"a", {0, 1}, {0, 1}}, b{"b", {0, 1}, {1, 2}};
  a.color = 2;
  const std::string svg = line_chart({a, b}, {});
  EXPECT_EQ(count_of(svg, "#009E73"), 2);  // the line and its place in the legend
  EXPECT_EQ(count_of(svg, "#D55E00"), 2);
  EXPECT_EQ(count_of(svg, "#0072B2"), 0);
}

TEST(Lines, WholeNumbersAndDates) {
  ChartOptions options;
  options.x_whole = true;
  const std::string whole = line_chart({{"", {1, 2, 3}, {0, 0.1, 0.2}}}, options);
  EXPECT_THAT(whole, Not(HasSubstr(">1.5</text>")));
  EXPECT_THAT(whole, Not(HasSubstr(">1.0</text>")));
  EXPECT_THAT(whole, HasSubstr(">2</text>"));
  options.x_whole = false;
  options.x_dates = true;
  const double july = 1467331200;
  const std::string dates = line_chart({{"", {july, july + 86400}, {0, 1}}}, options);
  EXPECT_TRUE(well_formed(dates));
  EXPECT_THAT(dates, HasSubstr(">1 Jul 2016</text>"));
  EXPECT_THAT(dates, HasSubstr(">12:00</text>"));
  // Data from end to end.
  const Values at = frame(dates);
  EXPECT_THAT(dates, HasSubstr("M" + std::to_string(static_cast<int>(at[0])) + "."));
  // One stamp, none, and stamps of no calendar are drawn as well.
  for (const Values& xs : {Values{july}, Values{}, Values{-1e30, 1e30}, Values{NAN}}) {
    const std::string svg = line_chart({{"", xs, Values(xs.size(), 1.0)}}, options);
    EXPECT_TRUE(well_formed(svg)) << svg;
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
  }
}

TEST(Lines, LabelsOfDatesDoNotOverlapNorLeaveThePicture) {
  const std::regex text(
      "<text x=\"([0-9.-]+)\" y=\"([0-9.]+)\" text-anchor=\"middle\">([^<]*)</text>");
  for (int i = 0; i < 19; ++i) {
    const double span = 10 * std::pow(3, i);  // up to 1e10
    for (const int width : {300, 640, 960}) {
      ChartOptions options;
      options.x_dates = true;
      options.width = width;
      const std::string svg =
          line_chart({{"", {1467331200 + 1234, 1467331200 + 1234 + span}, {0, 1}}}, options);
      std::map<double, double> end;  // of each row of labels
      int labels = 0;
      for (std::sregex_iterator it(svg.begin(), svg.end(), text), none; it != none; ++it) {
        const double x = std::stod((*it)[1]), half = 3.3 * static_cast<double>((*it)[3].length());
        double& before = end.try_emplace(std::stod((*it)[2]), 0).first->second;
        EXPECT_GE(x - half, before) << (*it)[3] << " " << span;
        EXPECT_LE(x + half, width) << (*it)[3];
        before = x + half;
        ++labels;
      }
      EXPECT_GE(labels, 2) << span;
    }
  }
}

TEST(BarRows, StandOnZeroBesideTheirNumbers) {
  const std::string svg = bar_rows({"a", "<b>", "none", "down"}, {1, 0.5, NAN, -1}, {});
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_THAT(svg, HasSubstr(">0.500</text>"));
  EXPECT_THAT(svg, HasSubstr(">&lt;b&gt;</text>"));
  EXPECT_THAT(svg, HasSubstr(">-</text>"));
  const std::regex bar("<rect x=\"([0-9.]+)\" y=\"[0-9.]+\" width=\"([0-9.]+)\"");
  std::vector<Values> bars;
  for (std::sregex_iterator it(svg.begin(), svg.end(), bar), end; it != end; ++it)
    bars.push_back({std::stod((*it)[1]), std::stod((*it)[2])});
  ASSERT_EQ(bars.size(), 4U);
  EXPECT_NEAR(bars[0][1], 2 * bars[1][1], 0.2);
  EXPECT_EQ(bars[2][1], 0);
  EXPECT_NEAR(bars[3][0] + bars[3][1], bars[0][0], 0.2);
  EXPECT_NEAR(bars[3][1], bars[0][1], 0.2);
  EXPECT_THROW(bar_rows({"a"}, {}, {}), Error);
  EXPECT_TRUE(well_formed(bar_rows({}, {}, {})));
}

TEST(BarRows, ErrorBarsStandOverTheBarsAndTextsBehindThem) {
  const BarRows bars{.names = {"a", "b", "none"},
                     .values = {100, -50, NAN},
                     .low = {80, -90, NAN},
                     .high = {150, -20, NAN},
                     .texts = {"1 000 000 000", "", "-"}};
  const std::string svg = bar_rows(bars, {.width = 400});
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  std::smatch zero, ends, text;
  ASSERT_TRUE(std::regex_search(svg, zero, std::regex("class=\"axis\" d=\"M([0-9.]+) ")));
  ASSERT_TRUE(std::regex_search(svg, ends, std::regex("<path d=\"M([0-9.]+) [0-9.]+H([0-9.]+)M")));
  ASSERT_TRUE(
      std::regex_search(svg, text, std::regex("<text x=\"([0-9.]+)\"[^>]*>1 000 000 000<")));
  const double at_zero = std::stod(zero[1]), low = std::stod(ends[1]), high = std::stod(ends[2]);
  EXPECT_NEAR((high - at_zero) / (low - at_zero), 150.0 / 80, 0.01);
  EXPECT_GT(std::stod(text[1]), high);
  EXPECT_LT(std::stod(text[1]) + 6.6 * 13, 400);
  EXPECT_THROW(bar_rows({.names = {"a"}, .values = {1}, .low = {0}}, {}), Error);
  EXPECT_THROW(bar_rows({.names = {"a"}, .values = {1}, .texts = {"x", "y"}}, {}), Error);
}

TEST(BarRows, LongNamesAreCutBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 80; ++i) name += "ä";
  const std::string svg = bar_rows({name}, {1}, {.width = 300});
  std::smatch found;
  ASSERT_TRUE(std::regex_search(svg, found, std::regex(">((?:ä)+)…</text>"))) << svg;
  EXPECT_LT(static_cast<double>(found[1].length()) / 2 * 6.6, 0.45 * 300);
}

TEST(Panels, ShareOneAxis) {
  Panel upper{{{"y", {0, 10}, {0, 123456}}}, {}}, lower{{{"h", {2, 8}, {1, 2}}}, {}};
  upper.options.height = 150;
  upper.options.y_label = "value";
  lower.options.height = 100;
  lower.options.title = "Entropy";
  lower.options.rules = {{.at = 1.5, .name = "threshold"}};
  ChartOptions whole;
  whole.title = "Both";
  whole.x_label = "place";
  const std::string svg = stacked_panels({upper, lower}, whole);
  EXPECT_TRUE(well_formed(svg)) << svg;
  const std::regex axis("class=\"axis\" d=\"M([0-9.]+) ([0-9.]+)V([0-9.]+)H([0-9.]+)\"");
  std::vector<Values> frames;
  for (std::sregex_iterator it(svg.begin(), svg.end(), axis), end; it != end; ++it)
    frames.push_back(
        {std::stod((*it)[1]), std::stod((*it)[2]), std::stod((*it)[3]), std::stod((*it)[4])});
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0][0], frames[1][0]);
  EXPECT_EQ(frames[0][3], frames[1][3]);
  EXPECT_LT(frames[0][2], frames[1][1]);
  // Labels of x once, below the lower one: "10" is no label of y.
  EXPECT_EQ(count_of(svg, ">10</text>"), 1);
  EXPECT_EQ(count_of(svg, ">place</text>"), 1);
  const Values size = numbers(svg, "viewBox=\"0 0 ([0-9]+) ([0-9]+)\"");
  EXPECT_GT(size[1], frames[1][2]);
  EXPECT_THAT(svg, HasSubstr(">threshold</text>"));
  // The two curves at x = 2 to 8 lie over each other.
  const Values line =
      numbers(svg, "d=\"M([0-9.]+) [0-9.]+L([0-9.]+) [0-9.]+\" fill=\"none\" stroke=\"#0072B2\"");
  EXPECT_NEAR(line[0], frames[0][0], 0.11);
  EXPECT_NEAR(line[1], frames[0][3], 0.11);
}

TEST(Panels, OddOnesAreDrawn) {
  EXPECT_TRUE(well_formed(stacked_panels({}, {})));
  Panel empty, nothing{{{"a", {1, 2}, {NAN, NAN}}}, {}}, same{{{"b", {1, 2}, {7, 7}}}, {}};
  const std::string svg = stacked_panels({empty, nothing, same}, {});
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THROW(stacked_panels({{{{"a", {1}, {1, 2}}}, {}}}, {}), Error);
}

}  // namespace
}  // namespace attn::report
