// Errors of a forecaster over a list of windows: all of them, in one stream.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "attn/hooks.h"
#include "timeseries/forecast/forecaster.h"
#include "timeseries/patch/cut_cache.h"
#include "timeseries/window/batch.h"

namespace timeseries {

struct Errors {
  double mse = 0, mae = 0;  ///< over all known values of all horizons; NaN where there is none
  int64_t windows = 0, values = 0;
};

/// Called with the windows of each batch, their forecasts and their targets, both (N,T).
using TakeForecasts = std::function<void(std::span<const Window>, const at::Tensor& forecast,
                                         const at::Tensor& target)>;

/// Forecasts every window, `batch` at a time, and sums errors in fp64, in the order of the windows.
/// `cuts`: of these windows, for more than one evaluation. Reports progress as "windows". Throws
/// Interrupted.
Errors evaluate(const Forecaster& forecaster, const WindowSource& source,
                std::span<const Window> windows, const attn::Hooks& hooks,
                const TakeForecasts& take = {}, CutCache* cuts = nullptr, int64_t batch = 896);

/// The cuts of windows `numbers`, gathered in that order as `values`, by way of the cache; none for
/// a forecaster that cuts by no values.
std::optional<PatchCuts> cached_cuts(const Forecaster& forecaster, const at::Tensor& values,
                                     std::span<const int64_t> numbers, CutCache& cuts);

}  // namespace timeseries
