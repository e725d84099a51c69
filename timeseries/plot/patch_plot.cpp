#include "timeseries/plot/patch_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "libattn/report/panels.h"
#include "timeseries/plot/curve.h"

namespace timeseries {
namespace {

using attn::report::ChartOptions;
using attn::report::Panel;
using attn::report::Region;
using attn::report::Series;

constexpr size_t kMostShaded = 600;  // narrower than the strokes between them otherwise
constexpr size_t kMostLarge = 150;   // dots that do not hide each other

void check(const PatchPlot& plot) {
  const auto length = static_cast<int64_t>(plot.values.size());
  bool good = plot.stamps.size() == plot.values.size() &&
              (plot.entropy.empty() || plot.entropy.size() == plot.values.size()) &&
              (plot.begins.empty() || plot.begins.front() == 0);
  for (size_t i = 0; i < plot.begins.size(); ++i)
    good = good && plot.begins[i] < length && (i == 0 || plot.begins[i - 1] < plot.begins[i]);
  for (const int64_t mark : plot.marks.value_or(std::vector<int64_t>()))
    good = good && mark >= 0 && mark < length;
  if (!good) throw std::logic_error("patch_chart: lengths differ, or a place is not in the series");
}

double stamp(const PatchPlot& plot, int64_t place) {
  return static_cast<double>(plot.stamps[static_cast<size_t>(place)]);
}

/// A patch ends half-way to the first value of the next.
double edge(const PatchPlot& plot, size_t patch) {
  if (patch == 0) return stamp(plot, 0);
  if (patch == plot.begins.size()) return static_cast<double>(plot.stamps.back());
  const int64_t begin = plot.begins[patch];
  return (stamp(plot, begin - 1) + stamp(plot, begin)) / 2;
}

std::vector<Region> shades(const PatchPlot& plot) {
  std::vector<Region> out;
  if (plot.begins.size() > kMostShaded) return out;
  for (size_t i = 1; i < plot.begins.size(); i += 2)
    out.push_back({.from = edge(plot, i), .to = edge(plot, i + 1), .opacity = 0.1});
  return out;
}

/// Of very many patches, the begins as strokes.
Series strokes(const PatchPlot& plot) {
  Series out{.name = "", .x = {}, .y = {}};
  out.draw = attn::report::Draw::rug;
  const size_t every = plot.begins.size() / kMostPoints + 1;
  for (size_t i = 0; i < plot.begins.size(); i += every) out.x.push_back(edge(plot, i));
  out.y.assign(out.x.size(), NAN);
  return out;
}

std::vector<int64_t> marks_of(const PatchPlot& plot) {
  if (plot.marks) return *plot.marks;
  std::vector<int64_t> out;
  for (size_t i = 1; i < plot.begins.size(); ++i) out.push_back(plot.begins[i] - 1);
  return out;
}

Series begun(const PatchPlot& plot) {
  Series out{.name = "begins a patch", .x = {}, .y = {}};
  out.draw = attn::report::Draw::dots;
  out.color = 1;
  const std::vector<int64_t> marks = marks_of(plot);
  const size_t every = marks.size() / kMostPoints + 1;
  if (marks.size() > kMostLarge) out.width = 1.2;
  for (size_t i = 0; i < marks.size(); i += every) {
    out.x.push_back(stamp(plot, marks[i]));
    out.y.push_back(plot.entropy[static_cast<size_t>(marks[i])]);
  }
  return out;
}

Panel upper(const PatchPlot& plot, std::vector<Region> regions) {
  Series line = curve("", plot.stamps, plot.values, 0);
  line.width = 1.5;
  Panel out{{std::move(line)}, {}};
  if (plot.begins.size() > kMostShaded) out.series.push_back(strokes(plot));
  out.options.y_label = plot.value_label;
  out.options.height = 240;
  out.options.regions = std::move(regions);
  return out;
}

Panel lower(const PatchPlot& plot, std::vector<Region> regions) {
  Series line = curve("entropy of the next value", plot.stamps, plot.entropy, 5);
  line.width = 1.5;
  Panel out{{std::move(line), begun(plot)}, {}};
  out.options.y_label = "nats";
  out.options.height = 170;
  out.options.regions = std::move(regions);
  int color = -1;  // that of the text, then of the palette what the panels leave
  for (const EntropyThreshold& threshold : plot.thresholds) {
    out.options.rules.push_back(
        {.at = threshold.value, .name = threshold.name, .color = color, .opacity = 0.8});
    color = std::max(color + 1, 2);
  }
  return out;
}

std::vector<double> lengths(const PatchPlot& plot) {
  std::vector<double> out;
  for (size_t i = 0; i < plot.begins.size(); ++i) {
    const auto end =
        i + 1 < plot.begins.size() ? plot.begins[i + 1] : static_cast<int64_t>(plot.values.size());
    out.push_back(static_cast<double>(end - plot.begins[i]));
  }
  return out;
}

}  // namespace

std::string patch_chart(const PatchPlot& plot) {
  check(plot);
  ChartOptions whole;
  whole.title = plot.title;
  whole.width = kPlotWidth;
  set_x_axis(whole, plot.dates, plot.stamps);
  const std::vector<Region> regions = shades(plot);
  std::vector<Panel> panels{upper(plot, regions)};
  if (!plot.entropy.empty()) panels.push_back(lower(plot, regions));
  return attn::report::stacked_panels(panels, whole);
}

attn::report::ReportSection patch_section(const PatchPlot& plot) {
  const std::vector<double> length = lengths(plot);
  std::string caption = counted(static_cast<int64_t>(length.size()), "patch", "patches") + " of " +
                        counted(static_cast<int64_t>(plot.values.size()), "value", "values");
  attn::report::ReportSection section;
  const std::string empty = any_known(plot.values) ? "" : " No value is known.";
  if (length.empty()) {
    section.chart(patch_chart(plot), caption + "." + empty);
    return section;
  }
  const auto [least, most] = std::minmax_element(length.begin(), length.end());
  caption += fmt::format(
      ", mean length {:.1f} ({} to {}).",
      static_cast<double>(plot.values.size()) / static_cast<double>(length.size()), *least, *most);
  section.chart(patch_chart(plot), caption + empty);
  ChartOptions options;
  options.title = "Lengths of patches";
  options.x_label = "values in a patch";
  options.y_label = "patches";
  options.height = 240;
  options.x_whole = true;
  if (length.size() > 1) section.chart(attn::report::histogram(length, options));
  return section;
}

}  // namespace timeseries
