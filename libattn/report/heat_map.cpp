#include "libattn/report/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "attn/error.h"
#include "libattn/report/svg_axes.h"

namespace attn::report {
namespace {

using Color = std::array<double, 3>;

/// Viridis (van der Walt and Smith 2015) at tenths of its range.
constexpr std::array<Color, 10> kViridis{{{68, 1, 84},
                                          {72, 40, 120},
                                          {62, 73, 137},
                                          {49, 104, 142},
                                          {38, 130, 142},
                                          {31, 158, 137},
                                          {53, 183, 121},
                                          {110, 206, 88},
                                          {181, 222, 43},
                                          {253, 231, 37}}};

Color color_at(double share) {
  const double at = std::clamp(share, 0.0, 1.0) * (kViridis.size() - 1);
  const auto i = std::min(static_cast<size_t>(at), kViridis.size() - 2);
  const double part = at - static_cast<double>(i);
  Color out{};
  for (size_t c = 0; c < out.size(); ++c)
    out[c] = kViridis[i][c] + part * (kViridis[i + 1][c] - kViridis[i][c]);
  return out;
}

void check(const HeatMap& map) {
  const auto fits = [&](const auto& table) {
    return table.size() == map.rows.size() &&
           std::all_of(table.begin(), table.end(),
                       [&](const auto& row) { return row.size() == map.columns.size(); });
  };
  if (fits(map.values) && (map.tooltips.empty() || fits(map.tooltips)) &&
      (map.marks.empty() || fits(map.marks)))
    return;
  throw Error(fmt::format("chart: the heat map's values, tooltips or marks are not {} rows of {}",
                          map.rows.size(), map.columns.size()));
}

size_t longest(const std::vector<std::string>& names) {
  size_t out = 0;
  for (const std::string& name : names) out = std::max(out, name.size());
  return out;
}

/// Where things lie, in pixels.
struct Layout {
  double left = 0, top = 0, cell_width = 0, cell_height = 0;
  double right = 0, bottom = 0;
};

Layout layout_of(const HeatMap& map, const ChartOptions& options) {
  constexpr double kBar = 74;  // of the colour bar and its labels
  Layout at;
  at.left = 14 + 6.6 * static_cast<double>(longest(map.rows));
  at.top = (options.title.empty() ? 6 : 28) + (options.x_label.empty() ? 0 : 18) + 18;
  const auto columns = static_cast<double>(std::max<size_t>(map.columns.size(), 1));
  const double room = std::max(options.width - at.left - kBar, 60.0);
  at.cell_width = std::min(room / columns, 64.0);
  at.cell_height = map.rows.size() <= 16 ? 26 : 16;
  at.right = at.left + columns * at.cell_width;
  at.bottom = at.top + static_cast<double>(map.rows.size()) * at.cell_height;
  return at;
}

void draw_cell(const HeatMap& map, const Layout& at, size_t i, size_t j, std::string& svg) {
  const double x = at.left + static_cast<double>(j) * at.cell_width;
  const double y = at.top + static_cast<double>(i) * at.cell_height;
  const double value = map.values[i][j];
  const double share = (value - map.low) / (map.high - map.low);
  const std::string tip =
      map.tooltips.empty() ? "" : "<title>" + escape_xml(map.tooltips[i][j]) + "</title>";
  const double gap = at.cell_width > 10 ? 1 : 0;
  const std::string shape =
      fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", pixel(x), pixel(y),
                  pixel(at.cell_width + (gap > 0 ? -1 : 0.4)), pixel(at.cell_height - 1));
  if (!std::isfinite(value)) {
    svg +=
        shape +
        " fill=\"none\" stroke=\"currentColor\" stroke-opacity=\".3\" stroke-dasharray=\"2 2\">" +
        tip + "</rect>";
    return;
  }
  svg += shape + fmt::format(" fill=\"{}\"", viridis(share)) +
         (tip.empty() ? "/>" : ">" + tip + "</rect>");
  const std::string mark = map.marks.empty() ? "" : map.marks[i][j];
  const bool number = at.cell_width >= 34 && at.cell_height >= 15;
  if (mark.empty() && !number) return;
  const std::string text = number ? fmt::format("{:.2f}{}", value, mark) : mark;
  svg += svg_text(x + (at.cell_width - gap) / 2, y + at.cell_height / 2 + 3.5, text, "middle",
                  fmt::format("fill=\"{}\" font-size=\"11\" pointer-events=\"none\"",
                              share < 0.45 ? "#fff" : "#000"));
}

/// Names above the columns, as many as have room.
void draw_columns(const HeatMap& map, const Layout& at, std::string& svg) {
  const double need = 6.6 * static_cast<double>(longest(map.columns)) + 8;
  const auto every = static_cast<size_t>(std::max(1.0, std::ceil(need / at.cell_width)));
  for (size_t j = 0; j < map.columns.size(); j += every)
    svg += svg_text(at.left + (static_cast<double>(j) + 0.5) * at.cell_width, at.top - 6,
                    map.columns[j], "middle");
}

void draw_bar(const HeatMap& map, const Layout& at, std::string& svg) {
  constexpr int kSteps = 32;
  const double height = std::max(at.bottom - at.top, 52.0), x = at.right + 16;
  const double step = height / kSteps;
  for (int i = 0; i < kSteps; ++i)
    svg +=
        fmt::format("<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"{}\" fill=\"{}\"/>", pixel(x),
                    pixel(at.top + i * step), pixel(step + 0.5), viridis(1 - (i + 0.5) / kSteps));
  for (const double share : {0.0, 0.5, 1.0})
    svg += svg_text(x + 17, at.top + (1 - share) * (height - 9) + 9,
                    fmt::format("{:g}", map.low + share * (map.high - map.low)), "start");
  if (!map.bar_label.empty()) svg += svg_text(x, at.top - 6, map.bar_label, "start");
}

}  // namespace

std::string viridis(double share) {
  const Color c = color_at(share);
  return fmt::format("#{:02x}{:02x}{:02x}", static_cast<int>(std::lround(c[0])),
                     static_cast<int>(std::lround(c[1])), static_cast<int>(std::lround(c[2])));
}

std::string heat_map_chart(const HeatMap& map, const ChartOptions& options) {
  check(map);
  const Layout at = layout_of(map, options);
  std::string svg;
  if (!options.title.empty())
    svg += svg_text(at.left, 18, options.title, "start", "class=\"title\"");
  if (!options.x_label.empty()) svg += svg_text(at.left, at.top - 24, options.x_label, "start");
  draw_columns(map, at, svg);
  for (size_t i = 0; i < map.rows.size(); ++i) {
    svg += svg_text(at.left - 8, at.top + (static_cast<double>(i) + 0.5) * at.cell_height + 3.5,
                    map.rows[i], "end");
    for (size_t j = 0; j < map.columns.size(); ++j) draw_cell(map, at, i, j, svg);
  }
  draw_bar(map, at, svg);
  ChartOptions sized = options;
  sized.height = static_cast<int>(std::ceil(std::max(at.bottom, at.top + 52) + 10));
  return finish(sized, Frame{{}, {}, at.left, at.right, at.top, at.bottom, svg});
}

}  // namespace attn::report
