// What tests of forecasters share: a patcher of their own, batches, parameters in fp64.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libattn/train/seed.h"
#include "timeseries/forecast/entrope.h"
#include "timeseries/forecast/forecaster.h"

namespace timeseries::test {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

/// A patch starts where a value differs from the one before by more than 1; so it depends on each
/// window alone, and the number of patches varies.
inline PatchCuts cut_at_jumps(const at::Tensor& values) {
  const at::Tensor x = values.to(at::kDouble).contiguous();
  const int64_t rows = x.size(0), length = x.size(1);
  std::vector<int64_t> offsets{0}, begin;
  for (int64_t n = 0; n < rows; ++n) {
    const double* row = x.const_data_ptr<double>() + n * length;
    for (int64_t t = 0; t < length; ++t)
      if (t == 0 || std::abs(row[t] - row[t - 1]) > 1) begin.push_back(t);
    offsets.push_back(static_cast<int64_t>(begin.size()));
  }
  return {at::tensor(offsets, at::kLong), at::tensor(begin, at::kLong), length};
}

/// Token 0 where missing, else 1 ... vocabulary - 1 by the value.
inline Patching patching(int64_t vocabulary = 8) {
  return {cut_at_jumps, [vocabulary](const at::Tensor& values) {
            const at::Tensor known = (values * 2 + 4).floor().clamp(1, vocabulary - 1);
            return known.nan_to_num(0).to(at::kLong);
          }};
}

/// Random windows with a few channels, phases and covariates.
inline WindowBatch random_batch(int64_t rows, int64_t lookback, int64_t horizon, uint64_t seed,
                                int64_t known = 0, int64_t past = 0, int64_t channels = 3) {
  using attn::train::make_generator;
  WindowBatch batch;
  batch.values = at::randn({rows, lookback}, make_generator(seed), at::kFloat) + 0.5;
  batch.target = at::randn({rows, horizon}, make_generator(seed + 1), at::kFloat);
  if (known > 0)
    batch.known =
        at::randn({rows, lookback + horizon, known}, make_generator(seed + 2), at::kFloat);
  if (past > 0)
    batch.past = at::randn({rows, lookback, past}, make_generator(seed + 3), at::kFloat);
  batch.phase = at::randint(0, 5, {rows}, make_generator(seed + 4), at::kLong);
  batch.channel = at::randint(0, channels, {rows}, make_generator(seed + 5), at::kLong);
  return batch;
}

/// Rows of a batch.
inline WindowBatch rows_of(const WindowBatch& batch, const std::vector<int64_t>& rows) {
  const at::Tensor index = at::tensor(rows, at::kLong);
  const auto pick = [&](const at::Tensor& t) { return t.defined() ? t.index_select(0, index) : t; };
  return {pick(batch.values), pick(batch.target), pick(batch.known),
          pick(batch.past),   pick(batch.phase),  pick(batch.channel)};
}

/// All numbers of a forecaster moved away from where they start (zeros, ones), in `type`.
inline void randomise(const Forecaster& forecaster, uint64_t seed,
                      at::ScalarType type = at::kDouble, double by = 0.3) {
  const c10::NoGradGuard no_grad;
  const auto change = [&](const at::Tensor& tensor, bool positive) {
    at::Tensor x = tensor.detach().to(at::kDouble);
    const at::Tensor noise =
        by * at::randn(x.sizes(), attn::train::make_generator(seed++), at::kDouble);
    x = x + (positive ? noise.abs() : noise);
    tensor.set_data(x.to(type));
  };
  for (const auto& [name, tensor] : forecaster.parameters().named()) change(tensor, false);
  for (const auto& [name, tensor] : forecaster.buffers()) change(tensor, true);
}

/// The gradients of loss() are what central differences say, at up to 17 elements of each parameter
/// that `learns` names; those of the others are none at all.
inline void expect_gradients(const Forecaster& network, const std::function<at::Tensor()>& loss,
                             const std::function<bool(const std::string&)>& learns,
                             double tolerance = 1e-6) {
  const std::string which = network.options().dump();
  for (const auto& [name, p] : network.parameters().named()) {
    p.set_requires_grad(true);
    p.mutable_grad() = at::Tensor();
  }
  loss().backward();
  const c10::NoGradGuard no_grad;
  for (const auto& [name, p] : network.parameters().named()) {
    ASSERT_EQ(p.grad().defined(), learns(name)) << name << " " << which;
    if (!learns(name)) continue;
    const at::Tensor flat = p.detach().view({-1}), grad = p.grad().reshape({-1});
    for (int64_t i = 0; i < flat.size(0); i += 1 + flat.size(0) / 17) {
      const double before = flat[i].item<double>();
      flat[i] = before + 1e-6;
      const double up = loss().item<double>();
      flat[i] = before - 1e-6;
      const double down = loss().item<double>();
      flat[i] = before;
      const double wanted = (up - down) / 2e-6;
      ASSERT_NEAR(grad[i].item<double>(), wanted, tolerance * (1 + std::abs(wanted)))
          << name << " " << i << " " << which;
    }
  }
}

}  // namespace timeseries::test
