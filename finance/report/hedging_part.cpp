// What the hedges were worth: totals, over the lists, where most and where least.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "finance/report/iso_time.h"
#include "finance/report/parts.h"
#include "finance/report/words.h"
#include "libattn/report/panels.h"

namespace finance {
namespace {

constexpr size_t kEnds = 5;          // lists in each table of the best and the worst
constexpr size_t kFirstTraders = 3;  // of a list in those tables

double saved(const HedgeTotals& of) {
  return of.result - of.unhedged;
}

double share(double part, double whole) {
  return whole > 0 ? part / whole : NAN;
}

/// The deepest fall of the running total below where it stood before, and the lists it took from
/// and to; 0 at the start.
struct Fall {
  double depth = 0;
  size_t from = 0, to = 0;  // the first list of the fall, and its last
};

Fall deepest_fall(const std::vector<double>& cumulative) {
  Fall fall;
  double top = 0;
  size_t behind_top = 0;
  for (size_t l = 0; l < cumulative.size(); ++l) {
    if (!std::isfinite(cumulative[l])) continue;
    if (cumulative[l] >= top) top = cumulative[l], behind_top = l + 1;
    if (top - cumulative[l] > fall.depth) fall = {top - cumulative[l], behind_top, l};
  }
  return fall;
}

std::string list_name(const RankPage& of, size_t l) {
  const bool known = of.lists != nullptr && l < of.lists->list_ids.size();
  return known ? short_name(of.lists->list_ids[l]) : fmt::format("number {}", l + 1);
}

std::string fall_text(const RankPage& of, const Fall& fall) {
  const std::string depth = money_text(fall.depth), last = list_name(of, fall.to);
  return fall.from == fall.to
             ? fmt::format("{}, in list {}", depth, last)
             : fmt::format("{}, from list {} to {}", depth, list_name(of, fall.from), last);
}

int64_t lists_that_saved(const HedgeReport& hedge) {
  return std::count_if(hedge.lists.begin(), hedge.lists.end(),
                       [](const HedgeTotals& list) { return saved(list) > 0; });
}

/// "Hedging the first 5 of each list saved 249 346 over 250 lists, 997.4 a list, ...".
std::string summary(const RankPage& of) {
  const double sum = saved(of.hedge->total);
  const auto lists = static_cast<int64_t>(of.hedge->lists.size());
  std::string out = fmt::format("Hedging {}{} {}", of.hedge_rule.empty() ? "" : of.hedge_rule + " ",
                                sum < 0 ? "lost" : "saved", money_text(std::abs(sum)));
  if (lists > 1) {
    const int64_t good = lists_that_saved(*of.hedge);
    out += fmt::format(" over {}, {} a list, and saved money in {} of them ({})",
                       counted(lists, "list", "lists"),
                       money_text(std::abs(sum) / static_cast<double>(lists)), count_text(good),
                       percent(share(static_cast<double>(good), static_cast<double>(lists))));
  }
  return out + ".";
}

std::vector<std::pair<std::string, std::string>> totals(const RankPage& of) {
  const HedgeTotals& t = of.hedge->total;
  const auto count = [](int64_t part, int64_t whole, const char* what) {
    return fmt::format("{} of {} ({})", count_text(part),
                       counted(whole, what, std::string(what) + "s"),
                       percent(share(static_cast<double>(part), static_cast<double>(whole))));
  };
  std::vector<std::pair<std::string, std::string>> out;
  if (!of.hedge_rule.empty()) out.emplace_back("whom the hedge takes", of.hedge_rule);
  out.emplace_back("hedged", count(t.flagged, t.rows, "row"));
  if (t.positives > 0)
    out.emplace_back("risky rows among them", count(t.caught, t.positives, "risky row"));
  out.emplace_back("broker's result without hedging", money_text(t.unhedged));
  out.emplace_back("with these hedges", money_text(t.result));
  out.emplace_back("difference: saved by hedging", signed_money(saved(t)));
  out.emplace_back("of it, losses avoided", signed_money(t.money_kept));
  out.emplace_back("of it, gains given away", signed_money(-t.money_lost));
  out.emplace_back("of it, cost of hedging", signed_money(-t.cost));
  out.emplace_back("result of knowing every profit beforehand", money_text(t.best));
  if (saved(t) >= 0)
    out.emplace_back("of what that would save, reached",
                     percent(share(saved(t), t.best - t.unhedged)));
  if (const Fall fall = deepest_fall(of.hedge->cumulative); fall.depth > 0)
    out.emplace_back("deepest fall of the running total", fall_text(of, fall));
  return out;
}

/// "row 12 +193.5, row 3 -50.00".
std::string first_traders(const RankPage& of, size_t l) {
  const RankLists& lists = *of.lists;
  const auto profit = part_of(lists, lists.profit, static_cast<int64_t>(l));
  const auto order = by_score(part_of(lists, of.scores, static_cast<int64_t>(l)),
                              static_cast<int64_t>(profit.size()));
  std::string out;
  for (size_t i = 0; i < std::min(order.size(), kFirstTraders); ++i)
    out += fmt::format("{}{} {}", i == 0 ? "" : ", ", row_name(&lists, lists.offsets[l] + order[i]),
                       signed_money(profit[static_cast<size_t>(order[i])]));
  return out.empty() ? "-" : out;
}

attn::report::ReportTable list_table(const RankPage& of, const std::vector<size_t>& which,
                                     const std::string& caption) {
  const bool times = of.lists != nullptr && !of.lists->times.empty();
  const bool traders = of.lists != nullptr && !of.lists->profit.empty();
  attn::report::ReportTable table{.columns = {"list"}, .rows = {}, .caption = caption};
  if (times) table.columns.emplace_back("time");
  for (const char* name : {"rows", "hedged", "without hedging", "with hedging", "saved"})
    table.columns.emplace_back(name);
  if (traders) table.columns.emplace_back("first by score, with profit");
  for (const size_t l : which) {
    const HedgeTotals& t = of.hedge->lists[l];
    std::vector<std::string> row{list_name(of, l)};
    if (times) row.push_back(short_name(of.lists->times[l]));
    row.push_back(count_text(t.rows));
    row.push_back(count_text(t.flagged));
    for (const double money : {t.unhedged, t.result}) row.push_back(money_text(money));
    row.push_back(signed_money(saved(t)));
    if (traders) row.push_back(first_traders(of, l));
    table.rows.push_back(std::move(row));
  }
  return table;
}

/// All lists where they are few, else those where hedging saved most and those where it lost most.
void add_lists(attn::report::ReportSection& page, const RankPage& of) {
  const auto& lists = of.hedge->lists;
  std::vector<size_t> order(lists.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (lists.empty()) return;
  if (lists.size() <= 8) {
    page.table(list_table(of, order, "The lists, in their order."));
    return;
  }
  std::erase_if(order, [&](size_t l) { return !std::isfinite(saved(lists[l])); });
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return saved(lists[a]) > saved(lists[b]); });
  const size_t best = std::min(kEnds, (order.size() + 1) / 2),
               worst = std::min(kEnds, order.size() - best);
  const auto end = [&](size_t count) { return order.begin() + static_cast<std::ptrdiff_t>(count); };
  page.table(list_table(of, {order.begin(), end(best)},
                        fmt::format("The {} lists where hedging saved most.", best)));
  page.table(list_table(of, {order.rbegin(), order.rbegin() + static_cast<std::ptrdiff_t>(worst)},
                        fmt::format("The {} lists where it saved least.", worst)));
}

attn::report::Panel money_panel(const std::vector<double>& x, std::vector<double> values,
                                const std::string& title, int height) {
  const MoneyScale scale = money_scale(values);
  for (double& v : values) v /= scale.unit;
  attn::report::Panel panel{{thin_line("", x, values, 0)}, {}};
  panel.options.title = title;
  panel.options.y_label = scale.label;
  panel.options.height = height;
  panel.options.rules.push_back({.at = 0, .dashed = false});
  return panel;
}

/// One over the other: the running total, and what each list added to it; over `stamps`, or, where
/// there are none, over the number of the list.
std::string money_chart(const HedgeReport& hedge, const std::vector<double>& stamps) {
  std::vector<double> x = stamps, of_list;
  if (stamps.empty()) {
    x.resize(hedge.lists.size());
    std::iota(x.begin(), x.end(), 1.0);
  }
  for (const HedgeTotals& list : hedge.lists) of_list.push_back(saved(list));
  const auto total = money_panel(x, hedge.cumulative, "Saved by hedging, running total", 270);
  auto each = money_panel(x, of_list, "Saved in each list", 190);
  each.series[0].draw = attn::report::Draw::dots;
  each.series[0].width = x.size() > 200 ? 1 : 2;
  attn::report::ChartOptions whole;
  whole.width = kWide;
  whole.x_label =
      stamps.empty() ? "number of the list, in the order of the data" : "time of the list";
  whole.x_dates = !stamps.empty();
  whole.x_whole = stamps.empty();
  if (stamps.empty() && x.size() > 1) whole.x_range = {1, x.back()};
  return attn::report::stacked_panels({total, each}, whole);
}

}  // namespace

void add_hedging(attn::report::ReportSection& page, const RankPage& of) {
  if (of.hedge == nullptr) return;
  page.heading("What hedging was worth");
  if (saved(of.hedge->total) < 0)
    page.note(summary(of) + " The broker would have been better off without these hedges.");
  else
    page.paragraph(summary(of));
  page.key_values(totals(of));
  if (of.hedge->lists.size() > 1) {
    std::string caption =
        "Above 0 the broker is better off with these hedges than without any. A total that rises "
        "evenly is worth more trust than one that a few lists made.";
    if (of.hedge->lists.size() > kMostPoints)
      caption += " Of so many lists not all are drawn; the peaks are.";
    const auto stamps =
        of.lists == nullptr ? std::vector<double>() : ascending_times(of.lists->times);
    page.chart(money_chart(*of.hedge, stamps), caption);
  }
  add_lists(page, of);
}

}  // namespace finance
