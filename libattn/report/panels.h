// Several plots under each other over one x axis: a series and what is said of it at the same
// place.
#pragma once

#include <string>
#include <vector>

#include "libattn/report/svg.h"

namespace attn::report {

/// One plot. Of its options count the title, y_label, height (with its title and legend, without
/// the labels of x), log_y, y_range, rules and regions.
struct Panel {
  std::vector<Series> series;
  ChartOptions options;
};

/// The panels from the top down, their plotting areas of one width, labels of x below the last. Of
/// `whole` count the title, x_label, width, log_x, x_range, x_dates and x_whole; the height follows
/// from the panels. Throws attn::Error as line_chart does.
std::string stacked_panels(const std::vector<Panel>& panels, const ChartOptions& whole);

}  // namespace attn::report
