// Finite differences of a scalar function of fp64 tensors against its gradient.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <string>
#include <vector>

namespace attn::test {

using Scalar = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// Compares d f / d inputs with (f(x + h) - f(x - h)) / 2h, element by element. Inputs: fp64
/// leaves, any strides.
inline void expect_gradients(const Scalar& f, const std::vector<at::Tensor>& inputs,
                             const std::string& what, double tolerance = 1e-6) {
  constexpr double kStep = 1e-6;
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& x : inputs) leaves.push_back(x.detach().requires_grad_(true));
  const std::vector<at::Tensor> found =
      torch::autograd::grad({f(leaves)}, leaves, {}, false, false, true);
  const c10::NoGradGuard no_grad;
  for (size_t n = 0; n < inputs.size(); ++n) {
    ASSERT_TRUE(found[n].defined()) << what << ": input " << n << " got no gradient";
    const at::Tensor flat = found[n].reshape({-1});
    for (int64_t i = 0; i < flat.size(0); ++i) {
      std::vector<double> value;
      for (const double step : {kStep, -kStep}) {
        std::vector<at::Tensor> moved(inputs.begin(), inputs.end());
        at::Tensor x = inputs[n].clone(at::MemoryFormat::Contiguous);
        x.view({-1})[i] += step;
        moved[n] = x;
        value.push_back(f(moved).item<double>());
      }
      const double wanted = (value[0] - value[1]) / (2 * kStep), got = flat[i].item<double>();
      ASSERT_NEAR(got, wanted, tolerance * (1 + std::abs(wanted)))
          << what << ": input " << n << " element " << i;
    }
  }
}

}  // namespace attn::test
