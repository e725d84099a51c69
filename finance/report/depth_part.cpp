// Money by the number of traders hedged.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "finance/report/parts.h"
#include "finance/report/words.h"

namespace finance {
namespace {

using attn::report::Series;

/// Mean profit@k of traders in the best order.
std::vector<double> best_curve(const RankLists& lists, size_t most) {
  return profit_curve({lists.offsets, lists.profit, {}, lists.profit}, static_cast<int64_t>(most));
}

/// Mean profit@k of traders in random order, as expected: min(k, n) times the list's mean profit.
std::vector<double> chance_curve(const RankLists& lists, size_t most) {
  std::vector<double> curve(most, 0);
  double counted_lists = 0;
  for (int64_t l = 0; l < lists.lists(); ++l) {
    const auto profit = part_of(lists, lists.profit, l);
    if (profit.empty()) continue;
    ++counted_lists;
    double sum = 0;
    for (const double p : profit) sum += p;
    for (size_t k = 0; k < std::min(most, profit.size()); ++k)
      curve[k] += sum / static_cast<double>(profit.size());
  }
  std::partial_sum(curve.begin(), curve.end(), curve.begin());
  for (double& v : curve) v /= counted_lists;
  return curve;
}

/// The metrics profit@k with their intervals as dots on the curve, within its length.
Series interval_dots(const RankPage& of, double unit) {
  Series dots;
  attn::report::Band band{level_text(of.level) + " interval", {}, {}};
  std::vector<std::pair<int64_t, const Metric*>> at;
  for (const Metric& m : of.metrics) {
    int64_t k = 0;
    const bool there =
        m.name.starts_with("profit@") && std::isfinite(m.low) && std::isfinite(m.high) &&
        std::from_chars(m.name.data() + 7, m.name.data() + m.name.size(), k).ec == std::errc();
    if (there && k >= 1 && k <= std::ssize(of.curve)) at.emplace_back(k, &m);
  }
  std::sort(at.begin(), at.end());
  for (const auto& [k, m] : at) {
    dots.x.push_back(static_cast<double>(k));
    dots.y.push_back(m->value / unit);
    band.low.push_back(m->low / unit);
    band.high.push_back(m->high / unit);
  }
  dots.bands.push_back(std::move(band));
  dots.draw = attn::report::Draw::dots;
  dots.color = 0;
  return dots;
}

/// What a reader takes from the curve, in a sentence or two.
std::string depth_words(const RankPage& of, const std::vector<double>& best,
                        const std::vector<double>& chance) {
  const auto& curve = of.curve;
  const size_t k = std::min<size_t>(5, curve.size());
  std::string out;
  if (std::isfinite(curve[k - 1])) {
    out = fmt::format("Hedging the first {} of each list {} {} a list on average",
                      counted(static_cast<int64_t>(k), "trader", "traders"),
                      curve[k - 1] < 0 ? "loses" : "saves", money_text(std::abs(curve[k - 1])));
    if (of.hedge != nullptr && of.hedge->total.cost > 0) out += ", before what the hedges cost";
    if (!best.empty())
      out += fmt::format("; in the best order it would save {}, in a random one {}",
                         money_text(best[k - 1]), money_text(chance[k - 1]));
    out += ". ";
  }
  size_t peak = curve.size();
  for (size_t i = 0; i < curve.size(); ++i)
    if (std::isfinite(curve[i]) && (peak == curve.size() || curve[i] > curve[peak])) peak = i;
  if (peak == curve.size()) return out;
  if (curve[peak] <= 0) return out + "No number of traders hedged saves money on average.";
  return out + fmt::format(
                   "Most is saved with the first {}: {}. A number chosen by this curve is chosen "
                   "on these very lists and will save less on others.",
                   peak + 1, money_text(curve[peak]));
}

}  // namespace

void add_depth(attn::report::ReportSection& page, const RankPage& of) {
  if (of.curve.empty()) return;
  const bool money = of.lists != nullptr && of.lists->lists() > 0 && !of.lists->profit.empty() &&
                     all_finite(of.lists->profit);
  const auto best = money ? best_curve(*of.lists, of.curve.size()) : std::vector<double>();
  const auto chance = money ? chance_curve(*of.lists, of.curve.size()) : std::vector<double>();
  std::vector<double> all = of.curve;
  all.insert(all.end(), best.begin(), best.end());
  all.insert(all.end(), chance.begin(), chance.end());
  const MoneyScale scale = money_scale(all);
  std::vector<Series> series{depth_line("these scores", of.curve, scale.unit, 0)};
  if (Series dots = interval_dots(of, scale.unit); !dots.x.empty())
    series.push_back(std::move(dots));
  if (money) {
    series.push_back(depth_line("best possible order", best, scale.unit, 2));
    series.push_back(depth_line("chance (a random order)", chance, scale.unit, -2));
    series.back().dashed = true;
    series.back().width = 1.5;
  }
  attn::report::ChartOptions options;
  options.title = "Mean money saved a list, by the number of its traders hedged";
  options.x_label = "traders hedged, from the highest score down";
  options.y_label = scale.label;
  options.width = kWide;
  options.x_whole = true;
  options.x_range = {0, static_cast<double>(of.curve.size())};
  page.heading("How far down the list hedging pays");
  page.paragraph(depth_words(of, best, chance));
  page.chart(attn::report::line_chart(series, options),
             "The mean over lists of the profits of the first k traders, before the cost of "
             "hedging; a list of fewer counts with all it has. The best order puts the highest "
             "profits first, which nobody knows beforehand.");
}

}  // namespace finance
