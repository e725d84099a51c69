// Series into files that read_series reads back.
#pragma once

#include <filesystem>

#include "timeseries/series/series.h"

namespace timeseries {

/// Writes values and covariates as CSV or Parquet by extension: wide where the set holds one series
/// without an id, long with a column `id` (or the set's own) else. Stamps in the set's own form,
/// timestamps in Parquet, the column `step` where there is no calendar. Missing values are empty.
/// Throws UsageError for another extension, StorageError.
void write_series(const std::filesystem::path& path, const SeriesSet& set);

}  // namespace timeseries
