#include "timeseries/model/patch_json.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "timeseries/series/stamp.h"

namespace timeseries {
namespace {

using nlohmann::json;

json number(double value) {
  return std::isfinite(value) ? json(value) : json();
}

json patch_of(const PatchView& view, int64_t begin, int64_t end, const SeriesSet& set) {
  const auto stamp = [&](int64_t place) {
    const Instant instant = view.stamps[static_cast<size_t>(place)];
    return set.frequency.unit == Unit::index ? json(instant)
                                             : json(format_stamp(instant, set.stamps));
  };
  double mean = NAN, before = NAN;
  if (!view.entropy.empty()) {
    mean = 0;
    for (int64_t t = begin; t < end; ++t)
      mean += view.entropy[static_cast<size_t>(t)] / static_cast<double>(end - begin);
    if (begin > 0) before = view.entropy[static_cast<size_t>(begin - 1)];
  }
  return {{"row", view.first_row + begin},    {"first", stamp(begin)},
          {"last", stamp(end - 1)},           {"length", end - begin},
          {"entropy_before", number(before)}, {"entropy_mean", number(mean)}};
}

}  // namespace

json to_json(const PatchViews& views, const SeriesSet& set) {
  json thresholds = json::object();
  for (const EntropyThreshold& threshold : views.thresholds)
    thresholds[threshold.name] = threshold.value;
  json windows = json::array();
  for (const PatchView& view : views.windows) {
    const auto length = static_cast<int64_t>(view.values.size());
    json patches = json::array();
    for (size_t p = 0; p < view.begins.size(); ++p)
      patches.push_back(patch_of(view, view.begins[p],
                                 p + 1 < view.begins.size() ? view.begins[p + 1] : length, set));
    windows.push_back({{"series", set.series[static_cast<size_t>(view.series)].id},
                       {"channel", set.channels[static_cast<size_t>(view.channel)]},
                       {"first_row", view.first_row},
                       {"length", length},
                       {"patches", std::move(patches)}});
  }
  return {{"mean_length", number(views.mean_length)},
          {"mean_entropy", number(views.mean_entropy)},
          {"thresholds", std::move(thresholds)},
          {"windows", std::move(windows)}};
}

}  // namespace timeseries
