#include "libattn/nn/dropout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/random/rng.h"
#include "tests/libattn/ops/gradcheck.h"
#include "tests/support/refusal.h"

namespace attn::nn {
namespace {

TEST(Dropout, IsTheIdentityAtZero) {
  const at::Tensor x = at::randn({3, 4});
  EXPECT_TRUE(nn::dropout(x, 0, 1).is_same(x));
}

TEST(Dropout, MaskIsThatOfTheStream) {
  // Two elements a draw, the lower half first.
  const double p = 0.3;
  const at::Tensor y = nn::dropout(at::ones({7}, at::kDouble), p, 42);
  random::Rng stream(42);
  for (int64_t n = 0; n < 7; n += 2) {
    const uint64_t draw = stream.next();
    for (int64_t i = n; i < std::min<int64_t>(n + 2, 7); ++i) {
      const auto word = static_cast<uint32_t>(i == n ? draw : draw >> 32U);
      const double share = static_cast<double>(word) / 4294967296.0;
      EXPECT_DOUBLE_EQ(y[i].item<double>(), share < p ? 0 : 1 / (1 - p)) << i;
    }
  }
}

TEST(Dropout, KeepsTheShareAndTheMeanIndependently) {
  constexpr int64_t kN = 1000000;
  for (const double p : {0.05, 0.5, 0.9}) {
    const at::Tensor kept = nn::dropout(at::ones({kN}), p, 9).ne(0).to(at::kDouble);
    // Five standard deviations of a binomial share, and of a correlation of neighbours.
    const double sd = std::sqrt(p * (1 - p) / kN);
    EXPECT_NEAR(kept.mean().item<double>(), 1 - p, 5 * sd) << p;
    const at::Tensor centred = (kept - (1 - p)) / std::sqrt(p * (1 - p));
    for (const int64_t lag : {1, 2, 3, 8}) {
      const at::Tensor product = centred.slice(0, lag) * centred.slice(0, 0, kN - lag);
      EXPECT_LT(std::abs(product.mean().item<double>()), 5e-3) << p << " lag " << lag;
    }
    EXPECT_NEAR(nn::dropout(at::ones({kN}, at::kDouble), p, 9).mean().item<double>(), 1,
                5 * sd / (1 - p));
  }
}

TEST(Dropout, SeedsGiveOtherMasksAndThreadsTheSame) {
  const at::Tensor x = at::randn({200001});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = nn::dropout(x, 0.2, 5);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(nn::dropout(x, 0.2, 5), alone));
  at::set_num_threads(before);
  const at::Tensor other = nn::dropout(x, 0.2, 6);
  // Independent masks agree at a share of .2^2 + .8^2 = .68.
  EXPECT_NEAR(alone.ne(0).eq(other.ne(0)).to(at::kDouble).mean().item<double>(), 0.68, 0.01);
  // The mask belongs to the place in row-major order, whatever the strides.
  const at::Tensor square = at::randn({30, 40});
  EXPECT_TRUE(
      at::equal(nn::dropout(square.t(), 0.4, 1), nn::dropout(square.t().contiguous(), 0.4, 1)));
}

TEST(Dropout, GradientsAreThoseOfFiniteDifferences) {
  test::expect_gradients(
      [](const std::vector<at::Tensor>& in) {
        const at::Tensor y = nn::dropout(in[0], 0.4, 3);
        return (y * y * at::arange(1, y.numel() + 1, at::kDouble).view_as(y)).sum();
      },
      {at::randn({5, 7}, at::kDouble)}, "dropout");
}

TEST(Dropout, TakesEmptyInputAndRefusesWhatDoesNotFit) {
  EXPECT_EQ(nn::dropout(at::zeros({0, 3}), 0.5, 1).numel(), 0);
  EXPECT_EQ(nn::dropout(at::ones({}), 0.5, 1).dim(), 0);
  for (const double p : {1.0, -0.1, std::numeric_limits<double>::quiet_NaN()})
    test::expect_refusal([&] { nn::dropout(at::zeros({3}), p, 1); }, "at least 0 and below 1");
  test::expect_refusal([] { nn::dropout(at::zeros({3}, at::kLong), 0.5, 1); }, "Float or Double");
}

}  // namespace
}  // namespace attn::nn
