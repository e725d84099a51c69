#include "libattn/report/svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>

#include "attn/error.h"
#include "tests/libattn/report/svg_check.h"

namespace attn::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(NiceTicks, AreRoundAndCoverTheRange) {
  EXPECT_THAT(nice_ticks(0, 1, 5),
              ElementsAre(testing::DoubleEq(0), testing::DoubleNear(0.2, 1e-12),
                          testing::DoubleNear(0.4, 1e-12), testing::DoubleNear(0.6, 1e-12),
                          testing::DoubleNear(0.8, 1e-12), testing::DoubleEq(1)));
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {-3.7, 12.2}, {1e-9, 3e-9}, {1e6, 1.1e6}, {-5, -1}, {0, 1e12}}) {
    const std::vector<double> ticks = nice_ticks(low, high, 6);
    ASSERT_GE(ticks.size(), 3U);
    EXPECT_LE(ticks.size(), 14U);
    EXPECT_LE(ticks.front(), low + 1e-9 * (high - low));
    EXPECT_GE(ticks.back(), high - 1e-9 * (high - low));
  }
  EXPECT_THAT(nice_ticks(2, 2, 5), ElementsAre(2));
}

TEST(Svg, LinesBreakAtMissingValues) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = line_chart({{"loss", {0, 1, 2, 3, 4}, {1, 2, nan, 2, 1}}}, {});
  EXPECT_TRUE(well_formed(svg)) << svg;
  const std::regex path("<path d=\"(M[^\"]*)\" fill=\"none\" stroke=\"#");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(svg, found, path));
  EXPECT_EQ(count_of(found[1].str(), "M"), 2);
  EXPECT_EQ(count_of(found[1].str(), "L"), 2);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(Svg, CloudsOfPointsHaveTheirRules) {
  ChartOptions options;
  options.rules = {{.at = 3, .name = "mean"}, {.at = 2, .vertical = true}};
  const std::string svg = scatter_chart({{"", {0, 5}, {0, 5}}}, options);
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_EQ(count_of(svg, "stroke-dasharray=\"4 4\""), 2);
  EXPECT_EQ(count_of(svg, "stroke-dasharray=\"4 2\""), 1);  // in the legend
}

TEST(Svg, PointsLieWhereTheDataSay) {
  ChartOptions options;
  options.x_range = {{0, 10}};
  options.y_range = {{0, 10}};
  const std::string svg = scatter_chart({{"", {0, 5, 10}, {0, 5, 10}}}, options);
  const std::regex circle("cx=\"([0-9.]+)\" cy=\"([0-9.]+)\"");
  std::vector<std::pair<double, double>> at;
  for (std::sregex_iterator it(svg.begin(), svg.end(), circle), end; it != end; ++it) {
    at.emplace_back(std::stod((*it)[1]), std::stod((*it)[2]));
  }
  ASSERT_EQ(at.size(), 3U);
  EXPECT_NEAR(at[1].first, (at[0].first + at[2].first) / 2, 0.11);
  EXPECT_NEAR(at[1].second, (at[0].second + at[2].second) / 2, 0.11);
  EXPECT_GT(at[0].second, at[2].second);  // up is more
}

TEST(Svg, EverythingIsEscaped) {
  ChartOptions options;
  options.title = "<script>alert(1)</script> & \"x\"";
  options.x_label = "a<b";
  for (const std::string& svg :
       {line_chart({{"<b>", {1, 2}, {1, 2}}}, options), bar_chart({"<i>"}, {{"<u>", {1}}}, options),
        matrix_chart({"<r>"}, {"<c>"}, {{1}}, options)}) {
    EXPECT_THAT(svg, Not(HasSubstr("<script>")));
    EXPECT_THAT(svg, HasSubstr("&lt;script&gt;"));
    EXPECT_TRUE(well_formed(svg)) << svg;
  }
  EXPECT_EQ(escape_xml("a\x01"
                       "b\n<>&\"'"),
            "ab\n&lt;&gt;&amp;&quot;&#39;");
}

TEST(Svg, BarsStandOnZeroWithErrorBars) {
  const std::string svg =
      bar_chart({"a", "b"}, {{"one", {2, -1}, {1.5, -1.5}, {2.5, -0.5}}, {"two", {1, 1}}}, {});
  EXPECT_TRUE(well_formed(svg));
  EXPECT_EQ(count_of(svg, "<rect"), 4 + 2);  // bars and legend
  EXPECT_EQ(count_of(svg, "h8M"), 2);        // error bars
  const std::regex bar(
      "<rect x=\"[0-9.]+\" y=\"([0-9.]+)\" width=\"[0-9.]+\" height=\"([0-9.]+)\" "
      "fill=\"#0072B2\"/>");
  std::vector<std::pair<double, double>> bars;
  for (std::sregex_iterator it(svg.begin(), svg.end(), bar), end; it != end; ++it) {
    bars.emplace_back(std::stod((*it)[1]), std::stod((*it)[2]));
  }
  ASSERT_EQ(bars.size(), 2U);
  EXPECT_NEAR(bars[0].first + bars[0].second, bars[1].first,
              0.2);  // one ends where the other starts: at zero
  EXPECT_NEAR(bars[0].second, 2 * bars[1].second, 0.3);
}

TEST(Svg, HistogramCountsEveryValue) {
  const std::string svg = histogram({0, 0.1, 0.2, 0.9, 1, std::nan("")}, {}, 2);
  const std::regex bar("height=\"([0-9.]+)\" fill=\"#0072B2\"");
  std::vector<double> heights;
  for (std::sregex_iterator it(svg.begin(), svg.end(), bar), end; it != end; ++it)
    heights.push_back(std::stod((*it)[1]));
  ASSERT_EQ(heights.size(), 2U);
  EXPECT_NEAR(heights[0] / heights[1], 1.5, 0.02);
  EXPECT_TRUE(well_formed(histogram({}, {})));
  EXPECT_TRUE(well_formed(histogram({3, 3, 3}, {})));
}

TEST(Svg, EmptyAndOddDataDrawAFrame) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const std::string& svg :
       {line_chart({}, {}), line_chart({{"a", {}, {}}}, {}), line_chart({{"a", {1}, {5}}}, {}),
        scatter_chart({{"a", {inf, 1}, {1, -inf}}}, {}), bar_chart({}, {}, {}), roc_chart({}, {}),
        line_chart({{"a", {1, 10, 100}, {1e-3, 0, -4}}}, {.log_x = true, .log_y = true}),
        line_chart({{"a", {1, 2}, {1e300, -1e300}}}, {})}) {
    EXPECT_TRUE(well_formed(svg)) << svg;
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
}

TEST(Svg, LengthsThatDifferAreRefused) {
  EXPECT_THROW(line_chart({{"a", {1, 2}, {1}}}, {}), Error);
  EXPECT_THROW(line_chart({{"a", {1, 2}, {1, 2}, {0}, {3}}}, {}), Error);
  EXPECT_THROW(bar_chart({"x", "y"}, {{"a", {1}}}, {}), Error);
  EXPECT_THROW(matrix_chart({"x"}, {"y"}, {{1, 2}}, {}), Error);
}

}  // namespace
}  // namespace attn::report
