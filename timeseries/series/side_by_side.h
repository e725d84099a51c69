// Several series as the channels of one.
#pragma once

#include "timeseries/series/series.h"

namespace timeseries {

/// One series with a channel for each of the set's, named by its id (and ".CHANNEL" where the set
/// has several). Throws Error where the series do not begin together and have as many rows, and for
/// covariates.
SeriesSet side_by_side(SeriesSet set);

}  // namespace timeseries
