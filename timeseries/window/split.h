// Which rows of each series train, validate and test.
#pragma once

#include <cstdint>
#include <vector>

#include "timeseries/series/protocol.h"
#include "timeseries/series/series.h"

namespace timeseries {

/// One range of rows per series and part. What is forecast lies wholly in the part's rows; its
/// look-back may reach into the rows before.
struct Split {
  std::vector<RowSpan> train, validation, test;
};

/// Every series by a named protocol. Throws Error naming a series that is too short.
Split split_by(const SeriesSet& set, const Protocol& protocol);

/// Of n rows the first floor(train n) train, the last floor(test n) test, those between validate.
/// Throws UsageError for shares that are negative, or leave nothing to train on.
Split split_by_share(const SeriesSet& set, double train, double test);

/// The last `test` rows of every series test, the `validation` rows before them validate, all rows
/// before those train. A series too short for all three gives its rows to training alone; its other
/// ranges are empty. Throws UsageError for negative counts.
Split split_tail(const SeriesSet& set, int64_t validation, int64_t test);

/// All rows of every series.
std::vector<RowSpan> all_rows(const SeriesSet& set);

}  // namespace timeseries
