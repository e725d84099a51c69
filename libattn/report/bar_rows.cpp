#include "libattn/report/bar_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attn/error.h"
#include "libattn/report/report.h"
#include "libattn/report/svg_axes.h"

namespace attn::report {
namespace {

constexpr double kRow = 24, kBar = 15, kNumber = 62;  // pixels; kNumber: beside a bar's end

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

Axis axis_over(const std::vector<double>& values, double from, double to) {
  Axis axis;
  axis.low = axis.high = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    axis.low = std::min(axis.low, value);
    axis.high = std::max(axis.high, value);
  }
  if (axis.low == axis.high) axis.high = 1;
  axis.from = from;
  axis.to = to;
  return axis;
}

}  // namespace

std::string bar_rows(const std::vector<std::string>& names, const std::vector<double>& values,
                     const ChartOptions& options) {
  if (names.size() != values.size())
    throw Error(fmt::format("chart: {} bars have {} names; expected one each", values.size(),
                            names.size()));
  double label = 0;
  for (const std::string& name : names) label = std::max(label, estimated_width(name));
  label = std::min(label, 0.45 * options.width);
  const double top = options.title.empty() ? 8 : 30, left = label + 16;
  const bool below = std::any_of(values.begin(), values.end(), [](double v) { return v < 0; });
  const Axis axis = axis_over(values, left + (below ? kNumber : 0), options.width - kNumber);
  std::string svg;
  if (!options.title.empty()) svg += svg_text(8, 18, options.title, "start", "class=\"title\"");
  for (size_t i = 0; i < names.size(); ++i) {
    const double y = top + kRow * static_cast<double>(i), zero = axis(0);
    const bool there = std::isfinite(values[i]);
    const double end = there ? axis(values[i]) : zero;
    svg += svg_text(left - 8, y + 12, fitted(names[i], label), "end");
    svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
                       pixel(std::min(zero, end)), pixel(y), pixel(std::abs(end - zero)),
                       pixel(kBar), series_color(i));
    svg += svg_text(end < zero ? end - 6 : end + 6, y + 12, format_number(values[i]),
                    end < zero ? "end" : "start");
  }
  const double bottom = top + kRow * static_cast<double>(names.size());
  svg += fmt::format("<path class=\"axis\" d=\"M{} {}V{}\"/>", pixel(axis(0)), pixel(top - 4),
                     pixel(bottom - 4));
  ChartOptions sized = options;
  sized.height = static_cast<int>(bottom) + 4;
  return finish(sized, Frame{{}, {}, 0, 0, 0, 0, svg});
}

}  // namespace attn::report
