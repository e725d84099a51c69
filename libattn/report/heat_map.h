// A map of numbers between two ends, by colour: entropy by layer and head, by layer and step.
#pragma once

#include <string>
#include <vector>

#include "libattn/report/svg.h"

namespace attn::report {

/// What the map shows. `values`: a row for each of `rows`, of as many as `columns`; one that is not
/// finite is an empty, dashed cell. `tooltips` and `marks` (one letter or sign in the cell) may be
/// empty, else have the shape of `values`.
struct HeatMap {
  std::vector<std::string> rows, columns;
  std::vector<std::vector<double>> values;
  std::vector<std::vector<std::string>> tooltips = {}, marks = {};
  double low = 0, high = 1;  ///< the ends of the colour bar; values beyond take their colour
  std::string bar_label = {};
};

/// Viridis, whose lightness rises evenly: it reads in grey and without colour vision. The number
/// stands in the cell where it has room for it. Of options the title, labels and width count; the
/// height follows from the rows. Throws attn::Error where the shapes differ.
std::string heat_map_chart(const HeatMap& map, const ChartOptions& options);

/// "#rrggbb" of a share in [0, 1].
std::string viridis(double share);

}  // namespace attn::report
