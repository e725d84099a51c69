// Which rows a model is trained, validated and tested on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "timeseries/series/series.h"
#include "timeseries/window/split.h"

namespace timeseries {

struct SplitOptions {
  double validation = 0.1;  ///< share of the rows before the test part
  double test = 0;          ///< share of each series' rows, at least the horizon; 0: none
};

/// Of each series the last `test` share tests, before it max(2 horizon, `validation` share)
/// validate, at most a third of what is left but `horizon` at least. A series that would leave
/// fewer than `horizon` + 1 rows to train on gives all of them to training. Throws UsageError for
/// shares that are negative or 1 and more together.
Split tail_split(const SeriesSet& set, int64_t horizon, const SplitOptions& options = {});

/// The first rows[s] rows of each series; covariates known ahead are kept up to `ahead` rows behind
/// them. rows[s] above the series' rows: all.
SeriesSet first_rows(const SeriesSet& set, std::span<const int64_t> rows, int64_t ahead);

}  // namespace timeseries
