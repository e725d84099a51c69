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

/// An axis over the finite values, with ticks; `fixed` overrides the range. `from_zero` makes zero
/// part of it.
Axis make_axis(const std::vector<double>& values,
               const std::optional<std::pair<double, double>>& fixed, bool log, bool from_zero,
               int ticks);

/// The frame with its grid, tick labels, titles, and the legend of `names` (empty names are left
/// out). With `categories`, the x axis has no ticks of its own and the caller labels it.
Frame make_frame(const ChartOptions& options, Axis x, Axis y, const std::vector<std::string>& names,
                 bool categories);

/// The frame's content as one <svg> element.
std::string finish(const ChartOptions& options, const Frame& frame);

/// Colour of the i-th series: Okabe and Ito's palette (2008), without its black and yellow.
std::string series_color(size_t index);

/// A pixel coordinate: one decimal.
std::string pixel(double value);

/// <text> at (x, y); `anchor` is start, middle or end.
std::string svg_text(double x, double y, const std::string& text, const std::string& anchor,
                     const std::string& more = {});

/// A tick's label: as many digits as the ticks' distance needs.
std::string tick_label(double value, const Axis& axis);

}  // namespace attn::report
