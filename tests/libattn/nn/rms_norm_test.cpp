// Oracle: the published equation in LibTorch's own operations, fp64.
#include "libattn/nn/rms_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <string>
#include <vector>

#include "attn/error.h"
#include "tests/libattn/ops/gradcheck.h"
#include "tests/support/refusal.h"

namespace attn::nn {
namespace {

at::Tensor by_equation(const at::Tensor& x, const at::Tensor& w, double eps) {
  return w * x / at::sqrt((x * x).mean(-1, true) + eps);
}

at::Tensor random_leaf(at::IntArrayRef sizes, at::ScalarType type) {
  return at::randn(sizes, at::kDouble).to(type).requires_grad_();
}

void expect_equation(at::IntArrayRef sizes, at::ScalarType type, double tolerance) {
  const at::Tensor x = random_leaf(sizes, type), w = random_leaf({sizes.back()}, type);
  const at::Tensor xd = x.detach().to(at::kDouble, false, true).requires_grad_();
  const at::Tensor wd = w.detach().to(at::kDouble, false, true).requires_grad_();
  const at::Tensor y = rms_norm(x, w), wanted = by_equation(xd, wd, 1e-5);
  const at::Tensor up = at::randn(sizes, at::kDouble).to(type);
  const auto found = torch::autograd::grad({y}, {x, w}, {up});
  const auto right = torch::autograd::grad({wanted}, {xd, wd}, {up.to(at::kDouble)});
  const auto near = [&](const at::Tensor& a, const at::Tensor& b) {
    return at::allclose(a.to(at::kDouble), b, tolerance, tolerance);
  };
  EXPECT_TRUE(near(y.detach(), wanted.detach())) << sizes;
  EXPECT_TRUE(near(found[0], right[0])) << sizes;
  EXPECT_TRUE(near(found[1] / (1.0 * x.numel()), right[1] / (1.0 * x.numel()))) << sizes;
}

TEST(RmsNorm, MatchesTheEquationInBothPrecisions) {
  const std::vector<std::vector<int64_t>> shapes{{8},        {1, 1},   {5, 3},    {7, 8},
                                                 {2, 3, 17}, {13, 64}, {9000, 8}, {3, 1000}};
  for (const auto& sizes : shapes) {
    expect_equation(sizes, at::kDouble, 1e-12);
    expect_equation(sizes, at::kFloat, 2e-6);
  }
}

TEST(RmsNorm, GradientsAreThoseOfFiniteDifferences) {
  for (const int64_t width : {1, 3, 8})
    test::expect_gradients(
        [](const std::vector<at::Tensor>& in) {
          const at::Tensor y = rms_norm(in[0], in[1], 0.01);
          return (y * at::arange(1, y.numel() + 1, at::kDouble).view_as(y)).sum();
        },
        {at::randn({4, width}, at::kDouble), at::randn({width}, at::kDouble)},
        std::to_string(width));
}

TEST(RmsNorm, OutputHasUnitMeanSquareWhateverTheScale) {
  for (const double scale : {1e-1, 1.0, 1e15}) {
    const at::Tensor x = scale * at::randn({50, 32}, at::kDouble);
    const at::Tensor y = rms_norm(x, at::ones({32}, at::kDouble), 0);
    EXPECT_TRUE(at::allclose((y * y).mean(-1), at::ones({50}, at::kDouble), 1e-12, 0)) << scale;
    EXPECT_TRUE(at::allclose(y, rms_norm(8 * x, at::ones({32}, at::kDouble), 0), 1e-12, 1e-12));
  }
  EXPECT_EQ(rms_norm(at::zeros({3, 4}), at::ones({4})).abs().sum().item<float>(), 0);
}

TEST(RmsNorm, TakesEmptyAndStridedInput) {
  EXPECT_EQ(rms_norm(at::zeros({0, 4}), at::ones({4})).sizes(), at::IntArrayRef({0, 4}));
  EXPECT_EQ(rms_norm(at::zeros({4, 0}), at::ones({0})).sizes(), at::IntArrayRef({4, 0}));
  const at::Tensor x = random_leaf({0, 4}, at::kFloat), w = random_leaf({4}, at::kFloat);
  EXPECT_EQ(torch::autograd::grad({rms_norm(x, w).sum()}, {w})[0].abs().sum().item<float>(), 0);
  const at::Tensor turned = at::randn({6, 10}, at::kDouble).t(), v = at::randn({6}, at::kDouble);
  EXPECT_TRUE(at::allclose(rms_norm(turned, v), by_equation(turned, v, 1e-5), 1e-12, 1e-12));
}

TEST(RmsNorm, IsTheSameOnAnyNumberOfThreads) {
  const at::Tensor x = random_leaf({40000, 8}, at::kFloat), w = random_leaf({8}, at::kFloat);
  const int before = at::get_num_threads();
  std::vector<std::vector<at::Tensor>> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const at::Tensor y = rms_norm(x, w);
    results.push_back(torch::autograd::grad({y}, {x, w}, {at::sin(y.detach())}));
    results.back().push_back(y.detach());
  }
  at::set_num_threads(before);
  for (size_t t = 1; t < results.size(); ++t)
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(results[0][i], results[t][i])) << i;
}

TEST(RmsNorm, DoubleBackwardAndWhatDoesNotFitAreRefused) {
  const at::Tensor x = random_leaf({4, 3}, at::kDouble), w = random_leaf({3}, at::kDouble);
  const at::Tensor g = torch::autograd::grad({rms_norm(x, w).sum()}, {x}, {}, std::nullopt,
                                             /*create_graph=*/true)[0];
  test::expect_refusal([&] { torch::autograd::grad({g.sum()}, {x}); }, "double backward");
  test::expect_refusal([] { rms_norm(at::zeros({4, 3}), at::ones({4})); }, "last size to be 4");
  test::expect_refusal(
      [] {
        rms_norm(at::zeros({4, 3}), at::ones({3}, at::kDouble));
      },
      "same type");
  test::expect_refusal([] { rms_norm(at::zeros({}), at::ones({1})); }, "x has shape ()");
  test::expect_refusal(
      [] {
        rms_norm(at::zeros({2, 3}, at::kLong), at::ones({3}));
      },
      "Float or Double");
}

}  // namespace
}  // namespace attn::nn
