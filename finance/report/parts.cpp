#include "finance/report/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "libattn/report/thin.h"

namespace finance {

std::span<const double> part_of(const RankLists& lists, std::span<const double> column, int64_t l) {
  const auto from = static_cast<size_t>(lists.offsets[static_cast<size_t>(l)]);
  const auto to = static_cast<size_t>(lists.offsets[static_cast<size_t>(l) + 1]);
  return column.empty() ? column : column.subspan(from, to - from);
}

std::string row_name(const RankLists* lists, int64_t place) {
  const auto at = static_cast<size_t>(place);
  const bool known = lists != nullptr && at < lists->rows_in_file.size();
  return fmt::format("row {}", 1 + (known ? lists->rows_in_file[at] : place));
}

std::vector<int64_t> by_score(std::span<const double> scores, int64_t n) {
  if (scores.empty()) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), int64_t{0});
    return order;
  }
  std::vector<double> ordered(scores.begin(), scores.end());
  for (double& score : ordered)
    if (std::isnan(score)) score = -std::numeric_limits<double>::infinity();
  return ranked(ordered);
}

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

attn::report::Series thin_line(const std::string& name, std::span<const double> x,
                               std::span<const double> y, int color) {
  const std::vector<size_t> places = attn::report::thinned(y, kMostPoints);
  attn::report::Series line{
      .name = name, .x = attn::report::picked(x, places), .y = attn::report::picked(y, places)};
  line.color = color;
  line.lone_dots = true;
  return line;
}

attn::report::Series depth_line(const std::string& name, const std::vector<double>& curve,
                                double unit, int color) {
  std::vector<double> x(curve.size() + 1), y{0};
  std::iota(x.begin(), x.end(), 0.0);
  for (const double v : curve) y.push_back(v / unit);
  return thin_line(name, x, y, color);
}

}  // namespace finance
