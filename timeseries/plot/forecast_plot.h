// Picture of a forecast: the past, what is to come with its intervals, and what came.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libattn/report/report.h"

namespace timeseries {

/// An interval of one level around each step.
struct ForecastBand {
  double level = 0;               ///< in (0, 1)
  std::vector<double> low, high;  ///< (T)
};

/// One channel of one series. Values may be NaN.
struct ForecastPlot {
  std::string title, value_label;
  bool dates = true;  ///< stamps are seconds since 1970 without a zone; else plain numbers
  std::vector<int64_t> past_stamps;  ///< (N)
  std::vector<double> past;          ///< (N)
  int64_t past_shown = 0;            ///< the last so many; 0: all
  std::vector<int64_t> stamps;       ///< (T)
  std::vector<double> forecast;      ///< (T)
  std::vector<ForecastBand> bands;   ///< in any order
  std::vector<double> actual;        ///< (T), or empty where it is not known
};

/// Past, forecast with nested bands, and the actual values, as one <svg>. Curves of more than
/// 2,000 points are thinned. Throws std::logic_error where lengths differ.
std::string forecast_chart(const ForecastPlot& plot);

/// The chart with a sentence on what it shows.
attn::report::ReportSection forecast_section(const ForecastPlot& plot);

}  // namespace timeseries
