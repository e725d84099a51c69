// What stands in rows that were absent from the clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "timeseries/series/read.h"

namespace timeseries {

/// `values` (length, width), whose rows at `positions` (ascending; those of `length` and more are
/// passed over) came from the file and whose others are NaN. Fills the others, each column by
/// itself:
///   linear   y_t = y_a + (y_b - y_a) (t - a) / (b - a), a and b the rows of the file around t
///   forward  y_t = y_a
/// A NaN in row a or b of the file is carried on; `none` and `missing` leave NaN.
void fill_rows(std::vector<double>& values, size_t width, std::span<const int64_t> positions,
               int64_t length, Fill fill);

}  // namespace timeseries
