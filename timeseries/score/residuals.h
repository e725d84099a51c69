// What a forecaster got wrong on data it was not trained on: the sample that intervals are made of.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libattn/random/rng.h"

namespace timeseries {

struct ResidualOptions {
  int64_t horizon = 0;   ///< T >= 1
  int64_t channels = 1;  ///< C >= 1; 1 pools all channels: one sample for all
  int64_t keep = 0;  ///< windows kept a channel; 0: 20,000, fewer where that is more than 256 MB
                     ///< altogether, but 200 at least
  uint64_t seed = 0;
};

/// r = (y - f) / s of windows, s the window's scale (1 where residuals are not scaled). Of more
/// windows than are kept a uniform sample of each channel's (reservoir sampling, Vitter 1985,
/// algorithm R): a sample of exchangeable residuals is exchangeable. It depends on the seed and on
/// the order within the channel, on nothing else.
class ResidualSample {
 public:
  /// Throws std::logic_error for options below their least.
  explicit ResidualSample(const ResidualOptions& options);

  /// T targets and T forecasts of one window; NaN in either: no residual at that step. A window
  /// whose scale is not finite and positive is left out and counted. Throws std::logic_error where
  /// the sizes or the channel do not fit.
  void add(int64_t channel, std::span<const double> target, std::span<const double> forecast,
           double scale = 1);
  void add(int64_t channel, std::span<const float> target, std::span<const float> forecast,
           double scale = 1);

  int64_t horizon() const { return options_.horizon; }
  int64_t channels() const { return options_.channels; }
  /// Windows kept of a channel.
  int64_t windows(int64_t channel) const;
  /// Windows left out for want of a scale.
  int64_t unscaled() const { return unscaled_; }
  /// The known residuals of a channel at a step, ascending.
  std::vector<double> sorted(int64_t channel, int64_t step) const;

 private:
  struct Channel {
    attn::random::Rng random;
    int64_t seen = 0;
    std::vector<double> rows;  ///< (windows,T)
  };
  /// Where the window's T residuals go; nullptr: it is not kept.
  double* place(int64_t channel, double scale);
  template <class Number>
  void add_window(int64_t channel, std::span<const Number> target, std::span<const Number> forecast,
                  double scale);

  ResidualOptions options_;
  std::vector<Channel> channels_;
  int64_t unscaled_ = 0;
};

/// Scale of a window: mean absolute seasonal difference of its look-back; where the look-back holds
/// no pair a season apart or all are equal, that of neighbours; NaN where that is 0 or absent too.
double residual_scale(std::span<const double> lookback, int64_t season);

}  // namespace timeseries
