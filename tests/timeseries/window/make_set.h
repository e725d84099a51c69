// Small sets of series for tests.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "timeseries/series/series.h"

namespace timeseries::test {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Hourly series "s0", "s1", ... of the given lengths and `channels` channels; value of series s,
/// row r, channel c: 100 s + r + 0.25 c + sin(r (c + 1)).
inline SeriesSet make_set(const std::vector<int64_t>& rows, int64_t channels) {
  SeriesSet set;
  set.path = "set.csv";
  set.frequency = {Unit::hour, 1, false};
  for (int64_t c = 0; c < channels; ++c)
    set.channels.push_back(std::string("c").append(std::to_string(c)));
  for (size_t s = 0; s < rows.size(); ++s) {
    Series series;
    series.id = std::string("s").append(std::to_string(s));
    series.start = 1467331200 + static_cast<int64_t>(s) * 3600;  // 2016-07-01 00:00, 01:00, ...
    series.rows = rows[s];
    for (int64_t r = 0; r < rows[s]; ++r)
      for (int64_t c = 0; c < channels; ++c)
        series.values.push_back(100.0 * static_cast<double>(s) + static_cast<double>(r) +
                                0.25 * static_cast<double>(c) +
                                std::sin(static_cast<double>(r * (c + 1))));
    set.series.push_back(std::move(series));
  }
  return set;
}

}  // namespace timeseries::test
