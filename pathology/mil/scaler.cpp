#include "pathology/mil/scaler.h"

#include <ATen/ATen.h>

#include <cmath>

#include "attn/error.h"

namespace pathology {

at::Tensor Scaler::apply(const at::Tensor& x) const {
  at::Tensor y = at::sub(x, mean).mul_(inverse);
  if (limit > 0) y.clamp_(-limit, limit);
  return y;
}

Scaler Scaler::to(at::ScalarType type) const {
  return {mean.to(type), inverse.to(type), limit};
}

Scaler fit_scaler(const BagSet& set, std::span<const int64_t> items, double limit) {
  at::Tensor mean = at::zeros({set.dim}, at::kDouble), squares = at::zeros({set.dim}, at::kDouble);
  double rows = 0;
  for (const int64_t i : items) {
    const at::Tensor x = set.features(i).to(at::kDouble);
    const auto n = static_cast<double>(x.size(0));
    if (n == 0) continue;
    const at::Tensor bag_mean = x.mean(0);
    const at::Tensor delta = bag_mean - mean;
    squares += (x - bag_mean).square().sum(0) + delta.square() * (rows * n / (rows + n));
    mean += delta * (n / (rows + n));
    rows += n;
  }
  if (rows == 0) throw attn::Error("the training bags hold no instances to standardise by");
  const at::Tensor sd = (squares / rows).sqrt();
  // A column whose spread is rounding noise beside its mean counts as constant.
  const at::Tensor constant = sd <= mean.abs() * 1e-7;
  return {mean, at::where(constant, at::zeros_like(sd), sd.reciprocal()), limit};
}

}  // namespace pathology
