// Runs of rows: their maximum, one row given to each row of its run, and rows of a periodic table.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace timeseries {

/// y_pd = max_t x_td over the rows t = offsets[p] ... offsets[p+1] - 1 of run p: x (T,D) fp32 or
/// fp64, offsets (P+1) int64, ascending from 0 to T; y (P,D), 0 for a run without rows. The first
/// of equal maxima takes the gradient. Differentiable once; the same for any number of threads.
/// Throws attn::Error on other types and shapes.
at::Tensor segment_max(const at::Tensor& x, const at::Tensor& offsets);

/// y_t = x_p for the rows t of run p: x (P,D), offsets as above; y (T,D). Its gradient is the sum
/// over each run. Differentiable once.
at::Tensor segment_expand(const at::Tensor& x, const at::Tensor& offsets);

/// y_nt = table[row_n, (phase_n + begin + t) mod S], t = 0 ... length - 1: table (R,S), row (N) and
/// phase (N) int64, begin any sign; y (N,length). Differentiable once, in the table.
at::Tensor periodic_rows(const at::Tensor& table, const at::Tensor& row, const at::Tensor& phase,
                         int64_t begin, int64_t length);

}  // namespace timeseries
