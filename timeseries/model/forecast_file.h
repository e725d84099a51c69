// Forecasts read back from files, and pictures of them and of series.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "timeseries/plot/forecast_plot.h"
#include "timeseries/series/series.h"
#include "timeseries/series/write_forecast.h"

namespace timeseries {

/// Where the bounds of a level stand among the names of a table.
struct BandColumns {
  double level = 0;
  size_t low = 0, high = 0;
};

/// What write_forecast wrote.
struct ForecastFile {
  std::filesystem::path path;
  ForecastTable table;
  bool calendar = true;            ///< stamps are instants; else whole numbers
  std::vector<BandColumns> bands;  ///< (K) by level: of each "lower-80" with its "upper-80"
};

/// Reads CSV, Parquet and JSON as write_forecast writes them. Throws Error naming file, row and
/// column: no columns `channel` and `forecast`, no row, a stamp or a number that is none, a bound
/// without the other or of no level.
ForecastFile read_forecast(const std::filesystem::path& path);

struct DrawOptions {
  std::optional<std::string> series, channel;  ///< only that; not set: all
  int64_t last = 0;                            ///< rows of the past to show; 0: all
  size_t most = 1;                             ///< pictures
};

/// Pictures of the first `most` channels of `forecast` (may be null) with their past in `set` (may
/// be null), else of `set` alone. Rows of the set at stamps of the forecast are drawn as what came.
/// Throws Error where there is nothing of the series or channel asked for, naming those there are.
std::vector<ForecastPlot> plots_of(const SeriesSet* set, const ForecastFile* forecast,
                                   const DrawOptions& options);

}  // namespace timeseries
