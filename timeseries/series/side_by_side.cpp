#include "timeseries/series/side_by_side.h"

#include <algorithm>
#include <utility>

#include "attn/error.h"
#include "timeseries/series/read.h"

namespace timeseries {

SeriesSet side_by_side(SeriesSet set) {
  if (set.series.size() < 2) return set;
  const size_t channels = set.channels.size(), width = channels * set.series.size();
  const bool covariates =
      !set.past_names.empty() || !set.future_names.empty() || !set.static_names.empty();
  const Series& like = set.series.front();
  const bool together = std::all_of(set.series.begin(), set.series.end(), [&](const Series& s) {
    return s.start == like.start && s.rows == like.rows;
  });
  if (covariates || !together)
    throw attn::Error(name_of(set) +
                      ": only series without covariates that begin and end together can stand side "
                      "by side; write them below each other");
  SeriesSet out = std::move(set);
  Series one;
  one.start = out.series.front().start;
  one.rows = out.series.front().rows;
  one.values.resize(static_cast<size_t>(one.rows) * width);
  std::vector<std::string> names;
  for (size_t s = 0; s < out.series.size(); ++s) {
    const Series& from = out.series[s];
    for (size_t c = 0; c < channels; ++c) {
      names.push_back(channels == 1 ? from.id : from.id + "." + out.channels[c]);
      for (size_t r = 0; r < static_cast<size_t>(one.rows); ++r)
        one.values[r * width + s * channels + c] = from.values[r * channels + c];
    }
  }
  out.channels = std::move(names);
  out.series = {std::move(one)};
  out.id_column.clear();
  return out;
}

}  // namespace timeseries
