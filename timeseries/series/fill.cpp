#include "timeseries/series/fill.h"

namespace timeseries {

void fill_rows(std::vector<double>& values, size_t width, std::span<const int64_t> positions,
               int64_t length, Fill fill) {
  if (fill == Fill::none || fill == Fill::missing) return;
  for (size_t i = 1; i < positions.size() && positions[i] < length; ++i) {
    const int64_t a = positions[i - 1], b = positions[i];
    for (int64_t t = a + 1; t < b; ++t) {
      for (size_t j = 0; j < width; ++j) {
        const double before = values[static_cast<size_t>(a) * width + j];
        const double after = values[static_cast<size_t>(b) * width + j];
        const double share = static_cast<double>(t - a) / static_cast<double>(b - a);
        values[static_cast<size_t>(t) * width + j] =
            fill == Fill::forward ? before : before + (after - before) * share;
      }
    }
  }
}

}  // namespace timeseries
