#include "timeseries/plot/backtest_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>

#include "libattn/report/bar_rows.h"
#include "timeseries/plot/curve.h"

namespace timeseries {
namespace {

using attn::report::ChartOptions;
using attn::report::Series;

constexpr size_t kColors = 6;
constexpr int kHalf = 460;  // width of a chart beside another

/// "mase": "MASE"; "smape": "sMAPE, %".
std::string title_of(const std::string& metric) {
  std::string out = metric;
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (metric == "smape") out = "sMAPE";
  const bool relative = metric == "smape" || metric == "mape" || metric == "wape";
  return relative ? out + ", %" : out;
}

/// 1, 2, ... as stamps.
std::vector<int64_t> steps(size_t count) {
  std::vector<int64_t> out(count);
  std::iota(out.begin(), out.end(), int64_t{1});
  return out;
}

std::vector<double> percents(const std::vector<double>& shares) {
  std::vector<double> out;
  for (const double share : shares) out.push_back(100 * share);
  return out;
}

attn::report::ReportTable overall_table(const BacktestPlot& plot) {
  attn::report::ReportTable table{.columns = {"method"}, .rows = {}};
  for (const MetricPlot& metric : plot.metrics) table.columns.push_back(title_of(metric.metric));
  const auto& methods = plot.metrics.front().methods;
  for (size_t m = 0; m < methods.size(); ++m) {
    std::vector<std::string> row{methods[m].method};
    for (const MetricPlot& metric : plot.metrics)
      row.push_back(
          m < metric.methods.size() ? attn::report::format_number(metric.methods[m].overall) : "-");
    table.rows.push_back(std::move(row));
  }
  if (plot.windows > 0)
    table.caption = "Mean over " + counted(plot.windows, "window", "windows") + ".";
  return table;
}

}  // namespace

std::string horizon_chart(const MetricPlot& plot) {
  ChartOptions options;
  options.title = title_of(plot.metric) + " by step of the horizon";
  options.x_label = "step";
  options.width = kPlotWidth;
  options.height = 340;
  options.x_whole = true;
  std::vector<Series> series;
  size_t longest = 0;
  for (const MethodError& method : plot.methods) {
    Series line = curve(method.method, steps(method.by_step.size()), method.by_step,
                        static_cast<int>(series.size()));
    line.dashed = series.size() >= kColors;
    series.push_back(std::move(line));
    longest = std::max(longest, method.by_step.size());
  }
  if (longest > 1) options.x_range = {1, static_cast<double>(longest)};
  return attn::report::line_chart(series, options);
}

std::string overall_chart(const MetricPlot& plot) {
  ChartOptions options;
  options.title = title_of(plot.metric);
  options.width = kHalf;
  std::vector<std::string> names;
  std::vector<double> values;
  for (const MethodError& method : plot.methods) {
    names.push_back(method.method);
    values.push_back(method.overall);
  }
  return attn::report::bar_rows(names, values, options);
}

std::string coverage_chart(std::span<const CoverageCurve> curves) {
  ChartOptions options;
  options.title = "Coverage of the intervals";
  options.x_label = "level, %";
  options.y_label = "values inside, %";
  options.width = kHalf;
  options.height = 400;
  options.x_range = options.y_range = {0.0, 100.0};
  std::vector<Series> series;
  for (const CoverageCurve& one : curves) {
    const auto color = static_cast<int>(series.size() / 2);
    Series line{.name = one.method, .x = percents(one.levels), .y = percents(one.coverage)};
    line.color = color;
    Series dots = line;
    dots.name.clear();
    dots.draw = attn::report::Draw::dots;
    series.push_back(std::move(line));
    series.push_back(std::move(dots));
  }
  Series promised{.name = "as promised", .x = {0, 100}, .y = {0, 100}, .dashed = true};
  promised.color = -2;
  promised.width = 1;
  series.push_back(std::move(promised));
  return attn::report::line_chart(series, options);
}

attn::report::ReportSection backtest_section(const BacktestPlot& plot) {
  attn::report::ReportSection section;
  if (!plot.metrics.empty()) section.table(overall_table(plot));
  std::vector<attn::report::ReportSection> bars;
  for (const MetricPlot& metric : plot.metrics) {
    section.chart(horizon_chart(metric));
    attn::report::ReportSection& one = bars.emplace_back();
    one.chart(overall_chart(metric));
  }
  if (!bars.empty()) section.columns(bars);
  if (!plot.coverage.empty())
    section.chart(coverage_chart(plot.coverage),
                  "A point below the diagonal: intervals too narrow; above: too wide.");
  return section;
}

}  // namespace timeseries
