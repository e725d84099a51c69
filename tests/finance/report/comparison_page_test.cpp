// The page of several scorings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "finance/report/rank_pages.h"
#include "tests/finance/report/page_check.h"
#include "tests/finance/report/sample_market.h"

namespace finance {
namespace {

using attn::report::count_of;
using testing::HasSubstr;
using testing::Not;

ScoreComparison two_scorings() {
  ScoreComparison out;
  out.metrics = {{{"ndcg@5", 0.5, 0.45, 0.55, 200}, {"profit@5", 1500, 1300, 1700, 200}},
                 {{"ndcg@5", 0.6, 0.55, 0.65, 200}, {"profit@5", 2100.4, 1850, 2350, 200}}};
  out.pairs = {
      {0,
       1,
       {{"ndcg@5", 0.1, 0.05, 0.15, 0.002, 200}, {"profit@5", 600.4, 420, 790, 0.0005, 200}}}};
  return out;
}

std::string html_of(const ScoreComparison& comparison, const std::vector<std::string>& names,
                    const std::vector<std::vector<double>>& curves) {
  std::string html = comparison_page(comparison, names, curves, "market.csv").html();
  expect_whole(html);
  return html;
}

TEST(ComparisonPage, PutsScoringsSideBySide) {
  const std::string html =
      html_of(two_scorings(), {"win rate", "a <network>"}, {{100, 180}, {150, 260, 300}});
  EXPECT_THAT(html, HasSubstr("profit@5, with 95 % intervals"));
  EXPECT_THAT(html, HasSubstr(">2 100</text>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">1 500 (1 300 to 1 700)</td><td "
                              "class=\"number\">2 100 (1 850 to 2 350)</td>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">0.500 (0.450 to 0.550)</td>"));
  EXPECT_THAT(html, HasSubstr("<caption>a &lt;network&gt; less win rate.</caption>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">+0.100</td><td class=\"number\">0.0500 to "
                              "0.150</td><td class=\"number\">0.2 %</td><td "
                              "class=\"number\">200</td>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">+600.4</td><td class=\"number\">420.0 to "
                              "790.0</td>"));
  EXPECT_EQ(count_of(html, "<svg class=\"chart\""), 2);
  EXPECT_EQ(count_of(html, ">a &lt;network&gt;</text>"), 2);  // beside its bar, in the legend
  EXPECT_THAT(html, Not(HasSubstr("<network>")));
}

TEST(ComparisonPage, OddDataMakeAPage) {
  EXPECT_THAT(html_of({}, {}, {}), Not(HasSubstr("<h2>")));
  ScoreComparison odd = two_scorings();
  odd.metrics[1] = {{"profit@3", NAN, NAN, NAN, 0}};
  odd.pairs[0].differences[0] = {"ndcg@5", NAN, NAN, NAN, NAN, 0};
  const std::string html = html_of(odd, {"a", "b"}, {{NAN, NAN}, {}});
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">-</td>"));
  ScoreComparison alone = two_scorings();
  alone.metrics.pop_back();
  alone.pairs.clear();
  EXPECT_THAT(html_of(alone, {"a"}, {}), Not(HasSubstr("really better")));
}

TEST(ComparisonPage, LabelsAloneDrawTheFirstMetric) {
  ScoreComparison labels = two_scorings();
  for (auto& metrics : labels.metrics) metrics.pop_back();
  EXPECT_THAT(html_of(labels, {"a", "b"}, {}), HasSubstr("ndcg@5, with 95 % intervals"));
}

TEST(ComparisonPage, ManyScoringsMakeNoLargePage) {
  SampleMarket market(200, 20);
  ScoreComparison many;
  std::vector<std::string> names;
  std::vector<std::vector<double>> curves;
  for (int64_t i = 0; i < 20; ++i) {
    names.push_back("scoring " + std::to_string(i));
    many.metrics.push_back(market.page.metrics);
    curves.emplace_back(5000, static_cast<double>(i));
    for (int64_t j = 0; j < i; ++j) {
      ScorePair pair{j, i, {}};
      for (const Metric& m : market.page.metrics)
        pair.differences.push_back({m.name, 1, 0, 2, 0.5, m.lists});
      many.pairs.push_back(pair);
    }
  }
  const std::string html = html_of(many, names, curves);
  EXPECT_LT(html.size(), 2000000U);
  EXPECT_THAT(html, HasSubstr("54 of the other 184 pairs"));
}

TEST(ComparisonPage, NumbersOfThingsThatDifferAreABug) {
  EXPECT_THROW(comparison_page(two_scorings(), {"a"}, {}, ""), std::logic_error);
  EXPECT_THROW(comparison_page(two_scorings(), {"a", "b"}, {{1}}, ""), std::logic_error);
}

}  // namespace
}  // namespace finance
