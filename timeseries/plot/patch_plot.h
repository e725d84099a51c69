// Picture of patches: the series cut into them, and the entropy that said where.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libattn/report/report.h"

namespace timeseries {

/// A bound of the rule, drawn over the entropy.
struct EntropyThreshold {
  std::string name;
  double value = 0;
};

/// One channel of one window of L values, NaN: missing.
struct PatchPlot {
  std::string title, value_label;
  bool dates = true;            ///< as in ForecastPlot
  std::vector<int64_t> stamps;  ///< (L)
  std::vector<double> values;   ///< (L)
  std::vector<double> entropy;  ///< (L) nats, at t of the value at t + 1; empty: no lower panel
  std::vector<int64_t> begins;  ///< (P) first place of each patch, ascending from 0
  std::vector<EntropyThreshold> thresholds;
  /// Places t where the rule began a patch at t + 1; absent: before every patch but the first.
  std::optional<std::vector<int64_t>> marks;
};

/// Above the series over its patches, every second of them shaded, below the entropy with the
/// thresholds and a dot where a patch was begun, as one <svg>. More than 600 patches are strokes at
/// the foot of the plot instead, at most 2,000 of them; curves are thinned to 2,000 points. Throws
/// std::logic_error where lengths differ or a place is not in the series.
std::string patch_chart(const PatchPlot& plot);

/// The chart with a sentence on number and lengths, and the lengths' histogram.
attn::report::ReportSection patch_section(const PatchPlot& plot);

}  // namespace timeseries
