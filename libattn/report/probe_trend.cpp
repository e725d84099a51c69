#include "libattn/report/probe_trend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "libattn/report/heat_map.h"

namespace attn::report {
namespace {

constexpr size_t kLines = 6;      // layers that a line chart keeps apart
constexpr size_t kBands = 2;      // and of which it can show the range of the heads
constexpr size_t kColumns = 100;  // steps side by side in a map

std::string line_trend(const ProbeReport& probe, Number number, const ChartOptions& options) {
  std::vector<Series> series;
  for (const auto& layer : probe.layers) {
    Series line{.name = layer.name, .x = {}, .y = {}, .dashed = series.size() % 2 == 1};
    for (const auto& step : layer.steps) {
      double low = ProbeHead::kNone, high = ProbeHead::kNone;
      for (const auto& head : step.heads) {
        low = std::fmin(low, head.*number);
        high = std::fmax(high, head.*number);
      }
      line.x.push_back(static_cast<double>(step.step));
      line.y.push_back(mean_of(step, number));
      if (probe.layers.size() > kBands) continue;
      line.low.push_back(low);
      line.high.push_back(high);
    }
    series.push_back(std::move(line));
  }
  return line_chart(series, options);
}

/// Layers by steps, means over heads and over the steps of a column.
std::string map_trend(const ProbeReport& probe, Number number, const ChartOptions& options) {
  const std::set<int64_t> all = steps_of(probe);
  const std::vector<int64_t> steps(all.begin(), all.end());
  const size_t together = (steps.size() + kColumns - 1) / kColumns;
  const size_t columns = (steps.size() + together - 1) / together;
  HeatMap map;
  for (size_t c = 0; c < columns; ++c) map.columns.push_back(std::to_string(steps[c * together]));
  for (const auto& layer : probe.layers) {
    std::vector<double> sum(columns, 0.0), count(columns, 0.0);
    for (const auto& step : layer.steps) {
      const double value = mean_of(step, number);
      if (!std::isfinite(value)) continue;
      const auto at = std::lower_bound(steps.begin(), steps.end(), step.step) - steps.begin();
      sum[static_cast<size_t>(at) / together] += value;
      count[static_cast<size_t>(at) / together] += 1;
    }
    map.rows.push_back(layer.name);
    auto& values = map.values.emplace_back();
    auto& tips = map.tooltips.emplace_back();
    for (size_t c = 0; c < columns; ++c) {
      values.push_back(count[c] > 0 ? sum[c] / count[c] : ProbeHead::kNone);
      tips.push_back(fmt::format("{}, {} {}: {}", layer.name, probe.step_name, map.columns[c],
                                 format_number(values.back())));
    }
  }
  return heat_map_chart(map, options);
}

}  // namespace

size_t heads_of(const ProbeReport& probe) {
  size_t heads = 0;
  for (const auto& layer : probe.layers)
    for (const auto& step : layer.steps) heads = std::max(heads, step.heads.size());
  return heads;
}

std::set<int64_t> steps_of(const ProbeReport& probe) {
  std::set<int64_t> steps;
  for (const auto& layer : probe.layers)
    for (const auto& step : layer.steps) steps.insert(step.step);
  return steps;
}

/// Mean over the heads that have the number.
double mean_of(const ProbeStep& step, Number number) {
  double sum = 0;
  int64_t count = 0;
  for (const ProbeHead& head : step.heads) {
    if (!std::isfinite(head.*number)) continue;
    sum += head.*number;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : ProbeHead::kNone;
}

void add_trend(ReportSection& page, const ProbeReport& probe) {
  if (steps_of(probe).size() < 2) return;
  page.heading(fmt::format("Over the {}s", probe.step_name));
  const bool lines = probe.layers.size() <= kLines;
  const auto chart = [&](Number number, const std::string& title, const std::string& caption) {
    ChartOptions options;
    options.title = title;
    options.x_label = probe.step_name;
    options.width = kProbeWidth;
    options.height = 320;
    options.y_range = std::pair{0.0, 1.0};
    page.chart(lines ? line_trend(probe, number, options) : map_trend(probe, number, options),
               caption);
  };
  std::string heads;
  if (heads_of(probe) > 1)
    heads = probe.layers.size() <= kBands ? " Mean over the heads; the band is their range."
                                          : " Means over the heads.";
  chart(&ProbeHead::normalised_entropy, "Normalised entropy",
        "A fall towards 0 goes with unstable training." + heads);
  const bool sinks = std::any_of(probe.layers.begin(), probe.layers.end(), [](const auto& layer) {
    return std::isfinite(mean_of(layer.steps.back(), &ProbeHead::first_key_mass));
  });
  if (sinks) chart(&ProbeHead::first_key_mass, "Weight on the first key", heads);
}

}  // namespace attn::report
