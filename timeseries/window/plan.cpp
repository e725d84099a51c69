#include "timeseries/window/plan.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/io/text.h"

namespace timeseries {
namespace {

void check(const WindowOptions& o) {
  const auto require = [](bool ok, const std::string& what, int64_t found) {
    if (!ok)
      throw attn::UsageError("the " + what + " must be at least 1, found " + std::to_string(found));
  };
  require(o.lookback >= 1, "look-back", o.lookback);
  require(o.horizon >= 1, "horizon", o.horizon);
  require(o.stride >= 1, "stride", o.stride);
  if (o.least_lookback < 0 || o.least_lookback > o.lookback)
    throw attn::UsageError("the least look-back must lie between 0 and the look-back, found " +
                           std::to_string(o.least_lookback));
}

/// For each row and channel the last row up to there whose value is known, -1: none; (N,C).
std::vector<int64_t> last_known(const Series& series, size_t channels) {
  std::vector<int64_t> out(series.values.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t before = i < channels ? -1 : out[i - channels];
    out[i] = std::isnan(series.values[i]) ? before : static_cast<int64_t>(i / channels);
  }
  return out;
}

}  // namespace

WindowPlan plan_windows(const SeriesSet& set, std::span<const RowSpan> ranges,
                        const WindowOptions& o) {
  check(o);
  if (ranges.size() != set.series.size())
    throw std::logic_error("plan_windows: one range of rows per series");
  const int64_t least = o.least_lookback > 0 ? o.least_lookback : o.lookback;
  const size_t channels = set.channels.size();
  WindowPlan plan;
  for (size_t s = 0; s < set.series.size(); ++s) {
    const int64_t first = std::max(ranges[s].begin, least), last = ranges[s].end - o.horizon;
    if (last < first) {
      plan.short_series.push_back(set.series[s].id);
      continue;
    }
    const std::vector<int64_t> known = last_known(set.series[s], channels);
    for (int64_t origin = first; origin <= last; origin += o.stride) {
      for (size_t c = 0; c < channels; ++c) {
        const int64_t seen = known[static_cast<size_t>(origin - 1) * channels + c];
        if (seen < std::max<int64_t>(origin - o.lookback, 0)) {
          ++plan.empty_lookbacks;
        } else {
          plan.windows.push_back({static_cast<int32_t>(s), static_cast<int32_t>(c), origin});
        }
      }
    }
  }
  return plan;
}

std::string WindowPlan::told() const {
  std::string text;
  if (!short_series.empty()) {
    text = std::to_string(short_series.size()) +
           (short_series.size() == 1 ? " series is" : " series are") +
           " too short for look-back and horizon and left out";
    if (!short_series.front().empty()) {
      text += " (";
      const size_t shown = std::min<size_t>(short_series.size(), 3);
      for (size_t i = 0; i < shown; ++i)
        text += (i == 0 ? "" : ", ") + attn::io::quote_text(short_series[i]);
      text += shown < short_series.size() ? ", ...)" : ")";
    }
  }
  if (empty_lookbacks > 0) {
    text += text.empty() ? "" : "; ";
    text += std::to_string(empty_lookbacks) +
            (empty_lookbacks == 1 ? " window has" : " windows have") +
            " no known value in the look-back and " + (empty_lookbacks == 1 ? "is" : "are") +
            " left out";
  }
  return text;
}

}  // namespace timeseries
