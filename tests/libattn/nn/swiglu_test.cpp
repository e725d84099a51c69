// Oracle: the published equation in LibTorch's own operations, fp64.
#include "libattn/nn/swiglu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "attn/core.h"
#include "attn/error.h"
#include "tests/libattn/ops/gradcheck.h"
#include "tests/support/every_target.h"
#include "tests/support/refusal.h"

namespace attn::nn {
namespace {

struct Shape {
  int64_t rows, width, hidden;
};

std::string name_of(const Shape& s) {
  return std::to_string(s.rows) + " x " + std::to_string(s.width) + " x " +
         std::to_string(s.hidden);
}

/// x, w1, w3, w2 as leaves.
std::vector<at::Tensor> random_input(const Shape& s, at::ScalarType type, double scale = 1) {
  const auto t = [&](int64_t rows, int64_t columns) {
    return (scale * at::randn({rows, columns}, at::kDouble)).to(type).requires_grad_();
  };
  return {t(s.rows, s.width), t(s.hidden, s.width), t(s.hidden, s.width), t(s.width, s.hidden)};
}

at::Tensor call(const std::vector<at::Tensor>& in) {
  return swiglu(in[0], in[1], in[2], in[3]);
}

at::Tensor by_equation(const std::vector<at::Tensor>& in) {
  const at::Tensor a = at::matmul(in[0], in[1].t()), b = at::matmul(in[0], in[2].t());
  return at::matmul(a / (1 + at::exp(-a)) * b, in[3].t());
}

/// Largest difference, beside the largest of `b`.
double distance(const at::Tensor& a, const at::Tensor& b) {
  if (b.numel() == 0) return 0;
  const at::Tensor exact = b.to(at::kDouble);
  return (a.to(at::kDouble) - exact).abs().max().item<double>() /
         std::max(1e-30, exact.abs().max().item<double>());
}

/// Output and gradients of both at a random upstream gradient.
void expect_equation(const Shape& s, at::ScalarType type, double tolerance) {
  const std::vector<at::Tensor> in = random_input(s, type);
  std::vector<at::Tensor> exact;
  for (const at::Tensor& t : in)
    exact.push_back(t.detach().to(at::kDouble, false, true).requires_grad_());
  const at::Tensor y = call(in), wanted = by_equation(exact);
  ASSERT_EQ(y.sizes(), wanted.sizes());
  EXPECT_LT(distance(y.detach(), wanted.detach()), tolerance) << name_of(s);
  const at::Tensor up = at::randn(y.sizes(), at::kDouble).to(type);
  const auto found = torch::autograd::grad({y}, in, {up});
  const auto right = torch::autograd::grad({wanted}, exact, {up.to(at::kDouble)});
  for (size_t i = 0; i < 4; ++i)
    EXPECT_LT(distance(found[i], right[i]), tolerance) << name_of(s) << " gradient " << i;
}

const std::vector<Shape> kShapes{{1, 1, 1},   {2, 3, 5},     {7, 8, 64},   {48, 8, 256},
                                 {49, 9, 65}, {131, 17, 97}, {97, 64, 40}, {900, 8, 32}};

TEST(Swiglu, MatchesTheEquationInBothPrecisionsOnEveryTarget) {
  test::with_every_target([] {
    for (const Shape& s : kShapes) {
      expect_equation(s, at::kDouble, 1e-13);
      expect_equation(s, at::kFloat, 3e-6);
    }
  });
}

TEST(Swiglu, GradientsAreThoseOfFiniteDifferences) {
  for (const Shape& s : {Shape{3, 2, 5}, Shape{5, 4, 3}, Shape{1, 1, 1}})
    test::expect_gradients(
        [](const std::vector<at::Tensor>& in) {
          return (call(in) * at::arange(1, in[0].numel() + 1, at::kDouble).view_as(in[0])).sum();
        },
        random_input(s, at::kDouble), name_of(s));
}

TEST(Swiglu, EmptyInputHasEmptyOutputAndZeroGradients) {
  for (const Shape& s : {Shape{0, 8, 16}, Shape{5, 8, 0}, Shape{5, 0, 8}}) {
    const std::vector<at::Tensor> in = random_input(s, at::kFloat);
    const at::Tensor y = call(in);
    EXPECT_EQ(y.sizes(), in[0].sizes());
    EXPECT_EQ(y.detach().abs().sum().item<float>(), 0);
    for (const at::Tensor& g : torch::autograd::grad({y.sum()}, in))
      EXPECT_EQ(g.abs().sum().item<float>(), 0) << name_of(s);
  }
}

TEST(Swiglu, LargeValuesSaturateAndNaNStays) {
  // silu(a) is a or 0 far out: 200 * 1 for a = 200, and nothing for a = -200.
  test::with_every_target([] {
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const at::Tensor x =
          at::tensor({200.0, -200.0, 1e4, -1e4}, at::kDouble).to(type).view({4, 1});
      const at::Tensor one = at::ones({1, 1}, type);
      const at::Tensor y = swiglu(x, one, at::zeros({1, 1}, type) + 1, one);
      EXPECT_EQ(y[0].item<double>(), 200.0 * 200.0);
      EXPECT_NEAR(y[1].item<double>(), 0, 1e-80);
      EXPECT_EQ(y[2].item<double>(), 1e8);
      EXPECT_EQ(y[3].item<double>(), 0);
      const double nan = std::numeric_limits<double>::quiet_NaN();
      const at::Tensor with_nan = swiglu(at::full({3, 1}, nan, type), one, one, one);
      EXPECT_TRUE(at::isnan(with_nan).all().item<bool>());
    }
  });
}

TEST(Swiglu, TakesAnyStrides) {
  const at::Tensor x = at::randn({6, 10}, at::kDouble).t(), w = at::randn({6, 14}, at::kDouble);
  const at::Tensor w1 = w.t().slice(0, 0, 7), w3 = w.t().slice(0, 7, 14);
  const at::Tensor w2 = at::randn({7, 6}, at::kDouble).t();
  EXPECT_LT(distance(swiglu(x, w1, w3, w2), by_equation({x, w1, w3, w2})), 1e-13);
}

TEST(Swiglu, IsTheSameOnAnyNumberOfThreads) {
  const std::vector<at::Tensor> in = random_input({5000, 8, 256}, at::kFloat);
  const int before = at::get_num_threads();
  std::vector<std::vector<at::Tensor>> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const at::Tensor y = call(in);
    results.push_back(torch::autograd::grad({y}, in, {at::sin(y.detach())}));
    results.back().push_back(y.detach());
  }
  at::set_num_threads(before);
  for (size_t t = 1; t < results.size(); ++t)
    for (size_t i = 0; i < results[t].size(); ++i)
      EXPECT_TRUE(at::equal(results[0][i], results[t][i])) << "result " << i;
}

