// Whether a higher score means more risk and more profit.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "finance/report/parts.h"
#include "finance/report/words.h"

namespace finance {
namespace {

using attn::report::ChartOptions;

/// Mean over the rows of all groups; NaN where there are none.
double mean_of(const std::vector<CalibrationBin>& bins, double CalibrationBin::*number) {
  double sum = 0, rows = 0;
  for (const CalibrationBin& bin : bins) {
    sum += static_cast<double>(bin.rows) * bin.*number;
    rows += static_cast<double>(bin.rows);
  }
  return rows > 0 ? sum / rows : NAN;
}

ChartOptions options_of(const std::string& title, const std::string& y_label) {
  ChartOptions options;
  options.title = title;
  options.x_label = "group of rows, by rising score";
  options.y_label = y_label;
  options.width = kHalf;
  options.height = 300;
  return options;
}

std::string share_chart(const std::vector<CalibrationBin>& bins) {
  attn::report::Series dots{.name = "", .x = {}, .y = {}};
  double most = 0;
  for (size_t i = 0; i < bins.size(); ++i) {
    dots.x.push_back(static_cast<double>(i + 1));
    dots.y.push_back(100 * bins[i].positives);
    dots.low.push_back(100 * bins[i].low);
    dots.high.push_back(100 * bins[i].high);
    for (const double v : {bins[i].positives, bins[i].high})
      if (std::isfinite(v)) most = std::max(most, 100 * v);
  }
  ChartOptions options = options_of("Risky rows", "risky, % of the group");
  options.x_whole = true;
  options.x_range = {0.5, static_cast<double>(bins.size()) + 0.5};
  options.y_range = {0, attn::report::nice_ticks(0, std::max(most, 1.0), 6).back()};
  options.rules.push_back(
      {.at = 100 * mean_of(bins, &CalibrationBin::positives), .name = "all rows"});
  return attn::report::scatter_chart({dots}, options);
}

std::string profit_chart(const std::vector<CalibrationBin>& bins) {
  std::vector<std::string> names;
  std::vector<double> profits;
  for (const CalibrationBin& bin : bins) {
    names.push_back(std::to_string(names.size() + 1));
    profits.push_back(bin.profit);
  }
  const MoneyScale scale = money_scale(profits);
  for (double& v : profits) v /= scale.unit;
  return attn::report::bar_chart(names, {{.name = "", .value = profits}},
                                 options_of("Mean profit of a row", scale.label));
}

attn::report::ReportTable table_of(const std::vector<CalibrationBin>& bins, bool labels,
                                   bool profits) {
  attn::report::ReportTable table{.columns = {"group", "rows", "mean score"}, .rows = {}};
  if (labels) table.columns.insert(table.columns.end(), {"risky", "95 % interval"});
  if (profits) table.columns.emplace_back("mean profit");
  for (const CalibrationBin& bin : bins) {
    std::vector<std::string> row{std::to_string(table.rows.size() + 1), count_text(bin.rows),
                                 attn::report::format_number(bin.score)};
    if (labels) {
      row.push_back(percent(bin.positives));
      row.push_back(std::isfinite(bin.low) ? percent(bin.low) + " to " + percent(bin.high) : "-");
    }
    if (profits) row.push_back(money_text(bin.profit));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string words(const std::vector<CalibrationBin>& bins, bool labels, bool profits) {
  std::string out = fmt::format(
      "All rows in {} of equal size, from the lowest scores (1) to the highest ({}). Where scores "
      "tell something, the groups rise from left to right.",
      counted(static_cast<int64_t>(bins.size()), "group", "groups"), bins.size());
  if (labels)
    out += fmt::format(" Of the highest group {} are risky, of the lowest {}, of all rows {}.",
                       percent(bins.back().positives), percent(bins.front().positives),
                       percent(mean_of(bins, &CalibrationBin::positives)));
  if (profits)
    out += fmt::format(" A row of the highest group makes {} on average, one of the lowest {}.",
                       signed_money(bins.back().profit), signed_money(bins.front().profit));
  return out;
}

}  // namespace

void add_calibration(attn::report::ReportSection& page, const RankPage& of) {
  const auto known = [&](double CalibrationBin::*number) {
    return std::any_of(of.bins.begin(), of.bins.end(),
                       [&](const CalibrationBin& bin) { return std::isfinite(bin.*number); });
  };
  const bool labels = known(&CalibrationBin::positives), profits = known(&CalibrationBin::profit);
  if (!labels && !profits) return;
  page.heading("Whether a higher score means more risk");
  page.paragraph(words(of.bins, labels, profits));
  std::vector<attn::report::ReportSection> charts;
  if (labels)
    charts.emplace_back().chart(share_chart(of.bins),
                                "Share of risky rows (label above 0); bars: Wilson's 95 % "
                                "interval, as if rows were drawn one by one.");
  if (profits)
    charts.emplace_back().chart(profit_chart(of.bins),
                                "Mean profit: what hedging one more row of the group saves.");
  page.columns(charts);
  attn::report::ReportSection inside;
  inside.table(table_of(of.bins, labels, profits));
  page.details("The groups in numbers", inside);
}

}  // namespace finance
