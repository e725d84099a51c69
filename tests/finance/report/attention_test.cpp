// Attention in the page: whom it shows in which order, and what it says of how wide it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
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

/// n traders: `self` of the weight on each trader itself, the others share the rest.
ListAttention mixed(const std::string& list, int64_t n, double self) {
  ListAttention out{.list = list, .first = 0, .rows = n};
  const double other = n > 1 ? (1 - self) / static_cast<double>(n - 1) : 0;
  double entropy = self > 0 ? -self * std::log(self) : 0;
  if (other > 0) entropy -= (1 - self) * std::log(other);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) out.weights.push_back(i == j ? self : other);
    out.entropy.push_back(entropy);
  }
  return out;
}

TEST(Attention, TheFirstByScoreStandInTheirOrder) {
  RankLists lists;
  lists.list_ids = {"w1"};
  lists.offsets = {0, 3};
  lists.profit = {5, -7.25, 100};
  lists.rows_in_file = {10, 11, 12};
  const std::vector<double> scores{0.5, 2, 0.5};  // rows 12, 11, 13 in file: ties by row
  RankPage page;
  page.lists = &lists;
  page.scores = scores;
  page.attention = {{.list = "w1",
                     .first = 0,
                     .rows = 3,
                     .weights = {0.1, 0.2, 0.7, 0.25, 0.25, 0.5, 0.3, 0.3, 0.4},
                     .entropy = {0.8018, 1.0397, 1.0889}}};
  const std::string html = html_of(page);
  const auto row12 = html.find(">row 12</text>"), row11 = html.find(">row 11</text>"),
             row13 = html.find(">row 13</text>");
  EXPECT_LT(row12, row11);
  EXPECT_LT(row11, row13);
  EXPECT_NE(row13, std::string::npos);
  EXPECT_THAT(html, HasSubstr("<title>row 12 (place 1, score 2.00, profit -7.250) looks at row 13 "
                              "(place 3, score 0.500, profit +100.0): 0.500</title>"));
  EXPECT_THAT(html, HasSubstr("<title>row 13 (place 3, score 0.500, profit +100.0) looks at row "
                              "11 (place 2, score 0.500, profit +5.000): 0.300</title>"));
  EXPECT_THAT(html, HasSubstr("Most looked at: row 13 (place 3, 1.60 times an even share)"));
  EXPECT_THAT(html, Not(HasSubstr("Shown are the first")));
}

TEST(Attention, OfManyTradersTwentyFiveAreShown) {
  SampleMarket market(1, 40);
  market.page.attention = {market.attention(0, 0)};
  market.page.metrics.clear();
  const std::string html = html_of(market.page);
  EXPECT_EQ(count_of(html, " looks at row "), 25 * 25);
  EXPECT_THAT(html, HasSubstr("Shown are the first 25 of 40 by score; 62.5 % of all attention "
                              "goes to them, 62.5 % would be an even share."));
}

TEST(Attention, SaysWhetherItIsSpreadOrConcentrated) {
  RankPage page;
  page.attention = {mixed("even", 20, 0.05)};
  const std::string even = html_of(page);
  EXPECT_THAT(even, HasSubstr("Attention is spread"));
  EXPECT_THAT(even, HasSubstr("is 1.00 on average (1.00 to 1.00)"));
  EXPECT_THAT(even, HasSubstr("equal weights on 20 of 20"));
  page.attention = {mixed("self", 20, 1)};
  const std::string self = html_of(page);
  EXPECT_THAT(self, HasSubstr("Attention is concentrated on few traders"));
  EXPECT_THAT(self, HasSubstr("equal weights on 1 of 20"));
  page.attention = {mixed("half", 20, 0.6)};  // entropy 0.673 + 0.4 log 19 = 1.851 of 2.996
  EXPECT_THAT(html_of(page), HasSubstr("Attention is partly concentrated. Entropy over the log of "
                                       "the number of traders is 0.618 on average"));
}

TEST(Attention, ThreeListsAreShown) {
  RankPage page;
  for (const char* id : {"first", "second", "third", "fourth"})
    page.attention.push_back(mixed(id, 4, 0.25));
  const std::string html = html_of(page);
  EXPECT_THAT(html, HasSubstr("List third: attention weights, who looks at whom"));
  EXPECT_THAT(html, Not(HasSubstr("fourth")));
  EXPECT_THAT(html, HasSubstr("3 of 4 lists are shown."));
}

}  // namespace
}  // namespace finance
