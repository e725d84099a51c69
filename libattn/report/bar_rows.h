// Bars that lie: names of any length beside them, the number at their end.
#pragma once

#include <string>
#include <vector>

#include "libattn/report/svg.h"

namespace attn::report {

/// One bar a row from zero, the longest across the plot; a value that is not finite has none and is
/// written "-". Of options the title and width count; the height follows from the rows. Throws
/// attn::Error where names and values are not as many.
std::string bar_rows(const std::vector<std::string>& names, const std::vector<double>& values,
                     const ChartOptions& options);

}  // namespace attn::report
