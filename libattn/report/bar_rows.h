// Bars that lie: names of any length beside them, the number at their end.
#pragma once

#include <string>
#include <vector>

#include "libattn/report/svg.h"

namespace attn::report {

/// `low` and `high`, when given, are the ends of error bars; `texts` stand at the ends of the bars,
/// in place of the values with three digits.
struct BarRows {
  std::vector<std::string> names;
  std::vector<double> values;
  std::vector<double> low = {}, high = {};
  std::vector<std::string> texts = {};
};

/// One bar a row from zero, the longest across the plot; a value that is not finite has none and is
/// written "-". Of options the title and width count; the height follows from the rows. Throws
/// attn::Error where names, values and what else is given are not as many.
std::string bar_rows(const BarRows& bars, const ChartOptions& options);
std::string bar_rows(const std::vector<std::string>& names, const std::vector<double>& values,
                     const ChartOptions& options);

}  // namespace attn::report
