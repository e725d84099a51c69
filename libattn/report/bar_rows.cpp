#include "libattn/report/bar_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attn/error.h"
#include "libattn/report/report.h"
#include "libattn/report/svg_axes.h"

namespace attn::report {
namespace {

constexpr double kRow = 24, kBar = 15;  // pixels
constexpr double kNumber = 62;          // at least so much beside a bar's end

/// The name, or as much of it as has room.
std::string fitted(const std::string& name, double room) {
  if (estimated_width(name) <= room) return name;
  std::string out;
  for (size_t i = 0; i < name.size();) {
    size_t next = i + 1;  // behind the UTF-8 character
    while (next < name.size() && (static_cast<unsigned char>(name[next]) & 0xC0U) == 0x80U) ++next;
    const std::string longer = out + name.substr(i, next - i);
    if (estimated_width(longer) + 7 > room) break;
    out = longer;
    i = next;
  }
  return out + "…";
}

Axis axis_over(const BarRows& bars, double from, double to) {
  Axis axis;
  axis.low = axis.high = 0;
  for (const auto* values : {&bars.values, &bars.low, &bars.high})
    for (const double value : *values) {
      if (!std::isfinite(value)) continue;
      axis.low = std::min(axis.low, value);
      axis.high = std::max(axis.high, value);
    }
  if (axis.low == axis.high) axis.high = 1;
  axis.from = from;
  axis.to = to;
  return axis;
}

void check(const BarRows& bars) {
  const auto fits = [&](size_t count) { return count == 0 || count == bars.names.size(); };
  if (bars.names.size() != bars.values.size())
    throw Error(fmt::format("chart: {} bars have {} names; expected one each", bars.values.size(),
                            bars.names.size()));
  if (!fits(bars.low.size()) || bars.low.size() != bars.high.size() || !fits(bars.texts.size()))
    throw Error(
        fmt::format("chart: {} bars have {} low and {} high ends and {} texts; expected as many "
                    "of each, or none",
                    bars.values.size(), bars.low.size(), bars.high.size(), bars.texts.size()));
}

/// Pixels beside the ends of the bars, for the longest text.
double room_for(const BarRows& bars) {
  double room = kNumber;
  for (const std::string& text : bars.texts) room = std::max(room, estimated_width(text) + 14);
  return room;
}

/// Bar `i` with its error bar and its text, between y and y + kBar.
std::string draw_bar(const BarRows& bars, size_t i, const Axis& axis, double y) {
  const double value = bars.values[i], zero = axis(0);
  const double end = std::isfinite(value) ? axis(value) : zero;
  std::string svg = fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
                                pixel(std::min(zero, end)), pixel(y), pixel(std::abs(end - zero)),
                                pixel(kBar), series_color(i));
  double left = std::min(zero, end), right = std::max(zero, end);
  if (!bars.low.empty() && std::isfinite(bars.low[i]) && std::isfinite(bars.high[i])) {
    const double low = axis(bars.low[i]), high = axis(bars.high[i]);
    svg += fmt::format(
        "<path d=\"M{0} {2}H{1}M{0} {3}v8M{1} {3}v8\" stroke=\"currentColor\" "
        "stroke-opacity=\".75\" fill=\"none\"/>",
        pixel(low), pixel(high), pixel(y + kBar / 2), pixel(y + kBar / 2 - 4));
    left = std::min(left, low), right = std::max(right, high);
  }
  const std::string text = bars.texts.empty() ? format_number(value) : bars.texts[i];
  return svg +
         svg_text(end < zero ? left - 6 : right + 6, y + 12, text, end < zero ? "end" : "start");
}

}  // namespace

std::string bar_rows(const BarRows& bars, const ChartOptions& options) {
  check(bars);
  double label = 0;
  for (const std::string& name : bars.names) label = std::max(label, estimated_width(name));
  label = std::min(label, 0.45 * options.width);
  const double top = options.title.empty() ? 8 : 30, left = label + 16, room = room_for(bars);
  const bool below =
      std::any_of(bars.values.begin(), bars.values.end(), [](double v) { return v < 0; });
  const Axis axis = axis_over(bars, left + (below ? room : 0), options.width - room);
  std::string svg;
  if (!options.title.empty()) svg += svg_text(8, 18, options.title, "start", "class=\"title\"");
  for (size_t i = 0; i < bars.names.size(); ++i) {
    const double y = top + kRow * static_cast<double>(i);
    svg += svg_text(left - 8, y + 12, fitted(bars.names[i], label), "end") +
           draw_bar(bars, i, axis, y);
  }
  const double bottom = top + kRow * static_cast<double>(bars.names.size());
  svg += fmt::format("<path class=\"axis\" d=\"M{} {}V{}\"/>", pixel(axis(0)), pixel(top - 4),
                     pixel(bottom - 4));
  ChartOptions sized = options;
  sized.height = static_cast<int>(bottom) + 4;
  return finish(sized, Frame{{}, {}, 0, 0, 0, 0, svg});
}

std::string bar_rows(const std::vector<std::string>& names, const std::vector<double>& values,
                     const ChartOptions& options) {
  return bar_rows(BarRows{.names = names, .values = values}, options);
}

}  // namespace attn::report
