// Rolling-origin evaluation: where the windows begin, and the table of what came out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "timeseries/score/interval_metrics.h"
#include "timeseries/score/metrics.h"

namespace timeseries {

struct BacktestOptions {
  int64_t horizon = 0;    ///< T: steps that are forecast
  int64_t windows = 0;    ///< 0: as many as fit
  int64_t stride = 0;     ///< rows between origins; 0: T, windows side by side
  int64_t min_train = 1;  ///< rows that must lie before the first origin
};

/// Rows a series must have for them: min_train + (windows - 1) stride + T, with windows = 0 as 1.
int64_t rows_needed(const BacktestOptions& options);

/// Origins o, ascending: rows 0 ... o-1 are known, rows o ... o+T-1 are forecast. The last window
/// ends with the last row; all that are asked for are there. Tashman 2000, section 3. Throws
/// UsageError for options below their least; Error, naming the series `name` and how many rows are
/// needed, where there are too few.
std::vector<int64_t> rolling_origins(int64_t rows, const BacktestOptions& options,
                                     std::string_view name);

/// All windows of one method, summed up. Intervals may be absent (no levels).
struct MethodScores {
  std::string method;
  HorizonErrors errors;
  HorizonIntervals intervals;
};

/// One number of the table.
struct BacktestRow {
  std::string method;
  std::string metric;  ///< name_of(Metric), or "coverage-80", "width-80", "score-80" of intervals
  int64_t step = 0;    ///< 1 ... T; 0: over the whole horizon
  double value = kMissing;
  int64_t count = 0;  ///< pairs that the value rests on
};

/// Method by metric by step, step 0 first; methods in their order. Coverage is a share in [0, 1].
std::vector<BacktestRow> backtest_table(std::span<const MethodScores> methods);

}  // namespace timeseries
