#include "timeseries/model/transform_choice.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "timeseries/window/batch.h"

namespace timeseries {
namespace {

constexpr int64_t kTrain = 2048, kValidation = 1024;
constexpr double kRidge = 1e-2, kGain = 0.97;

bool non_negative(const SeriesSet& set, std::span<const RowSpan> rows) {
  const size_t width = set.channels.size();
  for (size_t s = 0; s < set.series.size(); ++s)
    for (size_t i = static_cast<size_t>(rows[s].begin) * width;
         i < static_cast<size_t>(rows[s].end) * width; ++i)
      if (set.series[s].values[i] < 0) return false;
  return true;
}

/// Up to `count` windows of the ranges, evenly spread.
std::vector<Window> some_windows(const SeriesSet& set, std::span<const RowSpan> rows,
                                 const ModelOptions& o, int64_t count) {
  const std::vector<Window> all =
      plan_windows(set, rows, {o.lookback, o.horizon, o.stride, 0}).windows;
  const auto total = static_cast<int64_t>(all.size()), taken = std::min(total, count);
  std::vector<Window> out;
  for (int64_t i = 0; i < taken; ++i) out.push_back(all[static_cast<size_t>(i * total / taken)]);
  return out;
}

/// Windows (N,L) and targets (N,T) in fp64 of the windows that miss nothing, and which they are.
struct Whole {
  at::Tensor x, y;
  std::vector<Window> windows;
};

Whole whole_of(const WindowSource& source, const std::vector<Window>& windows) {
  const WindowBatch batch = source.gather(windows);
  const at::Tensor there =
      (batch.values.isnan().any(1) | batch.target.isnan().any(1)).logical_not_();
  Whole out{batch.values.to(at::kDouble), batch.target.to(at::kDouble), {}};
  const at::Tensor index = there.nonzero().squeeze(1);
  out.x = out.x.index_select(0, index);
  out.y = out.y.index_select(0, index);
  for (int64_t i = 0; i < index.size(0); ++i)
    out.windows.push_back(windows[static_cast<size_t>(index[i].item<int64_t>())]);
  return out;
}

/// W (L,T) of least squared error for y - m = (x - m) W, m the mean of x.
at::Tensor ridge(const Whole& data) {
  const at::Tensor mean = data.x.mean(1, true), x = data.x - mean;
  at::Tensor a = x.t().mm(x);
  const at::Tensor weight = a.diagonal().mean() * kRidge + 1e-9;
  a.diagonal().add_(weight);
  return at::linalg_solve(a, x.t().mm(data.y - mean));
}

/// Mean squared error on the validation windows over the variance of the data; NaN where no window
/// is whole.
double pilot_error(const SeriesSet& set, const Scaler& scaler, const ModelOptions& o,
                   const std::vector<Window>& train, const std::vector<Window>& validation) {
  BatchOptions options;
  options.lookback = o.lookback;
  options.horizon = o.horizon;
  const WindowSource source(set, scaler, options);
  const Whole learned = whole_of(source, train), judged = whole_of(source, validation);
  if (learned.windows.empty() || judged.windows.empty()) return NAN;
  const at::Tensor mean = judged.x.mean(1, true);
  const at::Tensor forecast = ((judged.x - mean).mm(ridge(learned)) + mean).contiguous(),
                   target = judged.y.contiguous();
  const auto *f = forecast.const_data_ptr<double>(), *y = target.const_data_ptr<double>();
  double sum = 0;
  for (const Window& w : judged.windows) {
    const Moments& m = scaler.of(w.series, w.channel);
    for (int64_t t = 0; t < o.horizon; ++t) {
      const double error = (m.undo(*f++) - m.undo(*y++)) / m.unit();
      sum += error * error;
    }
  }
  return sum / static_cast<double>(forecast.numel());
}

}  // namespace

Transform choose_transform(const SeriesSet& set, const Split& split, const ModelOptions& o) {
  if (!non_negative(set, split.train) || !non_negative(set, split.validation))
    return Transform::none;
  const c10::NoGradGuard no_grad;
  const std::vector<Window> train = some_windows(set, split.train, o, kTrain),
                            validation = some_windows(set, split.validation, o, kValidation);
  if (train.empty() || validation.empty()) return Transform::none;
  const auto error = [&](Transform transform) {
    const Scaler scaler = fit_scaler(set, split.train, o.scale.value(), transform);
    return pilot_error(set, scaler, o, train, validation);
  };
  const double bent = error(Transform::asinh), straight = error(Transform::none);
  return bent < kGain * straight ? Transform::asinh : Transform::none;
}

}  // namespace timeseries
