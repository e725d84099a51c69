// Money in the page: by the number hedged, in total, list by list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
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
using Values = std::vector<double>;

/// Two lists of three rows, whose hedge takes the first of each.
struct TwoLists {
  RankLists lists;
  Values scores{3, 1, 2, 1, 1, 0};
  HedgeReport hedge;
  RankPage page;

  TwoLists() {
    lists.list_ids = {"a", "b"};
    lists.offsets = {0, 3, 6};
    lists.profit = {10, -2, 4, -1, 5, 0};
    lists.label = {1, 0, 1, 0, 1, 0};
    lists.rows_in_file = {100, 101, 102, 7, 8, 9};
    const ScoredLists scored{lists.offsets, scores, lists.label, lists.profit};
    hedge = hedge_report(scored, top_k_decisions(scored, 1), Values(6, 2), 0.25);
    page.title = "two";
    page.lists = &lists;
    page.scores = scores;
    page.hedge = &hedge;
    page.curve = profit_curve(scored, 2);
  }
  TwoLists(const TwoLists&) = delete;
  TwoLists& operator=(const TwoLists&) = delete;
};

TEST(MoneyOfPage, DepthStandsBesideBestOrderAndChance) {
  TwoLists two;
  const std::string html = html_of(two.page);
  // List a by score: 10, 4, -2; list b, ties by row: -1, 5, 0. Best: 10 + 4 and 5 + 0; chance:
  // two thirds of 12 and of 4.
  EXPECT_THAT(html, HasSubstr("Hedging the first 2 traders of each list saves 9.000 a list"));
  EXPECT_THAT(html, HasSubstr("in the best order it would save 9.500, in a random one 5.333."));
  EXPECT_THAT(html, HasSubstr("Most is saved with the first 2: 9.000."));
  EXPECT_EQ(count_of(html, ">best possible order</text>"), 1);
  EXPECT_EQ(count_of(html, ">chance (a random order)</text>"), 1);
  two.page.lists = nullptr;
  EXPECT_THAT(html_of(two.page), Not(HasSubstr("best possible order")));
  two.page.curve = {-1, -2};
  EXPECT_THAT(html_of(two.page), HasSubstr("each list loses 2.000 a list"));
  EXPECT_THAT(html_of(two.page), HasSubstr("No number of traders hedged saves money"));
}

TEST(MoneyOfPage, IntervalsOfProfitStandOnTheCurve) {
  TwoLists two;
  two.page.metrics = {
      {"profit@2", 9, 8, 10, 2}, {"profit@7", 9, 8, 10, 2}, {"profit@1", 4.5, NAN, NAN, 2}};
  const std::string html = html_of(two.page);
  EXPECT_THAT(html, HasSubstr(">95 % interval</text>"));
  two.page.metrics.erase(two.page.metrics.begin());
  EXPECT_THAT(html_of(two.page), Not(HasSubstr(">95 % interval</text>")));
}

TEST(MoneyOfPage, HedgingAddsUp) {
  TwoLists two;
  const std::string html = html_of(two.page);
  // Hedged: rows 10 and -1, each at a cost of 0.25 * 2.
  EXPECT_EQ(value_of(html, "hedged"), "2 of 6 rows (33.3 %)");
  EXPECT_EQ(value_of(html, "risky rows among them"), "1 of 3 risky rows (33.3 %)");
  EXPECT_EQ(value_of(html, "broker&#39;s result without hedging"), "-16.00");
  EXPECT_EQ(value_of(html, "with these hedges"), "-8.000");
  EXPECT_EQ(value_of(html, "difference: saved by hedging"), "+8.000");
  EXPECT_EQ(value_of(html, "of it, losses avoided"), "+10.00");
  EXPECT_EQ(value_of(html, "of it, gains given away"), "-1.000");
  EXPECT_EQ(value_of(html, "of it, cost of hedging"), "-1.000");
  // Rows above their cost: 10, 4 and 5, less 3 costs; -2 and -1 are kept.
  EXPECT_EQ(value_of(html, "result of knowing every profit beforehand"), "1.500");
  EXPECT_EQ(value_of(html, "of what that would save, reached"), "45.7 %");
  EXPECT_EQ(value_of(html, "deepest fall of the running total"), "1.500, in list b");
  EXPECT_THAT(html, HasSubstr("saved 8.000 over 2 lists, 4.000 a list, and saved money in 1 of "
                              "them (50.0 %)"));
  EXPECT_THAT(html, HasSubstr("<td>row 101 +10.00, row 103 +4.000, row 102 -2.000</td>"));
  EXPECT_THAT(html, HasSubstr("<td>row 8 -1.000, row 9 +5.000, row 10 0</td>"));
}

