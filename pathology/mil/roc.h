// The receiver operating characteristic of a model.
#pragma once

#include <cstddef>
#include <vector>

#include "pathology/mil/predict.h"

namespace pathology {

/// False and true positive rates at falling thresholds, from (0, 0) to (1, 1); ties in score make
/// one step.
struct RocCurve {
  std::vector<double> false_positive_rate, true_positive_rate;
};
/// Of one class against the rest, over the labelled predictions. Rates are NaN where a side is
/// empty.
RocCurve roc_curve(const std::vector<BagPrediction>& predictions, std::size_t positive_class);

}  // namespace pathology
