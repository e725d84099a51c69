// How levels are written: "80 %", "97.5 %".
#pragma once

#include <string>
#include <vector>

namespace timeseries {

/// 0.8: "80 %".
std::string level_text(double level);
/// "50, 80 and 95 %".
std::string levels_text(const std::vector<double>& levels);

}  // namespace timeseries
