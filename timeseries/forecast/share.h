// How much the parts of a forecast count, found on held-out windows.
#pragma once

#include <cstdint>
#include <span>

#include "timeseries/forecast/forecaster.h"
#include "timeseries/patch/cut_cache.h"
#include "timeseries/window/batch.h"

namespace timeseries {

/// Writes forecaster.share(): at step h the s in [0,1] of least squared error
///   s_h = sum (y - base) rest / sum rest^2
/// over the known targets y of the windows and of the steps within T/8 of h, of all steps
/// where there are fewer than 64 windows (stacked generalisation, Wolpert 1992; Breiman 1996), 1
/// where there is nothing to weigh; then forecaster.blend() for base + share * rest (fit_blend).
/// Over at most 4,096 of the windows, evenly spread; `cuts`: of the windows, by their number. Does
/// nothing for a forecaster without a share.
void fit_shares(const Forecaster& forecaster, const WindowSource& source,
                std::span<const Window> windows, CutCache& cuts);

/// Memory that fit_shares takes for so many windows, beside the network's own; roughly.
double shares_bytes(int64_t windows, int64_t lookback, int64_t horizon);

}  // namespace timeseries
