// How a model cuts a series: boundaries, lengths, entropies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "timeseries/model/forecast_model.h"
#include "timeseries/plot/patch_plot.h"
#include "timeseries/series/series.h"

namespace timeseries {

struct PatchViewOptions {
  std::string series;   ///< id; empty: the first
  std::string channel;  ///< name; empty: the first
  int64_t windows = 1;  ///< look-backs side by side, the last ends with the series; 0: all
};

/// One look-back of one channel, cut.
struct PatchView {
  int64_t series = 0, channel = 0, first_row = 0;
  std::vector<Instant> stamps;  ///< (L)
  std::vector<double> values;   ///< (L) in the units of the data
  std::vector<double> entropy;  ///< (L) nats, of what follows; empty where the rule needs none
  std::vector<int64_t> begins;  ///< (P) first place of each patch, ascending from 0
};

struct PatchViews {
  std::vector<PatchView> windows;
  double mean_length = 0;
  double mean_entropy = 0;  ///< NaN without
  std::vector<EntropyThreshold> thresholds;
};

/// Throws Error: a model that cuts no patches, a series shorter than the look-back, an unknown
/// series or channel (with the nearest).
PatchViews view_patches(const ForecastModel& model, const SeriesSet& set,
                        const PatchViewOptions& options, const attn::Hooks& hooks);

/// CSV, one row a patch: window, patch, first and last stamp, length, and where the rule looks at
/// entropies the one before the first value (of what that value would be) and the mean over its
/// own.
std::string patch_csv(const PatchViews& views, const SeriesSet& set);

}  // namespace timeseries
