// Whom the traders of a list were compared with.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "finance/report/parts.h"
#include "finance/report/words.h"
#include "libattn/report/heat_map.h"

namespace finance {
namespace {

using attn::report::format_number;

constexpr size_t kMaps = 3, kShown = 25;  // lists, and traders of each in its map

/// One list, its traders in the order of their scores.
struct Shown {
  const RankPage* of = nullptr;
  const ListAttention* attention = nullptr;
  std::vector<int64_t> order;  ///< (n) rows of the list by falling score

  size_t rows() const { return order.size(); }
  std::string name(size_t place) const {
    return row_name(of->lists, attention->first + order[place]);
  }
  double weight(size_t from, size_t to) const {
    return attention
        ->weights[static_cast<size_t>(order[from]) * rows() + static_cast<size_t>(order[to])];
  }
  /// Entropy over that of equal weights; NaN where the list has one trader.
  double spread(size_t place) const {
    return attention->entropy[static_cast<size_t>(order[place])] /
           std::log(static_cast<double>(rows()));
  }
  double column(std::span<const double> values, size_t place) const {
    const auto at = static_cast<size_t>(attention->first + order[place]);
    return at < values.size() ? values[at] : NAN;
  }
};

Shown shown_of(const RankPage& of, const ListAttention& attention) {
  const auto n = static_cast<size_t>(attention.rows);
  if (attention.rows < 0 || attention.first < 0 || attention.weights.size() != n * n ||
      attention.entropy.size() != n)
    throw std::logic_error("rank_page: attention of a list is not (n,n) weights and (n) entropies");
  const auto first = static_cast<size_t>(attention.first);
  const auto scores =
      first + n <= of.scores.size() ? of.scores.subspan(first, n) : std::span<const double>();
  return {&of, &attention, by_score(scores, attention.rows)};
}

/// "row 12 (place 1, score 2.31, profit +193.5)".
std::string told(const Shown& list, size_t place) {
  std::string out = fmt::format("{} (place {}", list.name(place), place + 1);
  if (const double score = list.column(list.of->scores, place); std::isfinite(score))
    out += ", score " + format_number(score);
  if (list.of->lists != nullptr)
    if (const double profit = list.column(list.of->lists->profit, place); std::isfinite(profit))
      out += ", profit " + signed_money(profit);
  return out + ")";
}

attn::report::HeatMap map_of(const Shown& list) {
  const size_t n = std::min(list.rows(), kShown);
  attn::report::HeatMap map;
  double most = 0;
  for (size_t i = 0; i < n; ++i) {
    map.rows.push_back(list.name(i));
    map.columns.push_back(list.name(i).substr(4));  // without "row "
    map.values.emplace_back();
    map.tooltips.emplace_back();
    for (size_t j = 0; j < n; ++j) {
      const double weight = list.weight(i, j);
      map.values[i].push_back(weight);
      map.tooltips[i].push_back(
          fmt::format("{} looks at {}: {}", told(list, i), told(list, j), format_number(weight)));
      if (std::isfinite(weight)) most = std::max(most, weight);
    }
  }
  map.high = most > 0 ? attn::report::nice_ticks(0, most, 4).back() : 1;
  return map;
}

std::string map_chart(const Shown& list) {
  attn::report::ChartOptions options;
  options.title =
      "List " + short_name(list.attention->list) + ": attention weights, who looks at whom";
  options.x_label = "looked at: row";
  options.width = kWide;
  return attn::report::heat_map_chart(map_of(list), options);
}

/// What the map shows of the list, and whom most traders look at.
std::string map_words(const Shown& list) {
  const size_t n = list.rows(), shown = std::min(n, kShown);
  std::vector<double> received(n, 0);  // mean weight, of an even share
  double inside = 0;
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) {
      const double weight = list.weight(i, j);
      if (!std::isfinite(weight)) continue;
      received[j] += weight;
      if (j < shown) inside += weight / static_cast<double>(n);
    }
  std::string out =
      "A row of the map is a trader, from the highest score down; a cell is how much of its "
      "attention goes to the trader of that column (same order), the mean over the heads of the "
      "last layer. Scores and profits stand in the tooltips.";
  if (shown < n)
    out += fmt::format(
        " Shown are the first {} of {} by score; {} of all attention goes to them, {} would be an "
        "even share.",
        shown, n, percent(inside), percent(static_cast<double>(shown) / static_cast<double>(n)));
  std::vector<size_t> most(n);
  std::iota(most.begin(), most.end(), size_t{0});
  std::stable_sort(most.begin(), most.end(),
                   [&](size_t a, size_t b) { return received[a] > received[b]; });
  out += " Most looked at:";
  for (size_t i = 0; i < std::min<size_t>(n, 3); ++i)
    out += fmt::format("{} {} (place {}, {} times an even share)", i == 0 ? "" : ",",
                       list.name(most[i]), most[i] + 1, format_number(received[most[i]]));
  return out + ".";
}

std::string spread_chart(const Shown& list) {
  std::vector<double> places(list.rows()), values;
  std::iota(places.begin(), places.end(), 1.0);
  for (size_t i = 0; i < list.rows(); ++i) values.push_back(list.spread(i));
  attn::report::Series dots = thin_line("", places, values, 0);
  dots.draw = attn::report::Draw::dots;
  attn::report::ChartOptions options;
  options.title = "How widely each trader looks";
  options.x_label = "place of the trader by score";
  options.y_label = "normalised entropy";
  options.width = kWide;
  options.height = 220;
  options.x_whole = true;
  options.x_range = {0.5, static_cast<double>(list.rows()) + 0.5};
  options.y_range = {0, 1};
  return attn::report::line_chart({dots}, options);
}

std::string spread_words(const Shown& list) {
  double sum = 0, alike = 0, low = INFINITY, high = -INFINITY, count = 0;
  for (size_t i = 0; i < list.rows(); ++i) {
    const double spread = list.spread(i);
    if (!std::isfinite(spread)) continue;
    sum += spread, ++count;
    alike += std::exp(spread * std::log(static_cast<double>(list.rows())));
    low = std::min(low, spread), high = std::max(high, spread);
  }
  if (count == 0) return "No entropy is known.";
  const double mean = sum / count;
  const char* verdict = mean >= 0.9   ? "Attention is spread: traders are compared with nearly all"
                        : mean >= 0.5 ? "Attention is partly concentrated"
                                      : "Attention is concentrated on few traders";
  return fmt::format(
      "{}. Entropy over the log of the number of traders is {} on average ({} to {}): 1 is the "
      "same weight on every trader, 0 all on one. The mean is that of equal weights on {:.0f} of "
      "{}.",
      verdict, format_number(mean), format_number(low), format_number(high), alike / count,
      list.rows());
}

void add_list(attn::report::ReportSection& page, const Shown& list) {
  if (list.rows() < 2) {
    page.paragraph(fmt::format("List {} has {}: there is nobody to compare with.",
                               short_name(list.attention->list),
                               counted(list.attention->rows, "trader", "traders")));
    return;
  }
  page.chart(map_chart(list), map_words(list));
  page.chart(spread_chart(list), spread_words(list));
}

}  // namespace

void add_attention(attn::report::ReportSection& page, const RankPage& of) {
  if (of.attention.empty()) return;
  page.heading("Whom traders are compared with");
  const size_t shown = std::min(of.attention.size(), kMaps);
  page.paragraph(
      "The network scores a trader beside the others of its list. Attention says how much each "
      "looks at each; it does not say that a trader is risky because of another.");
  for (size_t i = 0; i < shown; ++i) add_list(page, shown_of(of, of.attention[i]));
  if (shown < of.attention.size())
    page.paragraph(fmt::format("{} of {} lists are shown.", shown, of.attention.size()));
}

}  // namespace finance
