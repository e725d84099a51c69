// How held-out windows are drawn and their steps put together where something is fitted on them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace timeseries {

/// Window i of `taken` that are spread over `count`. Neighbours are the channels of one origin, so
/// that steps of a whole number would meet a few of them again and again.
int64_t spread_window(int64_t i, int64_t count, int64_t taken);

/// Sum of x (..., T) over the steps that are judged together with each: within T/8 of it, all of
/// them where there are fewer than 64 windows.
at::Tensor near_sums(const at::Tensor& x, int64_t windows);

}  // namespace timeseries
