#include "libattn/nn/rotary.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "attn/error.h"
#include "tests/libattn/ops/gradcheck.h"
#include "tests/support/refusal.h"

namespace attn::nn {
namespace {

/// Pair by pair from the equation, in fp64.
at::Tensor by_equation(const at::Tensor& x, const at::Tensor& positions, double theta) {
  const at::Tensor in = x.to(at::kDouble).contiguous();
  at::Tensor out = at::empty_like(in);
  const auto from = in.accessor<double, 3>();
  auto to = out.accessor<double, 3>();
  const int64_t width = x.size(2);
  for (int64_t t = 0; t < x.size(0); ++t)
    for (int64_t h = 0; h < x.size(1); ++h)
      for (int64_t i = 0; i < width / 2; ++i) {
        const double angle =
            static_cast<double>(positions[t].item<int64_t>()) *
            std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(width));
        const double a = from[t][h][2 * i], b = from[t][h][2 * i + 1];
        to[t][h][2 * i] = std::cos(angle) * a - std::sin(angle) * b;
        to[t][h][2 * i + 1] = std::sin(angle) * a + std::cos(angle) * b;
      }
  return out;
}

at::Tensor positions_of(const std::vector<int64_t>& values) {
  return at::tensor(values, at::kLong);
}

TEST(Rotary, MatchesTheEquationForPositionsNearAndFarApart) {
  constexpr int64_t kFar = 1000003;
  for (const auto& values : {std::vector<int64_t>{0, 1, 2, 0, 1},
                             {5, 4, 3, 2, 1},
                             {kFar, -kFar, 0, 7, 7},
                             {-2, -1, 0, -2, 2}})
    for (const int64_t width : {2, 4, 6, 16}) {
      const at::Tensor x = at::randn({5, 3, width}, at::kDouble), p = positions_of(values);
      EXPECT_TRUE(at::allclose(rotary(x, p), by_equation(x, p, 1e4), 1e-12, 1e-12)) << width;
      EXPECT_TRUE(at::allclose(rotary(x, p, 50), by_equation(x, p, 50), 1e-12, 1e-12)) << width;
      const at::Tensor f = rotary(x.to(at::kFloat), p);
      EXPECT_TRUE(at::allclose(f.to(at::kDouble), by_equation(x.to(at::kFloat), p, 1e4), 0, 1e-6));
    }
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const at::Tensor ends = rotary(at::ones({2, 1, 2}), positions_of({-kMost, kMost}));
  EXPECT_TRUE(at::isfinite(ends).all().item<bool>());
}

TEST(Rotary, ProductsDependOnTheDifferenceOfPositionsAlone) {
  const at::Tensor q = at::randn({1, 1, 8}, at::kDouble), k = at::randn({1, 1, 8}, at::kDouble);
  const auto score = [&](int64_t m, int64_t n) {
    return (rotary(q, positions_of({m})) * rotary(k, positions_of({n}))).sum().item<double>();
  };
  for (const int64_t shift : {1, 17, 1000})
    EXPECT_NEAR(score(3, 8), score(3 + shift, 8 + shift), 1e-11);
  EXPECT_GT(std::abs(score(3, 8) - score(3, 9)), 1e-3);
  EXPECT_NEAR(score(4, 4), (q * k).sum().item<double>(), 1e-12);
}

TEST(Rotary, GradientsAreThoseOfFiniteDifferencesAndOfAnyOrder) {
  const at::Tensor p = positions_of({0, 3, 9});
  test::expect_gradients(
      [&](const std::vector<at::Tensor>& in) {
        const at::Tensor y = rotary(in[0], p);
        return (y * y * at::arange(1, y.numel() + 1, at::kDouble).view_as(y)).sum();
      },
      {at::randn({3, 2, 4}, at::kDouble)}, "rotary");
  const at::Tensor x = at::randn({3, 2, 4}, at::kDouble).requires_grad_();
  const at::Tensor g = torch::autograd::grad({rotary(x, p).pow(3).sum()}, {x}, {}, std::nullopt,
                                             /*create_graph=*/true)[0];
  test::expect_gradients(
      [&](const std::vector<at::Tensor>& in) {
        const at::Tensor leaf = in[0].requires_grad() ? in[0] : in[0].detach().requires_grad_();
        const at::AutoGradMode on(true);
        return torch::autograd::grad({rotary(leaf, p).pow(3).sum()}, {leaf}, {}, std::nullopt,
                                     /*create_graph=*/true)[0]
            .pow(2)
            .sum();
      },
      {x.detach()}, "twice");
}

TEST(Rotary, TakesEmptyAndStridedInputOnAnyNumberOfThreads) {
  EXPECT_EQ(rotary(at::zeros({0, 2, 4}), at::empty({0}, at::kLong)).numel(), 0);
  EXPECT_EQ(rotary(at::zeros({2, 2, 0}), positions_of({0, 1})).numel(), 0);
  const at::Tensor x = at::randn({2, 9000, 8}).transpose(0, 1), p = at::arange(9000) % 96;
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = rotary(x, p);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(rotary(x, p), alone));
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(rotary(x.contiguous(), p), alone));
}

TEST(Rotary, RefusesWhatDoesNotFit) {
  const auto refused = [](const at::Tensor& x, const at::Tensor& p, double theta,
                          const std::string& part) {
    test::expect_refusal([&] { rotary(x, p, theta); }, part);
  };
  const at::Tensor x = at::zeros({2, 1, 4}), p = positions_of({0, 1});
  refused(at::zeros({2, 1, 3}), p, 1e4, "even head width");
  refused(at::zeros({2, 4}), p, 1e4, "(T, H, D)");
  refused(x, positions_of({0}), 1e4, "one int64 a token");
  refused(x, at::zeros({2}), 1e4, "one int64 a token");
  refused(x, {}, 1e4, "one int64 a token");
  refused(x, p, 0, "theta is");
}

}  // namespace
}  // namespace attn::nn
