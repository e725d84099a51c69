#include "libattn/report/svg_axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace attn::report {
namespace {

// Width of a text at the charts' 12 px, estimated: the page's font is not known here.
double estimated_width(const std::string& text) {
  // Bytes that continue a UTF-8 character take no room of their own.
  const auto letters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  });
  return 6.6 * static_cast<double>(letters);
}

std::vector<double> decades(double low, double high) {
  std::vector<double> out;
  const auto first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  const auto last = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
  const int step = std::max(1, (last - first) / 6);
  for (int e = first; e <= last; e += step) out.push_back(std::pow(10.0, e));
  return out;
}

void draw_grid(Frame& frame, bool categories) {
  for (const double tick : frame.y.ticks) {
    const double y = frame.y(tick);
    frame.body += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>",
                              pixel(frame.left), pixel(frame.right), pixel(y), pixel(y));
    frame.body += svg_text(frame.left - 7, y + 4, tick_label(tick, frame.y), "end");
  }
  if (!categories) {
    for (const double tick : frame.x.ticks) {
      const double x = frame.x(tick);
      frame.body += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>",
                                pixel(x), pixel(x), pixel(frame.top), pixel(frame.bottom));
      frame.body += svg_text(x, frame.bottom + 17, tick_label(tick, frame.x), "middle");
    }
  }
  frame.body += fmt::format("<path class=\"axis\" d=\"M{} {}V{}H{}\"/>", pixel(frame.left),
                            pixel(frame.top), pixel(frame.bottom), pixel(frame.right));
}

struct Legend {
  double height = 0;
  std::string svg;
};

// Names in rows from (left, top), wrapped at `right`.
Legend make_legend(const std::vector<std::string>& names, double left, double right, double top) {
  Legend legend;
  double x = left;
  double y = top + 12;
  bool any = false;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    const double width = 22 + estimated_width(names[i]) + 16;
    if (any && x + width > right) {
      x = left;
      y += 18;
    }
    any = true;
    legend.svg +=
        fmt::format("<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"4\" rx=\"2\" fill=\"{}\"/>",
                    pixel(x), pixel(y - 6), series_color(i));
    legend.svg += svg_text(x + 20, y, names[i], "start");
    x += width;
  }
  if (any) legend.height = y - top + 8;
  return legend;
}

}  // namespace

double Axis::operator()(double value) const {
  const double share = log ? (std::log(value) - std::log(low)) / (std::log(high) - std::log(low))
                           : (value - low) / (high - low);
  return from + std::clamp(share, -1.0, 2.0) * (to - from);
}

bool Axis::shows(double value) const {
  return std::isfinite(value) && (!log || value > 0);
}

Axis make_axis(const std::vector<double>& values,
               const std::optional<std::pair<double, double>>& fixed, bool log, bool from_zero,
               int ticks) {
  Axis axis;
  axis.log = log;
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const double value : values) {
    if (!axis.shows(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (!(low <= high)) {
    low = log ? 0.1 : 0;
    high = 1;
  }
  if (from_zero && !log) {
    low = std::min(low, 0.0);
    high = std::max(high, 0.0);
  }
  if (low == high) {
    const double room = log ? 0 : std::max(std::abs(low) * 0.1, 1e-12);
    low = log ? low / 2 : low - room;
    high = log ? high * 2 : high + room;
  }
  const bool pinned = fixed && fixed->first < fixed->second && (!log || fixed->first > 0);
  if (pinned) std::tie(low, high) = *fixed;
  axis.ticks = log ? decades(low, high) : nice_ticks(low, high, ticks);
  if (!pinned && !axis.ticks.empty()) {
    low = std::min(low, axis.ticks.front());
    high = std::max(high, axis.ticks.back());
  }
  const double slack = 1e-9 * (high - low);
  std::erase_if(axis.ticks, [&](double t) { return t < low - slack || t > high + slack; });
  axis.low = low;
  axis.high = high;
  return axis;
}

Frame make_frame(const ChartOptions& options, Axis x, Axis y, const std::vector<std::string>& names,
                 bool categories) {
  Frame frame{std::move(x), std::move(y), 0, 0, 0, 0, {}};
  double label = 0;
  for (const double tick : frame.y.ticks)
    label = std::max(label, estimated_width(tick_label(tick, frame.y)));
  frame.left = 12 + label + (options.y_label.empty() ? 0 : 20);
  double half = 0;  // of the last tick's label, which is centred on the frame's right end
  if (!categories && !frame.x.ticks.empty())
    half = estimated_width(tick_label(frame.x.ticks.back(), frame.x)) / 2;
  frame.right = options.width - std::max(16.0, half + 4);
  double top = 8;
  if (!options.title.empty()) {
    frame.body += svg_text(frame.left, 18, options.title, "start", "class=\"title\"");
    top = 28;
  }
  const Legend legend = make_legend(names, frame.left, frame.right, top);
  frame.body += legend.svg;
  frame.top = top + legend.height + 6;
  frame.bottom = std::max(options.height - (options.x_label.empty() ? 28.0 : 46.0), frame.top + 20);
  frame.x.from = frame.left;
  frame.x.to = frame.right;
  frame.y.from = frame.bottom;
  frame.y.to = frame.top;
  draw_grid(frame, categories);
  if (!options.x_label.empty()) {
    frame.body +=
        svg_text((frame.left + frame.right) / 2, options.height - 8.0, options.x_label, "middle");
  }
  if (!options.y_label.empty()) {
    const double middle = (frame.top + frame.bottom) / 2;
    frame.body += svg_text(14, middle, options.y_label, "middle",
                           fmt::format("transform=\"rotate(-90 14 {})\"", pixel(middle)));
  }
  return frame;
}

std::string finish(const ChartOptions& options, const Frame& frame) {
  // The style stands in every chart, so that one copied out of a page still reads.
  return fmt::format(
      "<svg class=\"chart\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "width=\"{0}\" height=\"{1}\" role=\"img\" "
      "aria-label=\"{2}\" font-family=\"system-ui,sans-serif\" font-size=\"12\" "
      "fill=\"currentColor\">"
      "<style>.grid{{stroke:currentColor;stroke-opacity:.14}}.axis{{stroke:currentColor;stroke-"
      "opacity:.6;fill:none}}"
      ".title{{font-weight:600;font-size:13px}}</style>{3}</svg>",
      options.width, options.height, escape_xml(options.title.empty() ? "chart" : options.title),
      frame.body);
}

std::string series_color(size_t index) {
  static constexpr std::array<const char*, 6> kPalette{"#0072B2", "#D55E00", "#009E73",
                                                       "#CC79A7", "#E69F00", "#56B4E9"};
  return kPalette[index % kPalette.size()];
}

std::string pixel(double value) {
  return fmt::format("{:.1f}", value);
}

std::string svg_text(double x, double y, const std::string& text, const std::string& anchor,
                     const std::string& more) {
  return fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\"{}{}>{}</text>", pixel(x), pixel(y),
                     anchor, more.empty() ? "" : " ", more, escape_xml(text));
}

std::string tick_label(double value, const Axis& axis) {
  if (axis.log || axis.ticks.size() < 2) return fmt::format("{:g}", value);
  const double step = std::abs(axis.ticks[1] - axis.ticks[0]);
  const double largest = std::max(std::abs(axis.ticks.front()), std::abs(axis.ticks.back()));
  if (largest >= 1e6 || step < 1e-5) return fmt::format("{:.3g}", value);
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  const double shown = std::abs(value) < step * 1e-6 ? 0 : value;  // no "-0.0"
  return fmt::format("{:.{}f}", shown, decimals);
}

}  // namespace attn::report
