#include "timeseries/plot/curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "libattn/report/thin.h"

namespace timeseries {

attn::report::Series curve(const std::string& name, std::span<const int64_t> stamps,
                           std::span<const double> values, int color) {
  if (stamps.size() != values.size())
    throw std::logic_error("plot: stamps and values are not as many");
  attn::report::Series out{.name = name, .x = {}, .y = {}};
  out.color = color;
  out.lone_dots = true;
  const std::vector<size_t> places = attn::report::thinned(values, kMostPoints);
  out.y = attn::report::picked(values, places);
  for (const size_t place : places) out.x.push_back(static_cast<double>(stamps[place]));
  return out;
}

void set_x_axis(attn::report::ChartOptions& options, bool dates, std::span<const int64_t> stamps) {
  options.x_dates = dates;
  options.x_whole = !dates;
  if (dates || stamps.empty()) return;
  const auto [low, high] = std::minmax_element(stamps.begin(), stamps.end());
  if (*low < *high) options.x_range = {static_cast<double>(*low), static_cast<double>(*high)};
}

bool any_known(std::span<const double> values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

std::string percent(double level) {
  return fmt::format("{:.6g} %", 100 * level);
}

std::string counted(int64_t count, const std::string& one, const std::string& many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace timeseries