TEST(Swiglu, ARowIsTheSameAloneAndAmongOthers) {
  const std::vector<at::Tensor> in = random_input({301, 8, 256}, at::kFloat);
  const at::Tensor together = call(in).detach();
  for (const int64_t row : {0, 47, 48, 300}) {
    const at::Tensor alone = swiglu(in[0].slice(0, row, row + 1), in[1], in[2], in[3]).detach();
    EXPECT_LT((alone[0] - together[row]).abs().max().item<float>(), 1e-4F) << row;
  }
}

TEST(Swiglu, OnlyWantedGradientsAreComputed) {
  std::vector<at::Tensor> in = random_input({20, 8, 16}, at::kDouble);
  const at::Tensor all = torch::autograd::grad({call(in).sum()}, {in[1]})[0];
  for (const size_t i : {0UL, 2UL, 3UL}) in[i] = in[i].detach();
  EXPECT_TRUE(at::equal(torch::autograd::grad({call(in).sum()}, {in[1]})[0], all));
}

TEST(Swiglu, DoubleBackwardIsRefused) {
  const std::vector<at::Tensor> in = random_input({4, 3, 5}, at::kDouble);
  const at::Tensor g =
      torch::autograd::grad({call(in).sum()}, {in[0]}, {}, std::nullopt, /*create_graph=*/true)[0];
  test::expect_refusal([&] { torch::autograd::grad({g.sum()}, {in[0]}); }, "double backward");
}

TEST(Swiglu, RefusesWhatDoesNotFit) {
  const auto refused = [](const at::Tensor& x, const at::Tensor& w1, const at::Tensor& w3,
                          const at::Tensor& w2, const std::string& part) {
    test::expect_refusal([&] { swiglu(x, w1, w3, w2); }, part);
  };
  const at::Tensor x = at::zeros({4, 3}), up = at::zeros({5, 3}), down = at::zeros({3, 5});
  refused(x, up, at::zeros({6, 3}), down, "w3 has shape (6, 3); expected (5, 3)");
  refused(x, up, up, up, "w2 has shape (5, 3); expected (3, 5)");
  refused(x, at::zeros({5, 4}), up, down, "w1 has shape (5, 4)");
  refused(x[0], up, up, down, "(T, D)");
  refused(x, up.to(at::kDouble), up, down, "the same type");
  refused(x, {}, up, down, "w1 is an undefined tensor");
  refused(x.to(at::kLong), up, up, down, "expected Float or Double");
}

TEST(Swiglu, HiddenWidthIsThatOfTheReference) {
  EXPECT_EQ(swiglu_hidden(8, 256), 256);  // floor(64/3) = 21
  EXPECT_EQ(swiglu_hidden(16, 32), 64);   // floor(128/3) = 42
  EXPECT_EQ(swiglu_hidden(8, 21), 21);
  EXPECT_EQ(swiglu_hidden(8, 20), 40);
  EXPECT_EQ(swiglu_hidden(4096, 256), 11008);  // LLaMA 7B
  EXPECT_THROW(swiglu_hidden(0, 8), std::logic_error);
  EXPECT_THROW(swiglu_hidden(8, 0), std::logic_error);
}

}  // namespace
}  // namespace attn::nn
