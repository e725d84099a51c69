// Whether a series is forecast better on a bent scale.
#pragma once

#include "timeseries/model/model_options.h"

namespace timeseries {

/// Transform::asinh where every value of the training and validation rows is at least 0 and a
/// linear map of the window (ridge, on up to 2,048 training windows, each less its mean) forecasts
/// up to 1,024 validation windows with a mean squared error, standardised in the units of the data,
/// at least 3 % below that of the same map of the values as they are; else none. Look-back, horizon
/// and scaling are those of `options`, which must be set.
Transform choose_transform(const SeriesSet& set, const Split& split, const ModelOptions& options);

}  // namespace timeseries
