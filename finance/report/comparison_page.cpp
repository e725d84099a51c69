// Several scorings of the same lists side by side.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "finance/report/parts.h"
#include "finance/report/words.h"
#include "libattn/report/bar_rows.h"

namespace finance {
namespace {

using attn::report::ReportSection;
using attn::report::ReportTable;

constexpr size_t kColors = 6, kPairs = 6, kMostPairs = 60;
constexpr size_t kShown = 30;  // metrics

std::vector<std::string> labels_of(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(short_name(name));
  return out;
}

const Metric* find(const std::vector<Metric>& metrics, const std::string& name) {
  const auto found =
      std::find_if(metrics.begin(), metrics.end(), [&](const Metric& m) { return m.name == name; });
  return found == metrics.end() ? nullptr : &*found;
}

/// Names of the metrics, those of the first scoring first.
std::vector<std::string> metric_names(const ScoreComparison& comparison) {
  std::vector<std::string> out;
  for (const auto& of : comparison.metrics)
    for (const Metric& m : of)
      if (std::find(out.begin(), out.end(), m.name) == out.end()) out.push_back(m.name);
  return out;
}

std::string drawn_metric(const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), "profit@5") != names.end()) return "profit@5";
  const auto money = std::find_if(names.begin(), names.end(),
                                  [](const auto& n) { return n.starts_with("profit@"); });
  return money != names.end() ? *money : names.front();
}

std::string bars_of(const ScoreComparison& comparison, const std::vector<std::string>& labels,
                    const std::string& metric, double level) {
  attn::report::BarRows bars{.names = labels, .values = {}};
  for (const auto& metrics : comparison.metrics) {
    const Metric* m = find(metrics, metric);
    bars.values.push_back(m == nullptr ? NAN : m->value);
    bars.low.push_back(m == nullptr ? NAN : m->low);
    bars.high.push_back(m == nullptr ? NAN : m->high);
    bars.texts.push_back(metric_text(metric, bars.values.back()));
  }
  attn::report::ChartOptions options;
  options.title = fmt::format("{}, with {} intervals", metric, level_text(level));
  options.width = kWide;
  return attn::report::bar_rows(bars, options);
}

ReportTable metric_table(const ScoreComparison& comparison, const std::vector<std::string>& labels,
                         const std::vector<std::string>& metrics) {
  ReportTable table{.columns = {"metric"}, .rows = {}};
  table.columns.insert(table.columns.end(), labels.begin(), labels.end());
  table.columns.emplace_back("what it says");
  for (const std::string& name : metrics) {
    std::vector<std::string> row{name};
    for (const auto& of : comparison.metrics) {
      const Metric* m = find(of, name);
      if (m == nullptr) {
        row.emplace_back("-");
        continue;
      }
      const std::string interval = metric_interval(name, m->low, m->high);
      row.push_back(metric_text(name, m->value) + (interval == "-" ? "" : " (" + interval + ")"));
    }
    row.push_back(metric_meaning(name));
    table.rows.push_back(std::move(row));
  }
  return table;
}

void add_curves(ReportSection& page, const std::vector<std::vector<double>>& curves,
                const std::vector<std::string>& labels) {
  std::vector<double> all;
  size_t longest = 0;
  for (const auto& curve : curves) {
    all.insert(all.end(), curve.begin(), curve.end());
    longest = std::max(longest, curve.size());
  }
  if (longest == 0) return;
  const MoneyScale scale = money_scale(all);
  std::vector<attn::report::Series> series;
  for (size_t i = 0; i < curves.size(); ++i) {
    if (curves[i].empty()) continue;
    series.push_back(depth_line(labels[i], curves[i], scale.unit, static_cast<int>(i % kColors)));
    series.back().dashed = i / kColors % 2 == 1;
  }
  attn::report::ChartOptions options;
  options.title = "Mean money saved a list, by the number of its traders hedged";
  options.x_label = "traders hedged, from the highest score down";
  options.y_label = scale.label;
  options.width = kWide;
  options.height = 400;
  options.x_whole = true;
  options.x_range = {0, static_cast<double>(longest)};
  page.heading("How far down the list hedging pays");
  page.chart(attn::report::line_chart(series, options),
             "The mean over lists of the profits of the first k traders, before the cost of "
             "hedging. A higher curve saves more.");
}

