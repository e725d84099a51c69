// Oracle: the equation, sum by sum, in fp64.
#include "libattn/nn/linear.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "attn/error.h"
#include "tests/libattn/ops/gradcheck.h"
#include "tests/support/refusal.h"

namespace attn::nn {
namespace {

struct Shape {
  int64_t rows, in, out;
};

std::string name_of(const Shape& s) {
  return std::to_string(s.rows) + " x " + std::to_string(s.in) + " -> " + std::to_string(s.out);
}

/// x, weight, bias as leaves.
std::vector<at::Tensor> random_input(const Shape& s, at::ScalarType type) {
  const auto t = [&](at::IntArrayRef sizes) {
    return at::randn(sizes, at::kDouble).to(type).requires_grad_();
  };
  return {t({s.rows, s.in}), t({s.out, s.in}), t({s.out})};
}

/// y and the gradients of x, weight and bias at the upstream gradient `dy`, fp64, by loops.
std::vector<at::Tensor> by_equation(const std::vector<at::Tensor>& in, const at::Tensor& dy) {
  const at::Tensor x = in[0].detach().to(at::kDouble).contiguous(),
                   w = in[1].detach().to(at::kDouble).contiguous(),
                   g = dy.to(at::kDouble).contiguous();
  const at::Tensor y = in[2].detach().to(at::kDouble).repeat({x.size(0), 1});
  const at::Tensor dx = at::zeros_like(x), dw = at::zeros_like(w);
  const auto X = x.accessor<double, 2>(), W = w.accessor<double, 2>(), G = g.accessor<double, 2>();
  auto Y = y.accessor<double, 2>(), DX = dx.accessor<double, 2>(), DW = dw.accessor<double, 2>();
  for (int64_t n = 0; n < x.size(0); ++n)
    for (int64_t o = 0; o < w.size(0); ++o)
      for (int64_t i = 0; i < w.size(1); ++i) {
        Y[n][o] += X[n][i] * W[o][i];
        DX[n][i] += G[n][o] * W[o][i];
        DW[o][i] += G[n][o] * X[n][i];
      }
  return {y, dx, dw, g.sum(0)};
}

/// y and all gradients.
std::vector<at::Tensor> run(const std::vector<at::Tensor>& in, const at::Tensor& dy) {
  const at::Tensor y = nn::linear(in[0], in[1], in[2]);
  std::vector<at::Tensor> out = torch::autograd::grad({y}, in, {dy});
  out.insert(out.begin(), y.detach());
  return out;
}

// Shapes of every way that the pieces are cut: one row, few, many; a weight larger than the sums
// are long, and smaller; not divisible by anything.
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all{{0, 3, 4},   {1, 1, 1},     {1, 37, 5},    {1, 700, 96},
                                      {2, 5, 1},   {7, 1, 300},   {13, 11, 7},   {31, 200, 96},
                                      {896, 9, 1}, {5003, 16, 3}, {20011, 8, 24}};
  return all;
}

TEST(Linear, IsTheEquationAndItsGradient) {
  for (const Shape& s : shapes()) {
    for (const auto type : {at::kDouble, at::kFloat}) {
      const std::vector<at::Tensor> in = random_input(s, type);
      const at::Tensor dy = at::randn({s.rows, s.out}, at::kDouble).to(type);
      const std::vector<at::Tensor> exact = by_equation(in, dy), ours = run(in, dy);
      const double eps = type == at::kDouble ? 1e-16 : 6e-8;
      for (size_t i = 0; i < exact.size(); ++i) {
        ASSERT_EQ(ours[i].sizes(), exact[i].sizes()) << name_of(s);
        if (exact[i].numel() == 0) continue;
        // Terms of a sum, each of size 1 and rounded a few times.
        const auto terms = static_cast<double>(std::max({s.rows, s.in, s.out}));
        EXPECT_LT((ours[i].to(at::kDouble) - exact[i]).abs().max().item<double>(),
                  8 * eps * (terms + 8))
            << name_of(s) << " result " << i;
      }
    }
  }
}

TEST(Linear, GradientsAreThoseOfFiniteDifferences) {
  const std::vector<at::Tensor> in = random_input({5, 4, 3}, at::kDouble);
  test::expect_gradients(
      [](const std::vector<at::Tensor>& x) { return nn::linear(x[0], x[1], x[2]).sin().sum(); }, in,
      "linear");
}

TEST(Linear, IsTheSameBitForBitOnAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  for (const Shape& s : shapes()) {
    const std::vector<at::Tensor> in = random_input(s, at::kFloat);
    const at::Tensor dy = at::randn({s.rows, s.out});
    std::vector<std::vector<at::Tensor>> results;
    for (const int threads : {1, 2, 3, 8}) {
      at::set_num_threads(threads);
      results.push_back(run(in, dy));
    }
    at::set_num_threads(before);
    for (size_t t = 1; t < results.size(); ++t)
      for (size_t i = 0; i < results[t].size(); ++i)
        EXPECT_TRUE(at::equal(results[0][i], results[t][i])) << name_of(s) << " result " << i;
  }
}

TEST(Linear, TakesAnyDimensionsStridesAndNoBias) {
  const at::Tensor x = at::randn({4, 3, 2}, at::kDouble).permute({2, 1, 0});  // (2,3,4)
  const at::Tensor w = at::randn({4, 5}, at::kDouble).t();
  const at::Tensor y = nn::linear(x, w);
  ASSERT_EQ(y.sizes(), at::IntArrayRef({2, 3, 5}));
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 3; ++j)
      for (int64_t o = 0; o < 5; ++o)
        EXPECT_NEAR(y[i][j][o].item<double>(), (x[i][j] * w[o]).sum().item<double>(), 1e-14);
  EXPECT_EQ(nn::linear(x[0][0], w).sizes(), at::IntArrayRef({5}));
}

TEST(Linear, OnlyWantedGradientsAreComputed) {
  std::vector<at::Tensor> in = random_input({20, 8, 16}, at::kDouble);
  const at::Tensor dy = at::randn({20, 16}, at::kDouble);
  const std::vector<at::Tensor> all = run(in, dy);
  for (size_t i = 0; i < 3; ++i) {
    std::vector<at::Tensor> alone;
    for (size_t k = 0; k < 3; ++k) alone.push_back(k == i ? in[k] : in[k].detach());
    const at::Tensor y = nn::linear(alone[0], alone[1], alone[2]);
    EXPECT_TRUE(at::equal(torch::autograd::grad({y}, {alone[i]}, {dy})[0], all[i + 1])) << i;
  }
}

TEST(Linear, RefusesWhatDoesNotFit) {
  const at::Tensor x = at::randn({2, 4}), w = at::randn({3, 4});
  test::expect_refusal([&] { nn::linear(at::randn({2, 5}), w); }, "expected (..., 4)");
  test::expect_refusal([&] { nn::linear(x, w, at::randn({4})); }, "expected (3)");
  test::expect_refusal([&] { nn::linear(x, w.to(at::kDouble)); }, "same type");
  test::expect_refusal([&] { nn::linear(x, at::randn({3})); }, "(out, in)");
}

}  // namespace
}  // namespace attn::nn
