// Inside libattn/report: the frame that all charts of svg.h are drawn in.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libattn/report/svg.h"

namespace attn::report {

/// One axis: data to pixels.
struct Axis {
  double low = 0, high = 1;  ///< data at the two ends
  double from = 0, to = 1;   ///< pixels at the two ends
  bool log = false;
  std::vector<double> ticks;
  std::vector<std::string> labels = {};    ///< of the ticks; empty: their numbers
  std::vector<std::string> contexts = {};  ///< a second line below the labels; empty: none
  /// Pixel of a value, kept within a frame's length of the frame.
  double operator()(double value) const;
  bool shows(double value) const;
};

/// A chart under construction: title, grid, axes and legend around a plotting area; SVG text grows
/// in `body`.
struct Frame {
  Axis x, y;
  double left, right, top, bottom;  ///< of the plotting area, pixels
  std::string body;
};

/// One name of the legend and the sign before it.
struct LegendItem {
  enum class Sign { line, area, dot, dashes };
  std::string name;  ///< an empty one is left out
  std::string color;
  Sign sign = Sign::line;
  double opacity = 1;
};

/// The legend's rows as SVG and their height, 0 where there are none.
struct Legend {
  double height = 0;
  std::string svg;
};

/// An axis over the finite values, with ticks; `fixed` overrides the range. `from_zero` makes zero
/// part of it.
Axis make_axis(const std::vector<double>& values,
               const std::optional<std::pair<double, double>>& fixed, bool log, bool from_zero,
               int ticks);

/// The x axis that `options` ask for: of numbers, whole numbers or dates.
Axis make_x_axis(const std::vector<double>& values, const ChartOptions& options);

/// Names, one colour after the other.
std::vector<LegendItem> legend_items(const std::vector<std::string>& names);

/// Names in rows from (left, top), wrapped at `right`.
Legend make_legend(const std::vector<LegendItem>& items, double left, double right, double top);

/// Pixels that the y axis takes at the left, with its labels and title.
double left_margin(const ChartOptions& options, const Axis& y);
/// Pixels that half of the last label of x takes at the right.
double right_margin(const Axis& x, bool categories);
/// Pixels that labels and title of x take below the plotting area.
double bottom_margin(const ChartOptions& options, const Axis& x);

/// Puts the axes' ends on the frame's edges.
void place_axes(Frame& frame);

/// What is drawn of the x axis: nothing, its grid, or its labels as well.
enum class XAxis { none, grid, labels };
/// Grid, tick labels and the two axis lines. `width` is the chart's.
void draw_grid(Frame& frame, XAxis x, double width);
/// Titles of the axes; that of x stands 8 pixels over `height`.
void draw_x_title(Frame& frame, const std::string& title, double height);
void draw_y_title(Frame& frame, const std::string& title);

/// The frame with its grid, tick labels, titles, and the legend. With `categories`, the x axis has
/// no ticks of its own and the caller labels it.
Frame make_frame(const ChartOptions& options, Axis x, Axis y, const std::vector<LegendItem>& items,
                 bool categories);

/// The frame's content as one <svg> element.
std::string finish(const ChartOptions& options, const Frame& frame);

/// Colour of the i-th series: Okabe and Ito's palette (2008), without its black and yellow.
std::string series_color(size_t index);

/// Width in pixels of a text at the charts' 12 px, estimated: the page's font is not known here.
double estimated_width(const std::string& text);

/// A pixel coordinate: one decimal.
std::string pixel(double value);

/// <text> at (x, y); `anchor` is start, middle or end.
std::string svg_text(double x, double y, const std::string& text, const std::string& anchor,
                     const std::string& more = {});

/// A tick's label: as many digits as the ticks' distance needs.
std::string tick_label(double value, const Axis& axis);

}  // namespace attn::report