ReportTable difference_table(const ScorePair& pair, const std::vector<std::string>& labels,
                             double level) {
  ReportTable table{
      .columns = {"metric", "difference", level_text(level) + " interval", "share not better",
                  "lists"},
      .rows = {},
      .caption = fmt::format("{} less {}.", labels.at(static_cast<size_t>(pair.later)),
                             labels.at(static_cast<size_t>(pair.earlier)))};
  for (const Difference& d : pair.differences) {
    const std::string value =
        is_money(d.metric)
            ? signed_money(d.value)
            : fmt::format("{}{}", d.value > 0 ? "+" : "", attn::report::format_number(d.value));
    table.rows.push_back({d.metric, value, metric_interval(d.metric, d.low, d.high),
                          percent(d.not_better), count_text(d.lists)});
  }
  return table;
}

void add_differences(ReportSection& page, const ScoreComparison& comparison,
                     const std::vector<std::string>& labels, double level) {
  const auto& pairs = comparison.pairs;
  if (pairs.empty()) return;
  page.heading("Whether one is really better");
  page.paragraph(
      "Both scorings are taken on the same lists, drawn anew with replacement: what makes a list "
      "easy or hard for both drops out, so an interval here can leave out 0 although the intervals "
      "above overlap. Share not better: of such draws, those in which the later scoring is no "
      "better; a small share speaks for it, but only for a metric and a pair chosen before "
      "looking: of many, some are small by luck.");
  const auto table = [&](size_t i) { return difference_table(pairs[i], labels, level); };
  for (size_t i = 0; i < std::min(pairs.size(), kPairs); ++i)
    add_long_table(page, table(i), kShown, "more metrics");
  if (pairs.size() <= kPairs) return;
  ReportSection inside;
  for (size_t i = kPairs; i < std::min(pairs.size(), kMostPairs); ++i)
    add_long_table(inside, table(i), kShown, "more metrics");
  page.details(pairs.size() <= kMostPairs ? fmt::format("The other {} pairs", pairs.size() - kPairs)
                                          : fmt::format("{} of the other {} pairs",
                                                        kMostPairs - kPairs, pairs.size() - kPairs),
               inside);
}

int64_t most_lists(const ScoreComparison& comparison) {
  int64_t out = 0;
  for (const auto& metrics : comparison.metrics)
    for (const Metric& m : metrics) out = std::max(out, m.lists);
  return out;
}

}  // namespace

attn::report::Report comparison_page(const ScoreComparison& comparison,
                                     const std::vector<std::string>& names,
                                     const std::vector<std::vector<double>>& curves,
                                     const std::string& subtitle, double level) {
  if (comparison.metrics.size() != names.size() ||
      (!curves.empty() && curves.size() != names.size()))
    throw std::logic_error("comparison_page: metrics, names and curves are not as many");
  attn::report::Report report("attn-rank: scorings compared", subtitle);
  const auto labels = labels_of(names), metrics = metric_names(comparison);
  report.paragraph(
      "Every scoring orders the same lists; of equal scores the earlier row stands first. Money is "
      "in the unit of the data: the profit of a row is what hedging it saves, below 0 what hedging "
      "it gives away.");
  if (!metrics.empty()) {
    report.heading("The scorings side by side");
    report.chart(bars_of(comparison, labels, drawn_metric(metrics), level),
                 metric_meaning(drawn_metric(metrics)));
    auto table = metric_table(comparison, labels, metrics);
    table.caption =
        fmt::format("Value, and {} interval. Of each the larger is the better.", level_text(level));
    add_long_table(report, table, kShown, "more metrics");
    report.paragraph(interval_words(level, most_lists(comparison)));
  }
  add_differences(report, comparison, labels, level);
  add_curves(report, curves, labels);
  return report;
}

}  // namespace finance
