// The page of one scoring: which parts stand in it, that its numbers are those given, that names
// are escaped, that odd data make a page all the same, and that many lists make no large one.
#include "finance/report/rank_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/finance/report/page_check.h"
#include "tests/finance/report/sample_market.h"

namespace finance {
namespace {

using attn::report::count_of;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kMetrics = "<h2>How good the order is</h2>";
constexpr const char* kDepth = "<h2>How far down the list hedging pays</h2>";
constexpr const char* kHedging = "<h2>What hedging was worth</h2>";
constexpr const char* kCalibration = "<h2>Whether a higher score means more risk</h2>";
constexpr const char* kAttention = "<h2>Whom traders are compared with</h2>";
constexpr const char* kTraining = "<h2>Training</h2>";

TEST(RankPage, TellsEveryPart) {
  SampleMarket market(40, 30);
  market.page.remarks = {"Labels are late by a week."};
  market.page.attention = {market.attention(0, 1)};
  const std::string html = html_of(market.page);
  for (const char* part : {kMetrics, kDepth, kHedging, kCalibration, kAttention, kTraining})
    EXPECT_THAT(html, HasSubstr(part));
  EXPECT_THAT(html, HasSubstr("<p class=\"note\">Labels are late by a week.</p>"));
  EXPECT_THAT(html, HasSubstr("of equal scores the earlier row stands first"));
  EXPECT_THAT(html, HasSubstr("bootstrap over lists"));
  EXPECT_THAT(html, HasSubstr("Money is in the unit of the data"));
  EXPECT_EQ(count_of(html, "<svg class=\"chart\""), 7);
  EXPECT_EQ(value_of(html, "model"), "cross-trader attention, PA-BCE over whole lists");
}

TEST(RankPage, LeavesOutWhatIsNotThere) {
  const std::string bare = html_of({.title = "bare"});
  EXPECT_EQ(count_of(bare, "<h2>"), 0);
  EXPECT_EQ(count_of(bare, "<svg"), 0);
  EXPECT_THAT(bare, Not(HasSubstr("Money")));

  SampleMarket market(9, 12);
  market.lists.profit.clear();
  market.page.hedge = nullptr;
  market.page.curve.clear();
  const ScoredLists labels_only{market.lists.offsets, market.scores, market.lists.label, {}};
  market.page.metrics = rank_metrics(labels_only, {});
  market.page.bins = calibration(labels_only, 10);
  market.page.training.clear();
  const std::string html = html_of(market.page);
  EXPECT_THAT(html, HasSubstr(kMetrics));
  EXPECT_THAT(html, HasSubstr(kCalibration));
  for (const char* part : {kDepth, kHedging, kAttention, kTraining})
    EXPECT_THAT(html, Not(HasSubstr(part)));
  EXPECT_EQ(count_of(html, "<svg class=\"chart\""), 1);
  EXPECT_THAT(html, Not(HasSubstr("Money is")));

  SampleMarket unlabelled(9, 12);
  unlabelled.lists.label.clear();
  unlabelled.page.bins =
      calibration({unlabelled.lists.offsets, unlabelled.scores, {}, unlabelled.lists.profit}, 4);
  EXPECT_THAT(html_of(unlabelled.page), Not(HasSubstr("risky, % of the group")));
  EXPECT_THAT(html_of(unlabelled.page), HasSubstr("Mean profit of a row"));
}

TEST(RankPage, MetricsStandWithIntervalAndMeaning) {
  RankPage page;
  page.metrics = {{"profit@5", 2147.3, 1899.6, 1234567.4, 1000},
                  {"ndcg@10", 0.7421, 0.7, 0.78, 950},
                  {"macro_f1", 0.5, NAN, NAN, 1000},
                  {"<own>", 0.25, 0.1, 0.4, 1000},
                  {"mrr", NAN, NAN, NAN, 0}};
  page.level = 0.9;
  page.threshold = 0.12345;
  page.threshold_rule = "as given";
  const std::string html = html_of(page);
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">2 147</td><td class=\"number\">1 900 to "
                              "1 234 567</td><td class=\"number\">1 000</td><td>Money saved by "
                              "hedging the first 5 traders of a list"));
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">0.742</td><td class=\"number\">0.700 to "
                              "0.780</td><td class=\"number\">950</td>"));
  EXPECT_THAT(html,
              HasSubstr("<td>mrr</td><td class=\"number\">-</td><td class=\"number\">-</td>"));
  EXPECT_THAT(html, HasSubstr("<td>&lt;own&gt;</td>"));
  EXPECT_THAT(html, HasSubstr("90 % interval"));
  EXPECT_THAT(html, HasSubstr("its score is at least 0.1235: as given."));
}

TEST(RankPage, FewListsAreSaidToBeFew) {
  RankPage page;
  page.metrics = {{"mrr", 0.5, 0.4, 0.6, 12}};
  EXPECT_THAT(html_of(page), HasSubstr("12 lists are few"));
  page.metrics[0].lists = 1;
  EXPECT_THAT(html_of(page), HasSubstr("Of one list there is nothing to draw"));
  page.metrics[0].lists = 30;
  EXPECT_THAT(html_of(page), Not(HasSubstr("are few")));
}

