// Whether two sets hold the same data.
#pragma once

#include <string>

#include "timeseries/series/series.h"

namespace timeseries {

/// XXH3-128 over frequency, names, and each series' id, start, lengths and values: 32 hexadecimal
/// digits. The file's name and the form of its stamps do not enter; every NaN counts the same.
std::string digest_of(const SeriesSet& set);

}  // namespace timeseries
