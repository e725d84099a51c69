// Windows gathered into tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "timeseries/series/series.h"
#include "timeseries/window/plan.h"
#include "timeseries/window/scaler.h"

namespace timeseries {

/// N windows, one channel each, standardised by the scaler; float where no type is named.
struct WindowBatch {
  at::Tensor values;   ///< (N,L), NaN: missing
  at::Tensor target;   ///< (N,T), NaN: missing, or behind the series' end
  at::Tensor known;    ///< (N,L+T,F) covariates known ahead, then calendar; undefined without
  at::Tensor past;     ///< (N,L,P) covariates known up to now, then static ones; undefined without
  at::Tensor phase;    ///< (N) int64: `phase_of` the origin, 0 without a season
  at::Tensor channel;  ///< (N) int64
};

struct BatchOptions {
  int64_t lookback = 96, horizon = 96;
  int64_t season = 0;     ///< steps of a season; 0: none
  bool calendar = false;  ///< calendar features after the known covariates
};

/// A standardised copy of all series, one channel after the other, from which batches are gathered
/// by copying whole stretches. Covariates that are missing enter as their mean, 0.
class WindowSource {
 public:
  /// Throws Error as scaler_for does where the scaler is of other columns.
  WindowSource(const SeriesSet& set, const Scaler& scaler, const BatchOptions& options);

  /// Rows before a series' first and behind its last are NaN. Throws Error naming the series where
  /// covariates known ahead do not reach over the horizon.
  WindowBatch gather(std::span<const Window> windows) const;

  const BatchOptions& options() const { return options_; }
  int64_t known_width() const { return static_cast<int64_t>(known_names_.size()); }
  int64_t past_width() const { return static_cast<int64_t>(past_names_.size()); }
  const std::vector<std::string>& known_names() const { return known_names_; }
  const std::vector<std::string>& past_names() const { return past_names_; }

 private:
  struct Rows {
    std::string id;
    int64_t rows = 0, known_rows = 0;
    std::vector<float> values;   // (C, rows)
    std::vector<float> known;    // (known_rows, F)
    std::vector<float> past;     // (rows, P)
    std::vector<int32_t> phase;  // (rows + 1), of each possible origin
  };
  Rows copy_of(const SeriesSet& set, size_t index, const Scaler& scaler) const;
  void add_covariates(Rows& rows, const SeriesSet& set, size_t index, const Scaler& scaler) const;

  BatchOptions options_;
  std::string path_;
  int64_t future_width_ = 0;
  std::vector<std::string> known_names_, past_names_;
  std::vector<Rows> series_;
};

}  // namespace timeseries
