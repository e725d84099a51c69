#include "timeseries/forecast/share.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "timeseries/forecast/evaluate.h"
#include "timeseries/forecast/held_out.h"
#include "timeseries/forecast/naive_blend.h"

namespace timeseries {
namespace {

constexpr int64_t kWindows = 4096, kBatch = 896;

/// What windows hold and what the parts of a forecast say of them, one row each.
struct Told {
  at::Tensor values, target, base, rest;
};

Told told_of(const Forecaster& forecaster, const WindowSource& source,
             std::span<const Window> windows, int64_t taken, CutCache& cuts) {
  const auto count = static_cast<int64_t>(windows.size());
  std::vector<at::Tensor> values, targets, bases, rests;
  for (int64_t first = 0; first < taken; first += kBatch) {
    std::vector<int64_t> numbers;
    std::vector<Window> part;
    for (int64_t i = first; i < std::min(first + kBatch, taken); ++i) {
      numbers.push_back(spread_window(i, count, taken));
      part.push_back(windows[static_cast<size_t>(numbers.back())]);
    }
    const WindowBatch batch = source.gather(part);
    const std::optional<PatchCuts> known = cached_cuts(forecaster, batch.values, numbers, cuts);
    Pass pass;
    if (known) pass.cuts = &*known;
    ForecastParts parts = forecaster.parts(batch, pass);
    values.push_back(batch.values);
    targets.push_back(batch.target);
    bases.push_back(std::move(parts.base));
    rests.push_back(std::move(parts.rest));
  }
  return {at::cat(values), at::cat(targets), at::cat(bases), at::cat(rests)};
}

/// s (T), fp64.
at::Tensor share_of(const Told& told) {
  const int64_t windows = told.target.size(0);
  const at::Tensor there = told.target.isnan().logical_not_().to(at::kDouble),
                   rest = told.rest.to(at::kDouble) * there,
                   left = told.target.nan_to_num().to(at::kDouble) - told.base.to(at::kDouble);
  const at::Tensor above = near_sums((left * rest).sum(0), windows),
                   below = near_sums(rest.square().sum(0), windows);
  return at::where(below > 0, above / below, at::ones_like(below)).clamp(0, 1);
}

/// How many of `taken` windows share each target row of a channel.
double overlap_of(std::span<const Window> windows, int64_t taken, int64_t horizon) {
  std::set<std::pair<int32_t, int32_t>> columns;
  for (const Window& w : windows) columns.emplace(w.series, w.channel);
  const double each = static_cast<double>(taken) / static_cast<double>(columns.size()),
               dense = static_cast<double>(taken) / static_cast<double>(windows.size()) *
                       static_cast<double>(horizon);
  return std::max(1.0, std::min(each, dense));
}

}  // namespace

double shares_bytes(int64_t windows, int64_t lookback, int64_t horizon) {
  const auto taken = static_cast<double>(std::min(windows, kWindows)),
             l = static_cast<double>(lookback), t = static_cast<double>(horizon);
  return taken * (2 * (l + 3 * t) * sizeof(float) + (l + 4 * t) * sizeof(double));
}

void fit_shares(const Forecaster& forecaster, const WindowSource& source,
                std::span<const Window> windows, CutCache& cuts) {
  if (!forecaster.share().defined() || windows.empty()) return;
  const c10::NoGradGuard no_grad;
  const int64_t taken = std::min(static_cast<int64_t>(windows.size()), kWindows);
  const Told told = told_of(forecaster, source, windows, taken, cuts);
  forecaster.share().copy_(share_of(told));
  fit_blend(forecaster.blend(), told.values, told.base + forecaster.share() * told.rest,
            told.target, overlap_of(windows, taken, forecaster.horizon()));
}

}  // namespace timeseries
