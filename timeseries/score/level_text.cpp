#include "timeseries/score/level_text.h"

#include <fmt/format.h>

namespace timeseries {

std::string level_text(double level) {
  return fmt::format("{:.6g} %", 100 * level);
}

std::string levels_text(const std::vector<double>& levels) {
  std::string out;
  for (size_t i = 0; i < levels.size(); ++i) {
    if (i > 0) out += i + 1 < levels.size() ? ", " : " and ";
    out += fmt::format("{:.6g}", 100 * levels[i]);
  }
  return out.empty() ? "none" : out + " %";
}

}  // namespace timeseries
