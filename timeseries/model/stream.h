// One new row at a time, and the forecast from there, without going over the past again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "timeseries/model/forecast_model.h"
#include "timeseries/model/predict.h"
#include "timeseries/series/series.h"

namespace timeseries {

/// Keeps what the next forecast of one series needs: the standardised look-back of each channel,
/// its covariates, the place in the season, and sums over the whole past (of seasonal differences).
/// push() takes time in the number of columns, forecast() that of one pass over C windows; neither
/// depends on the length of the past. What the entropy model computed of one window is of no use
/// for the next: the window's scale, by which values become tokens, and its first value have
/// changed.
class StreamForecaster {
 public:
  /// `history` holds the past of the series at place `series`: any number of rows.
  /// Throws Error as predict does for the set; UsageError for levels.
  StreamForecaster(ForecastModel model, const SeriesSet& history, int64_t series,
                   std::vector<double> levels = {});
  ~StreamForecaster();
  StreamForecaster(StreamForecaster&&) noexcept;
  StreamForecaster& operator=(StreamForecaster&&) noexcept;

  /// The next row: (C) values, NaN = missing, and (P) covariates known up to now. Throws Error for
  /// other numbers of them, and for infinite ones.
  void push(std::span<const double> values, std::span<const double> past = {});
  /// One more row of covariates known ahead, (F), behind the last that is known.
  void know(std::span<const double> future);

  /// The same as predict() for the history and all rows pushed, within 1e-6 of the scale. Throws
  /// Error where a channel's look-back holds no value, the series is too short, or covariates
  /// known ahead end too soon.
  SeriesForecast forecast();
  int64_t rows() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace timeseries
