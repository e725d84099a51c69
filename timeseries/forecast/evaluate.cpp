#include "timeseries/forecast/evaluate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace timeseries {
namespace {

void add_errors(const at::Tensor& forecast, const at::Tensor& target, double& squares,
                double& magnitudes, int64_t& values) {
  const at::Tensor y = forecast.to(at::kFloat).contiguous(), x = target.contiguous();
  const auto *a = y.const_data_ptr<float>(), *b = x.const_data_ptr<float>();
  for (int64_t i = 0; i < y.numel(); ++i) {
    if (std::isnan(b[i])) continue;
    const double error = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    squares += error * error;
    magnitudes += std::abs(error);
    ++values;
  }
}

}  // namespace

std::optional<PatchCuts> cached_cuts(const Forecaster& forecaster, const at::Tensor& values,
                                     std::span<const int64_t> numbers, CutCache& cuts) {
  if (!forecaster.cuts_by_values()) return std::nullopt;
  return cuts.get(numbers, [&](std::span<const int64_t> places) {
    const at::Tensor rows =
        places.size() == numbers.size()
            ? values
            : values.index_select(
                  0, at::tensor(std::vector<int64_t>(places.begin(), places.end()), at::kLong));
    return forecaster.cut(rows);
  });
}

Errors evaluate(const Forecaster& forecaster, const WindowSource& source,
                std::span<const Window> windows, const attn::Hooks& hooks,
                const TakeForecasts& take, CutCache* cuts, int64_t batch) {
  const c10::NoGradGuard no_grad;
  Errors out;
  out.windows = static_cast<int64_t>(windows.size());
  double squares = 0, magnitudes = 0;
  for (int64_t first = 0; first < out.windows; first += batch) {
    hooks.check();
    const int64_t count = std::min(batch, out.windows - first);
    const auto part = windows.subspan(static_cast<size_t>(first), static_cast<size_t>(count));
    const WindowBatch values = source.gather(part);
    std::optional<PatchCuts> known;
    if (cuts != nullptr) {
      std::vector<int64_t> numbers(static_cast<size_t>(count));
      std::iota(numbers.begin(), numbers.end(), first);
      known = cached_cuts(forecaster, values.values, numbers, *cuts);
    }
    Pass pass;
    if (known) pass.cuts = &*known;
    const at::Tensor forecast = forecaster.forward(values, pass);
    add_errors(forecast, values.target, squares, magnitudes, out.values);
    if (take) take(part, forecast, values.target);
    hooks.report("windows", first + count, out.windows);
  }
  const auto n = static_cast<double>(out.values);
  out.mse = squares / n;
  out.mae = magnitudes / n;
  return out;
}

}  // namespace timeseries
