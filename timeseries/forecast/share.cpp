#include "timeseries/forecast/share.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "timeseries/forecast/evaluate.h"

namespace timeseries {
namespace {

constexpr int64_t kWindows = 4096, kBatch = 896, kFew = 64;

/// Window i of `taken` that are spread over `count`. Neighbours are the channels of one origin, so
/// that steps of a whole number would meet a few of them again and again.
int64_t spread(int64_t i, int64_t count, int64_t taken) {
  const int64_t step = count / taken;
  return i * count / taken + (count % taken == 0 ? i % step : 0);
}

/// Sum of x (T) over the steps within `reach` of each.
at::Tensor near_sums(const at::Tensor& x, int64_t reach) {
  const int64_t steps = x.size(0);
  const at::Tensor sums = at::constant_pad_nd(x.cumsum(0), {1, 0}), at = at::arange(steps);
  return sums.index_select(0, (at + reach + 1).clamp_max(steps)) -
         sums.index_select(0, (at - reach).clamp_min(0));
}

}  // namespace

void fit_share(const Forecaster& forecaster, const WindowSource& source,
               std::span<const Window> windows, CutCache& cuts) {
  if (!forecaster.share().defined() || windows.empty()) return;
  const c10::NoGradGuard no_grad;
  const auto count = static_cast<int64_t>(windows.size()), taken = std::min(count, kWindows);
  const int64_t steps = forecaster.horizon();
  at::Tensor products = at::zeros({steps}, at::kDouble), squares = at::zeros({steps}, at::kDouble);
  for (int64_t first = 0; first < taken; first += kBatch) {
    std::vector<int64_t> numbers;
    std::vector<Window> part;
    for (int64_t i = first; i < std::min(first + kBatch, taken); ++i) {
      numbers.push_back(spread(i, count, taken));
      part.push_back(windows[static_cast<size_t>(numbers.back())]);
    }
    const WindowBatch batch = source.gather(part);
    const std::optional<PatchCuts> known = cached_cuts(forecaster, batch.values, numbers, cuts);
    Pass pass;
    if (known) pass.cuts = &*known;
    const ForecastParts parts = forecaster.parts(batch, pass);
    const at::Tensor there = batch.target.isnan().logical_not_().to(at::kDouble),
                     rest = parts.rest.to(at::kDouble) * there,
                     left = batch.target.nan_to_num().to(at::kDouble) - parts.base.to(at::kDouble);
    products += (left * rest).sum(0);
    squares += rest.square().sum(0);
  }
  const int64_t reach = taken < kFew ? steps : steps / 8;
  const at::Tensor above = near_sums(products, reach), below = near_sums(squares, reach);
  const at::Tensor share = at::where(below > 0, above / below, at::ones_like(below)).clamp(0, 1);
  forecaster.share().copy_(share);
}

}  // namespace timeseries
