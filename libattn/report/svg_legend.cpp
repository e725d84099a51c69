// The legend of a chart.
#include <fmt/format.h>

#include "libattn/report/svg_axes.h"

namespace attn::report {
namespace {

std::string legend_sign(const LegendItem& item, double x, double y) {
  switch (item.sign) {
    case LegendItem::Sign::line:
      return fmt::format("<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"4\" rx=\"2\" fill=\"{}\"/>",
                         pixel(x), pixel(y - 6), item.color);
    case LegendItem::Sign::area:
      return fmt::format(
          "<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"10\" fill=\"{}\" "
          "fill-opacity=\"{:.2f}\"/>",
          pixel(x), pixel(y - 9), item.color, item.opacity);
    case LegendItem::Sign::dot:
      return fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"3.2\" fill=\"{}\"/>", pixel(x + 7),
                         pixel(y - 4), item.color);
    case LegendItem::Sign::dashes:
      return fmt::format(
          "<path d=\"M{} {}h14\" stroke=\"{}\" stroke-opacity=\"{:g}\" stroke-dasharray=\"4 "
          "2\"/>",
          pixel(x), pixel(y - 4), item.color, item.opacity);
  }
  return "";
}

}  // namespace

std::vector<LegendItem> legend_items(const std::vector<std::string>& names) {
  std::vector<LegendItem> items;
  for (const std::string& name : names)
    items.push_back({.name = name, .color = series_color(items.size())});
  return items;
}

Legend make_legend(const std::vector<LegendItem>& items, double left, double right, double top) {
  Legend legend;
  double x = left;
  double y = top + 12;
  bool any = false;
  for (const LegendItem& item : items) {
    if (item.name.empty()) continue;
    const double width = 22 + estimated_width(item.name) + 16;
    if (any && x + width > right) {
      x = left;
      y += 18;
    }
    any = true;
    legend.svg += legend_sign(item, x, y);
    legend.svg += svg_text(x + 20, y, item.name, "start");
    x += width;
  }
  if (any) legend.height = y - top + 8;
  return legend;
}

}  // namespace attn::report