TEST(RankPage, GroupsOfTheScoreStandInNumbers) {
  RankPage page;
  page.bins = {{40, -1.5, 0.05, -12.25, 0.01, 0.165}, {40, 2, 0.5, 33.5, 0.352, 0.648}};
  const std::string html = html_of(page);
  EXPECT_THAT(html, HasSubstr("Of the highest group 50.0 % are risky, of the lowest 5.0 %, of all "
                              "rows 27.5 %."));
  EXPECT_THAT(html, HasSubstr("makes +33.50 on average, one of the lowest -12.25"));
  EXPECT_THAT(html, HasSubstr("<td class=\"number\">1.0 % to 16.5 %</td>"));
  EXPECT_EQ(count_of(html, "<circle"), 2);
}

TEST(RankPage, TrainingMarksTheEpochKept) {
  RankPage page;
  page.training = {{0.9, 100}, {0.5, 1400.6}, {0.4, 900}};
  page.selected_by = "profit@5";
  page.best_epoch = 2;
  const std::string html = html_of(page);
  EXPECT_THAT(html, HasSubstr("Epoch 2 was kept (dashed line), with profit@5 = 1 401 on the "
                              "validation lists."));
  EXPECT_THAT(html, HasSubstr(">profit@5 on the validation lists</text>"));
  EXPECT_EQ(count_of(html, "<circle"), 2);
  for (TrainingEpoch& epoch : page.training) epoch.validation = NAN;
  page.best_epoch = 0;
  const std::string alone = html_of(page);
  EXPECT_THAT(alone, HasSubstr("No lists were set aside for validation."));
  EXPECT_EQ(count_of(alone, "<circle"), 0);
  EXPECT_EQ(count_of(alone, "class=\"axis\""), 1);
}

TEST(RankPage, NamesAreEscaped) {
  SampleMarket market(3, 6);
  const std::string bad = "<script>alert('1')</script>&\"";
  market.page.title = market.page.subtitle = bad;
  market.page.facts = {{bad, bad}};
  market.page.remarks = {bad};
  market.page.threshold_rule = market.page.hedge_rule = market.page.selected_by = bad;
  market.lists.list_ids[1] = "<b>\xFF\n";
  market.lists.times = {bad, bad, bad};
  market.page.metrics.push_back({bad, 1, 0, 2, 3});
  market.page.attention = {market.attention(1, 1)};
  const std::string page = rank_page(market.page).page();
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;\\xff"));
  html_of(market.page);
}

TEST(RankPage, ThousandsOfListsMakeNoLargePage) {
  SampleMarket market(6000, 20);
  SampleMarket wide(3, 600, 2);
  for (int64_t l = 0; l < 3; ++l) market.page.attention.push_back(wide.attention(l, 1));
  for (int k = 0; k < 3000; ++k)
    market.page.metrics.push_back({"profit@" + std::to_string(100 + k), 1, 0, 2, 6000});
  market.page.curve.assign(20000, 1.0);
  market.page.training.assign(20000, {0.5, 0.5});
  const std::string page = rank_page(market.page).page();
  EXPECT_LT(page.size(), 2000000U);
  EXPECT_THAT(page, HasSubstr("400 of 2988 more metrics"));
  html_of(market.page);
}

TEST(RankPage, OddDataMakeAPage) {
  SampleMarket market(12, 15);
  market.page.attention = {market.attention(2, 1)};
  for (Metric& m : market.page.metrics) m.value = m.low = m.high = NAN;
  for (double& v : market.page.curve) v = NAN;
  for (CalibrationBin& bin : market.page.bins) bin.positives = bin.low = bin.high = NAN;
  for (TrainingEpoch& epoch : market.page.training) epoch.loss = epoch.validation = NAN;
  for (double& w : market.page.attention[0].weights) w = NAN;
  for (double& h : market.page.attention[0].entropy) h = NAN;
  market.scores[0] = market.scores[20] = NAN;
  market.lists.profit[3] = NAN;
  market.hedge.lists[4].result = market.hedge.cumulative[4] = market.hedge.total.result = NAN;
  market.page.threshold = NAN;
  EXPECT_THAT(html_of(market.page), HasSubstr(kHedging));

  for (double& p : market.lists.profit) p = INFINITY;
  for (HedgeTotals& list : market.hedge.lists) list.result = 1e300;
  for (double& v : market.page.curve) v = -1e300;
  html_of(market.page);

  RankLists none;
  HedgeReport nothing;
  html_of({.title = "", .lists = &none, .hedge = &nothing, .curve = {1}});

  SampleMarket lone(1, 1);
  lone.page.attention = {lone.attention(0, 1)};
  EXPECT_THAT(html_of(lone.page), HasSubstr("there is nobody to compare with"));

  SampleMarket ragged(3, 4);  // one of them without rows
  ragged.lists.list_ids.push_back("empty");
  ragged.lists.offsets.push_back(ragged.lists.offsets.back());
  ragged.fill(2);
  html_of(ragged.page);
}

TEST(RankPage, ColumnsThatDifferInLengthAreABug) {
  SampleMarket market(3, 4);
  market.scores.pop_back();
  market.page.scores = market.scores;
  EXPECT_THROW(rank_page(market.page), std::logic_error);
  SampleMarket hedges(3, 4);
  hedges.hedge.cumulative.pop_back();
  EXPECT_THROW(rank_page(hedges.page), std::logic_error);
  SampleMarket times(3, 4);
  times.lists.times = {"2024-01-01"};
  EXPECT_THROW(rank_page(times.page), std::logic_error);
  SampleMarket attention(3, 4);
  attention.page.attention = {attention.attention(0, 1)};
  attention.page.attention[0].weights.pop_back();
  EXPECT_THROW(rank_page(attention.page), std::logic_error);
}

}  // namespace
}  // namespace finance
