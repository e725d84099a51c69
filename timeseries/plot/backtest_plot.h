// Pictures of a backtest: errors by step and overall of every method, coverage of the intervals.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libattn/report/report.h"

namespace timeseries {

/// One method's error by one metric; NaN where it is not defined.
struct MethodError {
  std::string method;
  std::vector<double> by_step;  ///< (T)
  double overall = 0;
};

struct MetricPlot {
  std::string metric;  ///< "mase", shown in capitals
  std::vector<MethodError> methods;
};

/// Share of the values that the intervals of each level held.
struct CoverageCurve {
  std::string method;
  std::vector<double> levels;    ///< (K) ascending, in (0, 1)
  std::vector<double> coverage;  ///< (K) in [0, 1]
};

struct BacktestPlot {
  std::vector<MetricPlot> metrics;
  std::vector<CoverageCurve> coverage;  ///< may be empty
  int64_t windows = 0;
};

/// Error by step of the horizon, a line a method; from the seventh method on dashed.
std::string horizon_chart(const MetricPlot& plot);
/// Error over the whole horizon, a bar a method.
std::string overall_chart(const MetricPlot& plot);
/// Coverage over level in per cent, with the diagonal where the two are equal.
std::string coverage_chart(std::span<const CoverageCurve> curves);

/// All of them with a table of the overall errors.
attn::report::ReportSection backtest_section(const BacktestPlot& plot);

}  // namespace timeseries
