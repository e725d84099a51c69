// Standardisation, fitted on training rows only and carried by the model file.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "timeseries/series/series.h"
#include "timeseries/window/split.h"

namespace timeseries {

/// y = (x - mean) / sd, sd the population's.
struct Moments {
  double mean = 0, sd = 1;
  double apply(double x) const { return (x - mean) / sd; }
  double undo(double y) const { return y * sd + mean; }
};

/// One pair of moments per channel over all series (the literature's protocol for one series), or
/// per series and channel.
enum class ScaleBy { channel, series };

struct Scaler {
  ScaleBy by = ScaleBy::channel;
  std::vector<std::string> channels, past_names, future_names, static_names;
  std::vector<std::string> series;             ///< (S) ids where by series, else empty
  std::vector<Moments> values;                 ///< (C), or (S,C) where by series
  std::vector<Moments> past, future, statics;  ///< per covariate, over all series
  std::vector<std::string> notes;              ///< sentences about constant and empty columns

  const Moments& of(int64_t series_index, int64_t channel) const;
};

/// Mean and population sd of the known values in the training rows `rows` (one range per series),
/// in two passes of fp64. A column whose spread is rounding noise beside its mean counts as
/// constant: sd 1 and a note; so does one without a known value, with mean 0.
Scaler fit_scaler(const SeriesSet& set, std::span<const RowSpan> rows, ScaleBy by);

/// `fitted` for the series of `set`, in their order: by channel as it is; by series what it holds
/// for the same id, and for a series that it does not know, moments of the rows `rows` of its own.
/// Throws Error where the columns of `set` are others than those it was fitted on.
Scaler scaler_for(const Scaler& fitted, const SeriesSet& set, std::span<const RowSpan> rows);

void to_json(nlohmann::json& j, const Scaler& scaler);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, Scaler& scaler);

}  // namespace timeseries
