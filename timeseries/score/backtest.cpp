#include "timeseries/score/backtest.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "attn/error.h"

namespace timeseries {
namespace {

void check(const BacktestOptions& o) {
  const auto least = [](const char* what, int64_t found, int64_t least_value) {
    if (found < least_value)
      throw attn::UsageError(
          fmt::format("backtest: the {} must be at least {}, found {}", what, least_value, found));
  };
  least("horizon", o.horizon, 1);
  least("number of windows", o.windows, 0);
  least("stride", o.stride, 0);
  least("number of rows to train on", o.min_train, 0);
}

int64_t stride_of(const BacktestOptions& options) {
  return options.stride > 0 ? options.stride : options.horizon;
}

/// a + b, or the largest number where that is more; neither is negative.
int64_t sum(int64_t a, int64_t b) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  return a > kLargest - b ? kLargest : a + b;
}

int64_t product(int64_t a, int64_t b) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  return b > 0 && a > kLargest / b ? kLargest : a * b;
}

/// Pairs that the metric rests on.
int64_t count_of(const ErrorSums& sums, Metric metric) {
  if (metric == Metric::mase) return sums.scaled;
  if (metric == Metric::mape) return sums.nonzero;
  return sums.count;
}

void add_errors(const MethodScores& of, std::vector<BacktestRow>& table) {
  const ErrorSums all = of.errors.overall();
  for (const Metric metric : kMetrics) {
    const std::string name(name_of(metric));
    table.push_back({of.method, name, 0, all.value(metric), count_of(all, metric)});
    int64_t step = 0;
    for (const ErrorSums& sums : of.errors.steps)
      table.push_back({of.method, name, ++step, sums.value(metric), count_of(sums, metric)});
  }
}

void add_intervals(const MethodScores& of, std::vector<BacktestRow>& table) {
  using Value = double (IntervalSums::*)() const;
  const HorizonIntervals& intervals = of.intervals;
  for (size_t k = 0; k < intervals.levels.size(); ++k) {
    const IntervalSums all = intervals.overall(k);
    const auto add = [&](const char* what, Value value) {
      const std::string name = fmt::format("{}-{:.6g}", what, 100 * intervals.levels[k]);
      table.push_back({of.method, name, 0, (all.*value)(), all.count});
      for (int64_t t = 0; t < intervals.horizon; ++t) {
        const IntervalSums& sums = intervals.at(k, t);
        table.push_back({of.method, name, t + 1, (sums.*value)(), sums.count});
      }
    };
    add("coverage", &IntervalSums::coverage);
    add("width", &IntervalSums::mean_width);
    add("score", &IntervalSums::mean_score);
  }
}

}  // namespace

int64_t rows_needed(const BacktestOptions& options) {
  check(options);
  const int64_t between = product(std::max<int64_t>(options.windows, 1) - 1, stride_of(options));
  return sum(sum(options.min_train, options.horizon), between);
}

std::vector<int64_t> rolling_origins(int64_t rows, const BacktestOptions& options,
                                     std::string_view name) {
  const int64_t needed = rows_needed(options), stride = stride_of(options);
  if (rows < needed) {
    const int64_t windows = std::max<int64_t>(options.windows, 1);
    throw attn::Error(fmt::format(
        "backtest: {} has {} rows and {} are needed, {} to train on before {} of {} steps{}; ask "
        "for fewer windows or a shorter horizon, or give more rows",
        name, rows, needed, options.min_train,
        windows == 1 ? "a window" : fmt::format("{} windows", windows), options.horizon,
        windows == 1 ? "" : fmt::format(", {} rows apart", stride)));
  }
  const int64_t windows = options.windows > 0 ? options.windows : 1 + (rows - needed) / stride;
  std::vector<int64_t> origins;
  for (int64_t w = windows; w > 0; --w)
    origins.push_back(rows - options.horizon - (w - 1) * stride);
  return origins;
}

std::vector<BacktestRow> backtest_table(std::span<const MethodScores> methods) {
  std::vector<BacktestRow> table;
  for (const MethodScores& method : methods) {
    add_errors(method, table);
    add_intervals(method, table);
  }
  return table;
}

}  // namespace timeseries
