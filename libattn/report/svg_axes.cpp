#include "libattn/report/svg_axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "libattn/report/date_ticks.h"

namespace attn::report {
namespace {

std::vector<double> decades(double low, double high) {
  std::vector<double> out;
  const auto first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  const auto last = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
  const int step = std::max(1, (last - first) / 6);
  for (int e = first; e <= last; e += step) out.push_back(std::pow(10.0, e));
  return out;
}

std::string label_of(const Axis& axis, size_t tick) {
  return axis.labels.empty() ? tick_label(axis.ticks[tick], axis) : axis.labels[tick];
}

/// Where a text centred on x has to stand to be whole on a picture of that width.
double whole_text(double x, const std::string& text, double width) {
  const double half = estimated_width(text) / 2;
  return std::max(std::min(x, width - 2 - half), 2 + half);
}

bool has_contexts(const Axis& x) {
  return std::any_of(x.contexts.begin(), x.contexts.end(),
                     [](const std::string& context) { return !context.empty(); });
}

/// Labels of dates: one line, and under it what they leave open, as far as it has room.
void draw_dates(Frame& frame, double width) {
  double label_end = -1e9, context_end = -1e9;
  const auto draw = [&](double x, double down, const std::string& text, double& end) {
    const double at = whole_text(x, text, width), half = estimated_width(text) / 2;
    if (text.empty() || at - half < end) return;
    frame.body += svg_text(at, frame.bottom + down, text, "middle");
    end = at + half + 4;
  };
  for (size_t i = 0; i < frame.x.ticks.size(); ++i) {
    const double x = frame.x(frame.x.ticks[i]);
    draw(x, 17, frame.x.labels[i], label_end);
    draw(x, 32, frame.x.contexts[i], context_end);
  }
}

Axis make_date_axis(const std::vector<double>& values, const ChartOptions& options) {
  Axis axis = make_axis(values, options.x_range, false, false, 8);
  if (!options.x_range) {  // not rounded to ticks: the data's own ends
    Axis data;
    axis.low = std::numeric_limits<double>::infinity();
    axis.high = -axis.low;
    for (const double value : values) {
      if (!data.shows(value)) continue;
      axis.low = std::min(axis.low, value);
      axis.high = std::max(axis.high, value);
    }
    if (!(axis.low < axis.high)) {
      const double at = std::isfinite(axis.low) ? axis.low : 0;
      axis.low = at - 43200;
      axis.high = at + 43200;
    }
  }
  constexpr int kLabel = 84;  // pixels of the longest context and a gap
  const std::vector<DateTick> ticks =
      date_ticks(axis.low, axis.high, std::max(2, (options.width - 80) / kLabel));
  if (ticks.empty()) {
    axis.ticks = nice_ticks(axis.low, axis.high, 4);
    std::erase_if(axis.ticks, [&](double t) { return t < axis.low || t > axis.high; });
    return axis;
  }
  axis.ticks.clear();
  for (const DateTick& tick : ticks) {
    axis.ticks.push_back(tick.at);
    axis.labels.push_back(tick.label);
    axis.contexts.push_back(tick.context);
  }
  return axis;
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

Axis make_x_axis(const std::vector<double>& values, const ChartOptions& options) {
  if (options.x_dates && !options.log_x) return make_date_axis(values, options);
  Axis axis = make_axis(values, options.x_range, options.log_x, false, 8);
  if (options.x_whole && !options.log_x) {
    std::erase_if(axis.ticks, [](double t) { return std::abs(t - std::round(t)) > 1e-6; });
    for (double& tick : axis.ticks) tick = std::round(tick);
  }
  return axis;
}

double left_margin(const ChartOptions& options, const Axis& y) {
  double label = 0;
  for (size_t i = 0; i < y.ticks.size(); ++i)
    label = std::max(label, estimated_width(label_of(y, i)));
  return 12 + label + (options.y_label.empty() ? 0 : 20);
}

double right_margin(const Axis& x, bool categories) {
  double half = 0;  // of the last tick's label, which is centred on the frame's right end
  if (!categories && x.labels.empty() && !x.ticks.empty())
    half = estimated_width(label_of(x, x.ticks.size() - 1)) / 2;
  return std::max(16.0, half + 4);
}

double bottom_margin(const ChartOptions& options, const Axis& x) {
  return (options.x_label.empty() ? 28.0 : 46.0) + (has_contexts(x) ? 15 : 0);
}

void place_axes(Frame& frame) {
  frame.x.from = frame.left;
  frame.x.to = frame.right;
  frame.y.from = frame.bottom;
  frame.y.to = frame.top;
}

void draw_grid(Frame& frame, XAxis x_axis, double width) {
  for (size_t i = 0; i < frame.y.ticks.size(); ++i) {
    const double y = frame.y(frame.y.ticks[i]);
    frame.body += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>",
                              pixel(frame.left), pixel(frame.right), pixel(y), pixel(y));
    frame.body += svg_text(frame.left - 7, y + 4, label_of(frame.y, i), "end");
  }
  const bool dates = !frame.x.labels.empty();
  for (size_t i = 0; x_axis != XAxis::none && i < frame.x.ticks.size(); ++i) {
    const double x = frame.x(frame.x.ticks[i]);
    frame.body += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>",
                              pixel(x), pixel(x), pixel(frame.top), pixel(frame.bottom));
    if (x_axis == XAxis::labels && !dates)
      frame.body += svg_text(x, frame.bottom + 17, label_of(frame.x, i), "middle");
  }
  if (x_axis == XAxis::labels && dates) draw_dates(frame, width);
  frame.body += fmt::format("<path class=\"axis\" d=\"M{} {}V{}H{}\"/>", pixel(frame.left),
                            pixel(frame.top), pixel(frame.bottom), pixel(frame.right));
}

void draw_x_title(Frame& frame, const std::string& title, double height) {
  if (title.empty()) return;
  frame.body += svg_text((frame.left + frame.right) / 2, height - 8.0, title, "middle");
}

void draw_y_title(Frame& frame, const std::string& title) {
  if (title.empty()) return;
  const double middle = (frame.top + frame.bottom) / 2;
  frame.body += svg_text(14, middle, title, "middle",
                         fmt::format("transform=\"rotate(-90 14 {})\"", pixel(middle)));
}

Frame make_frame(const ChartOptions& options, Axis x, Axis y, const std::vector<LegendItem>& items,
                 bool categories) {
  Frame frame{std::move(x), std::move(y), 0, 0, 0, 0, {}};
  frame.left = left_margin(options, frame.y);
  frame.right = options.width - right_margin(frame.x, categories);
  double top = 8;
  if (!options.title.empty()) {
    frame.body += svg_text(frame.left, 18, options.title, "start", "class=\"title\"");
    top = 28;
  }
  const Legend legend = make_legend(items, frame.left, frame.right, top);
  frame.body += legend.svg;
  frame.top = top + legend.height + 6;
  frame.bottom = std::max(options.height - bottom_margin(options, frame.x), frame.top + 20);
  place_axes(frame);
  draw_grid(frame, categories ? XAxis::none : XAxis::labels, options.width);
  draw_x_title(frame, options.x_label, options.height);
  draw_y_title(frame, options.y_label);
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

double estimated_width(const std::string& text) {
  // Bytes that continue a UTF-8 character take no room of their own.
  const auto letters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  });
  return 6.6 * static_cast<double>(letters);
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
