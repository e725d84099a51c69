// Inside libattn/report: series, rules and regions drawn into a frame; what charts and panels
// share.
#pragma once

#include <string>
#include <vector>

#include "libattn/report/svg_axes.h"

namespace attn::report {

/// Throws attn::Error where the lengths of a series differ.
void check(const Series& series);

/// Of a series that stands at `place` among the others.
std::string color_of(const Series& series, size_t place);

/// Every x, every y (bounds and horizontal rules too) that the axes have to reach.
void add_x_values(const std::vector<Series>& series, std::vector<double>& xs);
std::vector<double> y_values(const std::vector<Series>& series, const ChartOptions& options);

/// Names of series and of their bands, in order, then those of rules.
std::vector<LegendItem> legend_of(const std::vector<Series>& series, const ChartOptions& options);

/// Axes over the series, which are checked, and the frame.
Frame frame_of(const std::vector<Series>& series, const ChartOptions& options);

/// Regions, then series in order, then rules.
void draw_series(Frame& frame, const std::vector<Series>& series, const ChartOptions& options);

/// Cut off at the frame, with a few pixels of grace.
std::string clip(const Frame& frame, const std::string& inside);

}  // namespace attn::report
