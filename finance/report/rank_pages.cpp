#include "finance/report/rank_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "finance/report/parts.h"

namespace finance {
namespace {

void check_lengths(const RankPage& page) {
  const auto fits = [](size_t found, int64_t expected) {
    return found == 0 || found == static_cast<size_t>(expected);
  };
  bool good = page.hedge == nullptr || page.hedge->cumulative.size() == page.hedge->lists.size();
  if (page.lists != nullptr) {
    const RankLists& lists = *page.lists;
    good = good && std::ssize(lists.offsets) == lists.lists() + 1 &&
           fits(page.scores.size(), lists.rows()) && fits(lists.profit.size(), lists.rows()) &&
           fits(lists.times.size(), lists.lists()) &&
           (page.hedge == nullptr || fits(page.hedge->lists.size(), lists.lists()));
  }
  if (!good) throw std::logic_error("rank_page: columns of lists, scores and hedges differ");
}

bool tells_money(const RankPage& page) {
  return page.hedge != nullptr || !page.curve.empty() ||
         (page.lists != nullptr && !page.lists->profit.empty());
}

}  // namespace

attn::report::Report rank_page(const RankPage& page) {
  check_lengths(page);
  attn::report::Report report(page.title, page.subtitle);
  for (const std::string& remark : page.remarks) report.note(remark);
  if (!page.facts.empty()) report.key_values(page.facts);
  std::string reading =
      "The traders of each list stand in the order of their scores, the highest first; of equal "
      "scores the earlier row stands first.";
  if (tells_money(page))
    reading +=
        " Money is in the unit of the data. The profit of a row is what hedging it saves: above 0 "
        "the trader wins, and the broker pays unless it is hedged; below 0 the trader loses, and "
        "hedging gives that away.";
  report.paragraph(reading);
  add_metrics(report, page);
  add_depth(report, page);
  add_hedging(report, page);
  add_calibration(report, page);
  add_attention(report, page);
  add_training(report, page);
  return report;
}

}  // namespace finance