TEST(MoneyOfPage, HedgesThatLoseAreARemark) {
  TwoLists two;
  const ScoredLists scored{two.lists.offsets, two.scores, two.lists.label, two.lists.profit};
  const std::vector<bool> losers{false, true, false, true, false, false};  // profits -2 and -1
  two.hedge = hedge_report(scored, losers, {}, 0);
  const std::string html = html_of(two.page);
  EXPECT_THAT(html,
              HasSubstr("<p class=\"note\">Hedging lost 3.000 over 2 lists, 1.500 a list, and "
                        "saved money in 0 of them (0.0 %). The broker would have been better "
                        "off without these hedges.</p>"));
  EXPECT_EQ(value_of(html, "difference: saved by hedging"), "-3.000");
  EXPECT_EQ(value_of(html, "of what that would save, reached"), "");
}

/// The first cells of the rows of the table under this caption.
std::vector<std::string> first_cells(const std::string& html, const std::string& caption) {
  std::vector<std::string> out;
  const size_t at = html.find("<caption>" + caption);
  if (at == std::string::npos) return out;
  const std::string table = html.substr(at, html.find("</table>", at) - at);
  for (size_t row = table.find("<tr><td"); row != std::string::npos;
       row = table.find("<tr><td", row + 1)) {
    const size_t from = table.find('>', row + 4) + 1;
    out.push_back(table.substr(from, table.find("</td>", from) - from));
  }
  return out;
}

TEST(MoneyOfPage, BestAndWorstListsAreTheEnds) {
  HedgeReport hedge;
  double sum = 0;
  for (const double saved : {3, -1, 7, 0, 9, -5, 2, 4, 1}) {
    HedgeTotals list;
    list.rows = 10;
    list.unhedged = -20;
    list.result = -20 + saved;
    hedge.lists.push_back(list);
    hedge.cumulative.push_back(sum += saved);
  }
  const auto named = [](std::initializer_list<int> numbers) {
    std::vector<std::string> out;
    for (const int n : numbers) out.push_back("number " + std::to_string(n));
    return out;
  };
  RankPage page;
  page.hedge = &hedge;
  const std::string nine = html_of(page);
  EXPECT_EQ(first_cells(nine, "The 5 lists where hedging saved most."), named({5, 3, 8, 1, 7}));
  EXPECT_EQ(first_cells(nine, "The 4 lists where it saved least."), named({6, 2, 4, 9}));
  EXPECT_EQ(value_of(nine, "deepest fall of the running total"), "5.000, in list number 6");
  hedge.lists.pop_back();
  hedge.cumulative.pop_back();
  EXPECT_EQ(first_cells(html_of(page), "The lists, in their order."),
            named({1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(MoneyOfPage, TimesThatAreDatesMakeAnAxisOfDates) {
  SampleMarket market(3, 6);
  market.lists.times = {"2024-01-01", "2024-02-01", "2024-03-01"};
  std::string html = html_of(market.page);
  EXPECT_THAT(html, HasSubstr(">time of the list</text>"));
  EXPECT_THAT(html, HasSubstr(">2024</text>"));
  EXPECT_THAT(html, HasSubstr("<td>2024-02-01</td>"));
  for (const char* second : {"window 2", "2023-12-31"}) {  // no date; against the order
    market.lists.times[1] = second;
    html = html_of(market.page);
    EXPECT_THAT(html, HasSubstr(">number of the list, in the order of the data</text>"));
    EXPECT_THAT(html, Not(HasSubstr(">time of the list</text>")));
  }
}

}  // namespace
}  // namespace finance
