#include "libattn/report/panels.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "libattn/report/svg_axes.h"
#include "libattn/report/svg_lines.h"

namespace attn::report {
namespace {

constexpr double kGap = 12;  // pixels between two panels

/// One panel from `top` down. Its frame's bottom is where it ends.
Frame draw_panel(const Panel& panel, Frame frame, double top, bool last, double width) {
  const double end = top + panel.options.height;
  if (!panel.options.title.empty()) {
    frame.body += svg_text(frame.left, top + 14, panel.options.title, "start", "class=\"title\"");
    top += 20;
  }
  const Legend legend =
      make_legend(legend_of(panel.series, panel.options), frame.left, frame.right, top);
  frame.body += legend.svg;
  frame.top = top + legend.height + 6;
  frame.bottom = std::max(end, frame.top + 20);
  place_axes(frame);
  draw_grid(frame, last ? XAxis::labels : XAxis::grid, width);
  draw_y_title(frame, panel.options.y_label);
  draw_series(frame, panel.series, panel.options);
  return frame;
}

}  // namespace

std::string stacked_panels(const std::vector<Panel>& panels, const ChartOptions& whole) {
  std::vector<double> xs;
  std::vector<Axis> ys;
  double left = 12;
  for (const Panel& panel : panels) {
    for (const Series& s : panel.series) check(s);
    add_x_values(panel.series, xs);
    const ChartOptions& own = panel.options;
    ys.push_back(make_axis(y_values(panel.series, own), own.y_range, own.log_y, false,
                           std::clamp(own.height / 40, 2, 6)));
    left = std::max(left, left_margin(own, ys.back()));
  }
  Frame frame{make_x_axis(xs, whole), {}, left, 0, 0, 0, {}};
  frame.right = whole.width - right_margin(frame.x, false);
  double top = 8;
  if (!whole.title.empty()) {
    frame.body += svg_text(left, 18, whole.title, "start", "class=\"title\"");
    top = 28;
  }
  for (size_t i = 0; i < panels.size(); ++i) {
    frame.y = std::move(ys[i]);
    frame = draw_panel(panels[i], std::move(frame), top, i + 1 == panels.size(), whole.width);
    top = frame.bottom + kGap;
  }
  const double height = std::ceil(std::max(frame.bottom, 40.0) + bottom_margin(whole, frame.x));
  draw_x_title(frame, whole.x_label, height);
  ChartOptions sized = whole;
  sized.height = static_cast<int>(height);
  return finish(sized, frame);
}

}  // namespace attn::report
