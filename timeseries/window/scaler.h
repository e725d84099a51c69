// Standardisation, fitted on training rows only and carried by the model file.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "timeseries/series/series.h"
#include "timeseries/window/split.h"

namespace timeseries {

/// y = (g(x) - mean) / sd, sd the population's, of g(x) = asinh(x / bend) where bend > 0 (Burbidge,
/// Magee and Robb 1988): a straight line up to about `bend` and a logarithm beyond, so that swings
/// that grow with the level become alike; else g(x) = x.
struct Moments {
  double mean = 0, sd = 1;
  double bend = 0;
  double spread = 1;  ///< the population's sd of x itself, where bend > 0
  bool flat = false;  ///< of a column that was constant or empty; kept by no file

  double apply(double x) const { return ((bend > 0 ? std::asinh(x / bend) : x) - mean) / sd; }
  /// Finite for every finite y where bend > 0.
  double undo(double y) const {
    const double g = y * sd + mean;
    return bend > 0 ? bend * std::sinh(std::clamp(g, -kFarthest, kFarthest)) : g;
  }
  /// The sd of x, in the units of the data.
  double unit() const { return bend > 0 ? spread : sd; }

  static constexpr double kFarthest = 300;
};

/// What the values go through before they are standardised.
enum class Transform { none, asinh };
std::string to_string(Transform transform);
/// "none" or "asinh". Throws Error naming the key.
Transform transform_of(const std::string& word, const std::string& where);

/// One pair of moments per channel over all series (the literature's protocol for one series), or
/// per series and channel.
enum class ScaleBy { channel, series };

struct Scaler {
  ScaleBy by = ScaleBy::channel;
  Transform transform = Transform::none;
  std::vector<std::string> channels, past_names, future_names, static_names;
  std::vector<std::string> series;             ///< (S) ids where by series, else empty
  std::vector<Moments> values;                 ///< (C), or (S,C) where by series
  std::vector<Moments> past, future, statics;  ///< per covariate, over all series
  std::vector<std::string> notes;              ///< sentences about constant and empty columns

  const Moments& of(int64_t series_index, int64_t channel) const;
};

/// Mean and population sd of the known values in the training rows `rows` (one range per series),
/// in two passes of fp64. A column whose spread is rounding noise beside its mean counts as
/// constant: sd 1 and a note; so does one without a known value, with mean 0. With a transform each
/// column of values that is neither bends at a tenth of the mean magnitude of what is not 0.
Scaler fit_scaler(const SeriesSet& set, std::span<const RowSpan> rows, ScaleBy by,
                  Transform transform = Transform::none);

/// How many known values other than 0 tell where a series that the scaler does not know bends: its
/// first ones, so that later ones change nothing about it.
inline constexpr int64_t kBendValues = 64;
/// The sd up to which a column of so many known values counts as constant: that of rounding, since
/// the sum of n values is off by n roundings at most.
double constant_below(double mean, int64_t values);
/// A tenth of the mean magnitude; 0 where there is none.
double bend_of(double mean_magnitude);

/// `fitted` for the series of `set`, in their order: by channel as it is; by series what it holds
/// for the same id, and for a series that it does not know, moments of the rows `rows` of its own,
/// bent by the first kBendValues.
/// Throws Error where the columns of `set` are others than those it was fitted on.
Scaler scaler_for(const Scaler& fitted, const SeriesSet& set, std::span<const RowSpan> rows);

void to_json(nlohmann::json& j, const Scaler& scaler);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, Scaler& scaler);

}  // namespace timeseries
