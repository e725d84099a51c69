// Forecasts into files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "timeseries/series/series.h"

namespace timeseries {

/// The instants behind the last row: advance(start, frequency, rows + h), h = 0 ... horizon - 1.
std::vector<Instant> future_stamps(const Series& series, const Frequency& frequency,
                                   int64_t horizon);

/// A long table: R rows, each one step of one channel of one series.
struct ForecastTable {
  std::vector<std::string> ids;       ///< (R); all empty where the file holds one series
  std::vector<std::string> channels;  ///< (R)
  std::vector<Instant> instants;      ///< (R)
  std::vector<std::string> names;     ///< (K) "forecast", "lower-80", ...
  std::vector<double> values;         ///< (R, K) row-major; NaN: none
};

/// The columns' headings and the stamps' form, from the set that was forecast: ids stand in `id`
/// (or the file's own id column) and are left out where all are empty, then `channel`, then the
/// stamp (the file's own time column, or `row`), then the names.
///
/// CSV text; stamps in the file's own form.
std::string forecast_csv(const ForecastTable& table, const SeriesSet& like);
/// A JSON list of objects, one a row; NaN is null.
std::string forecast_json(const ForecastTable& table, const SeriesSet& like);
/// Writes by extension: .csv, .json, .parquet or .pq (stamps with a calendar as timestamps, others
/// whole numbers), beside its place and renamed into it. Throws UsageError for another extension,
/// StorageError, std::logic_error for lengths that do not match.
void write_forecast(const std::filesystem::path& path, const ForecastTable& table,
                    const SeriesSet& like);

}  // namespace timeseries
