// The list of windows that a part of the series gives: all of them, and what was left out told.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "timeseries/series/series.h"
#include "timeseries/window/split.h"

namespace timeseries {

/// Rows origin - L ... origin - 1 of one channel are looked at, rows origin ... origin + T - 1 are
/// forecast.
struct Window {
  int32_t series = 0, channel = 0;
  int64_t origin = 0;
  bool operator==(const Window&) const = default;
};

struct WindowOptions {
  int64_t lookback = 96;       ///< L
  int64_t horizon = 96;        ///< T
  int64_t stride = 1;          ///< rows between origins
  int64_t least_lookback = 0;  ///< rows before the origin that must exist; those missing of L are
                               ///< NaN. 0: L
};

struct WindowPlan {
  std::vector<Window> windows;            ///< by series, then origin, then channel
  std::vector<std::string> short_series;  ///< ids whose range is too short for a single window
  int64_t empty_lookbacks = 0;  ///< windows left out since no value of their look-back is known

  /// One sentence about what was left out; empty where nothing was.
  std::string told() const;
};

/// Windows whose forecast rows lie in `ranges` (one per series), origins `stride` apart from the
/// first one that has its look-back: a range of n rows with a full look-back before it gives
/// floor((n - T) / stride) + 1 origins. Throws UsageError for options below 1.
WindowPlan plan_windows(const SeriesSet& set, std::span<const RowSpan> ranges,
                        const WindowOptions& options);

}  // namespace timeseries
