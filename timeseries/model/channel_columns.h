// Inside timeseries/model: the values of one channel one after the other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "timeseries/series/series.h"

namespace timeseries {

/// Channels of a set as contiguous columns; those of one series are kept until another is asked
/// for.
class ChannelColumns {
 public:
  explicit ChannelColumns(const SeriesSet& set) : set_(set) {}

  /// All values of a channel, (rows); valid until another series is asked for.
  std::span<const double> of(int64_t series, int64_t channel) {
    if (series != series_) fill(series);
    return columns_.at(static_cast<size_t>(channel));
  }
  /// Those of the rows before `origin`.
  std::span<const double> before(int64_t series, int64_t channel, int64_t origin) {
    return of(series, channel).first(static_cast<size_t>(origin));
  }

 private:
  void fill(int64_t series) {
    const Series& s = set_.series.at(static_cast<size_t>(series));
    const size_t channels = set_.channels.size(), rows = static_cast<size_t>(s.rows);
    columns_.assign(channels, std::vector<double>(rows));
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < channels; ++c) columns_[c][r] = s.values[r * channels + c];
    series_ = series;
  }

  const SeriesSet& set_;
  int64_t series_ = -1;
  std::vector<std::vector<double>> columns_;
};

}  // namespace timeseries
