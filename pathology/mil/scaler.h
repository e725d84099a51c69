// Column standardisation, fitted on training bags only and carried by the model file.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "pathology/mil/bag.h"

namespace pathology {

struct Scaler {
  at::Tensor mean;     ///< (D) float64 as fitted
  at::Tensor inverse;  ///< (D): 1/sd (population sd over all instances), 0 for a column
                       ///< that is constant

  double limit = 0;  ///< values beyond +/- limit are set to it; 0: none are

  /// (x - mean) * inverse within the limit, (N,D); x of the scaler's own type.
  at::Tensor apply(const at::Tensor& x) const;
  Scaler to(at::ScalarType type) const;
};

/// One pass over the bags `items` (parallel-variance update of Chan et al. 1979, fp64).
Scaler fit_scaler(const BagSet& set, std::span<const int64_t> items, double limit = 0);

}  // namespace pathology
