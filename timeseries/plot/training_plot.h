// Picture of a training: loss by epoch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libattn/report/report.h"

namespace timeseries {

/// Losses of epochs 1, 2, ...; NaN where one was not measured.
struct TrainingPlot {
  std::string title = "Loss by epoch", loss_label = {};
  std::vector<double> train = {}, validation = {};  ///< (E) each, or empty
  int64_t best = 0;                                 ///< the epoch that was kept, from 1; 0: none
};

/// Both losses over the epochs, the best one marked, as one <svg>; a logarithmic axis where the
/// largest is more than 30 times the smallest.
std::string training_chart(const TrainingPlot& plot);

/// The chart with a sentence on the best epoch.
attn::report::ReportSection training_section(const TrainingPlot& plot);

}  // namespace timeseries
