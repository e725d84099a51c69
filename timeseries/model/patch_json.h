// Patches for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "timeseries/model/patch_view.h"

namespace timeseries {

/// {"mean_length", "mean_entropy", "thresholds": {NAME: nats}, "windows": [{"series", "channel",
/// "first_row", "length", "patches": [{"row", "first", "last", "length", "entropy_before",
/// "entropy_mean"}]}]}; entropies are null where there are none.
nlohmann::json to_json(const PatchViews& views, const SeriesSet& set);

}  // namespace timeseries
