// Attention pooling: gradients by finite differences, the form written out, large and empty bags,
// refusals.
#include "attn/pooling.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "attn/core.h"
#include "attn/error.h"
#include "tests/libattn/ops/gradcheck.h"
#include "tests/support/refusal.h"

namespace {

using attn::attention_pool;
using attn::pool_weights;
using attn::PoolResult;
using attn::test::expect_gradients;
using attn::test::expect_refusal;

at::Tensor offsets_of(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> offsets = {0};
  for (const int64_t n : sizes) offsets.push_back(offsets.back() + n);
  return at::tensor(offsets, at::kLong);
}

/// The same written out with softmax and matmul, bag by bag; empty bags: 0, -inf, 0.
PoolResult written_out(const at::Tensor& scores, const at::Tensor& values,
                       const std::vector<int64_t>& sizes) {
  std::vector<at::Tensor> out, lse, entropy;
  int64_t first = 0;
  for (const int64_t n : sizes) {
    const at::Tensor s = scores.narrow(0, first, n), v = values.narrow(0, first, n);
    first += n;
    if (n == 0) {
      out.push_back(at::zeros({scores.size(1), values.size(1)}, values.options()));
      lse.push_back(at::full({scores.size(1)}, -INFINITY, values.options()));
      entropy.push_back(at::zeros({scores.size(1)}, values.options()));
      continue;
    }
    const at::Tensor log_p = at::log_softmax(s, 0);
    out.push_back(at::matmul(log_p.exp().t(), v));
    lse.push_back(at::logsumexp(s, 0));
    entropy.push_back(-(log_p.exp() * log_p).sum(0));
  }
  return {at::stack(out), at::stack(lse), at::stack(entropy)};
}

at::Tensor functional(const PoolResult& r) {
  at::manual_seed(99);
  const at::Tensor a = at::randn(r.out.sizes(), r.out.options()),
                   b = at::randn(r.lse.sizes(), r.lse.options()),
                   c = at::randn(r.entropy.sizes(), r.entropy.options());
  return (a * r.out).sum() + (b * r.lse.masked_fill(r.lse.detach().isinf(), 0)).sum() +
         (c * r.entropy).sum();
}

TEST(AttentionPool, GradientsEqualFiniteDifferences) {
  for (const int64_t heads : {1, 3}) {
    for (const int64_t width : {1, 5, 18}) {
      const std::vector<int64_t> sizes = {1, 0, 7, 2, 13, 0};
      at::manual_seed(1);
      const at::Tensor offsets = offsets_of(sizes);
      expect_gradients(
          [&](const std::vector<at::Tensor>& x) {
            return functional(attention_pool(x[0], x[1], offsets));
          },
          {at::randn({23, heads}, at::kDouble), at::randn({23, width}, at::kDouble)},
          "heads " + std::to_string(heads) + " width " + std::to_string(width));
    }
  }
}

/// Results and gradients of both forms.
void expect_equal_to_written_out(const std::vector<int64_t>& sizes, int64_t heads, int64_t width,
                                 at::ScalarType type, double spread, double tolerance) {
  at::manual_seed(2);
  const at::Tensor offsets = offsets_of(sizes);
  const int64_t total = offsets[-1].item<int64_t>();
  const auto leaf = [](const at::Tensor& x) { return x.detach().clone().requires_grad_(true); };
  const at::Tensor scores = leaf((at::randn({total, heads}) * spread).to(type)),
                   values = leaf(at::randn({total, width}).to(type));
  const at::Tensor scores64 = leaf(scores.to(at::kDouble)), values64 = leaf(values.to(at::kDouble));
  const PoolResult ours = attention_pool(scores, values, offsets),
                   exact = written_out(scores64, values64, sizes);
  at::manual_seed(99);
  const at::Tensor a = at::randn_like(exact.out), b = at::randn_like(exact.lse),
                   c = at::randn_like(exact.entropy);
  const auto sum = [&](const PoolResult& r) {
    const at::Tensor lse = r.lse.masked_fill(r.lse.detach().isinf(), 0);
    return (a.to(type) * r.out.to(type)).sum().to(at::kDouble) + (b * lse).sum() +
           (c * r.entropy).sum();
  };
  const auto g = torch::autograd::grad({sum(ours)}, {scores, values});
  const auto g64 = torch::autograd::grad({sum(exact)}, {scores64, values64});
  const auto worst = [](const at::Tensor& x, const at::Tensor& y) {
    if (y.numel() == 0) return 0.0;
    return (x.to(at::kDouble) - y).abs().max().item<double>() /
           std::max(1e-3, y.abs().max().item<double>());
  };
  EXPECT_TRUE(at::equal(ours.lse.isinf(), exact.lse.isinf()));
  EXPECT_LE(worst(ours.out, exact.out), tolerance);
  EXPECT_LE(
      worst(ours.lse.masked_fill(ours.lse.isinf(), 0), exact.lse.masked_fill(exact.lse.isinf(), 0)),
      tolerance);
  EXPECT_LE(worst(ours.entropy, exact.entropy), tolerance);
  EXPECT_LE(worst(g[0], g64[0]), tolerance);
  EXPECT_LE(worst(g[1], g64[1]), tolerance);
}

TEST(AttentionPool, EqualsTheFormWrittenOutOnEveryTarget) {
  const std::vector<int64_t> sizes = {1, 0, 255, 256, 257, 5000, 3, 0, 9001};
  for (const std::string& target : attn::core::simd_targets()) {
    SCOPED_TRACE(target);
    attn::core::force_simd_target(target);
    expect_equal_to_written_out(sizes, 1, 16, at::kDouble, 3, 1e-12);
    expect_equal_to_written_out(sizes, 5, 37, at::kDouble, 3, 1e-12);
    expect_equal_to_written_out(sizes, 2, 37, at::kFloat, 3, 1e-5);
    attn::core::force_simd_target("");
  }
}

TEST(AttentionPool, BagsOfAHundredThousandAndAMillion) {
  expect_equal_to_written_out({100000}, 1, 16, at::kFloat, 2, 1e-5);
  expect_equal_to_written_out({1, 1000000, 0, 3}, 1, 4, at::kFloat, 2, 1e-5);
}

TEST(AttentionPool, ABagOfOneHasNoEntropyAndAFlatBagAllOfIt) {
  const PoolResult one = attention_pool(at::randn({1, 2}), at::randn({1, 3}), offsets_of({1}));
  EXPECT_EQ(one.entropy.abs().max().item<double>(), 0);
  const PoolResult flat =
      attention_pool(at::full({100000, 1}, 7.5f), at::ones({100000, 3}), offsets_of({100000}));
  EXPECT_NEAR(flat.entropy.item<double>(), std::log(1e5), 1e-5);
  EXPECT_LE((flat.out - 1).abs().max().item<double>(), 1e-5);
}

TEST(AttentionPool, ThreadsAndStridesChangeNoBit) {
  at::manual_seed(3);
  const at::Tensor scores = at::randn({30000, 4}), values = at::randn({30000, 10}),
                   offsets = offsets_of({10000, 1, 19999});
  const int before = at::get_num_threads();
  const auto all = [&](const at::Tensor& s, const at::Tensor& v) {
    const std::vector<at::Tensor> leaves = {s.detach().requires_grad_(true),
                                            v.detach().requires_grad_(true)};
    const PoolResult r = attention_pool(leaves[0], leaves[1], offsets);
    std::vector<at::Tensor> found = torch::autograd::grad({functional(r)}, leaves);
    found.insert(found.end(), {r.out, r.lse, r.entropy});
    return found;
  };
  at::set_num_threads(1);
  const auto one = all(scores, values);
  at::set_num_threads(2);
  const auto two = all(scores, values);
  const auto columns_apart =
      all(scores.t().contiguous().t(), at::cat({values, values}, 1).narrow(1, 10, 10));
  at::set_num_threads(before);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(at::equal(one[i], two[i])) << i;
    EXPECT_TRUE(at::equal(one[i], columns_apart[i])) << i;
  }
}

TEST(AttentionPool, WeightsSumToOneAndGiveTheOutput) {
  at::manual_seed(4);
  const at::Tensor scores = at::randn({12, 2}, at::kDouble),
                   values = at::randn({12, 3}, at::kDouble), offsets = offsets_of({5, 0, 7});
  const PoolResult r = attention_pool(scores, values, offsets);
  const at::Tensor p = pool_weights(scores, offsets);
  EXPECT_LE((p.narrow(0, 0, 5).sum(0) - 1).abs().max().item<double>(), 1e-14);
  EXPECT_LE((at::matmul(p.narrow(0, 5, 7).t(), values.narrow(0, 5, 7)) - r.out[2])
                .abs()
                .max()
                .item<double>(),
            1e-14);
  EXPECT_FALSE(pool_weights(scores.detach().requires_grad_(true), offsets).requires_grad());
}

TEST(AttentionPool, WeightsOfLargeScoresAndOfNoneAtAll) {
  at::manual_seed(5);
  const at::Tensor scores = at::randn({500, 1}) + 1e4;
  EXPECT_NEAR(pool_weights(scores, offsets_of({500})).sum().item<double>(), 1, 1e-6);
  const at::Tensor dead = at::full({3, 2}, -INFINITY);
  EXPECT_EQ(pool_weights(dead, offsets_of({3})).abs().sum().item<double>(), 0);
}

TEST(AttentionPool, AMaskOfVeryLowScoresIsAMask) {
  // The lowest number of the type as a mask: over a part, a line and a chunk of instances.
  for (const int64_t hidden : {1, 255, 256, 300, 4096, 5000}) {
    at::manual_seed(6);
    const at::Tensor kept = at::randn({700, 1}), values = at::randn({hidden + 700, 3});
    const auto run = [&](double mask) {
      const at::Tensor s =
          at::cat({at::full({hidden, 1}, mask), kept}).detach().requires_grad_(true);
      const PoolResult r = attention_pool(s, values, offsets_of({hidden + 700}));
      const at::Tensor g = torch::autograd::grad({functional(r)}, {s})[0];
      return std::vector<at::Tensor>{r.out, r.lse, r.entropy, g};
    };
    const auto ours = run(std::numeric_limits<float>::lowest()), exact = run(-INFINITY);
    for (size_t i = 0; i < ours.size(); ++i)
      EXPECT_TRUE(at::allclose(ours[i], exact[i], 1e-5, 1e-5)) << hidden << ' ' << i;
  }
}

TEST(AttentionPool, NanStaysInItsBag) {
  at::Tensor scores = at::randn({9, 1});
  scores[4][0] = NAN;
  const PoolResult r = attention_pool(scores, at::randn({9, 2}), offsets_of({4, 5}));
  EXPECT_TRUE(at::isfinite(r.out[0]).all().item<bool>() &&
              at::isfinite(r.entropy[0]).all().item<bool>());
  EXPECT_TRUE(r.out[1].isnan().all().item<bool>() && r.entropy[1].isnan().all().item<bool>());
}

TEST(AttentionPool, TakesOffsetsOf32Bits) {
  const at::Tensor s = at::randn({9, 2}), v = at::randn({9, 3}), o = offsets_of({4, 5});
  EXPECT_TRUE(at::equal(attention_pool(s, v, o.to(at::kInt)).out, attention_pool(s, v, o).out));
}

TEST(AttentionPool, RefusesWhatDoesNotFit) {
  const at::Tensor s = at::randn({4, 1}), v = at::randn({4, 2}), o = offsets_of({4});
  expect_refusal([&] { attention_pool(s, v.to(at::kDouble), o); }, "values has type Double");
  expect_refusal([&] { attention_pool(s.select(1, 0), v, o); },
                 "scores has shape (4); expected (T, K)");
  expect_refusal([&] { attention_pool(s, v.narrow(0, 0, 3), o); },
                 "scores have 4 rows and values 3");
  expect_refusal([&] { attention_pool(s, v, o.to(at::kShort)); },
                 "offsets must be a one-dimensional tensor of int64 or int32");
  expect_refusal([&] { attention_pool(s, v, {}); }, "undefined");
  expect_refusal(
      [&] {
        attention_pool(s, v, at::tensor({1, 4}, at::kLong));
      },
      "offsets[0] is 1; expected 0");
  expect_refusal(
      [&] {
        attention_pool(s, v, at::tensor({0, 3, 2, 4}, at::kLong));
      },
      "fall from 3 to 2 at sequence 1");
  expect_refusal(
      [&] {
        attention_pool(s, v, at::tensor({0, 3}, at::kLong));
      },
      "end at 3 but there are 4 rows");
  expect_refusal(
      [&] {
        pool_weights(s, at::tensor({0, 3}, at::kLong));
      },
      "pool_weights: offsets end at 3 but there are 4 rows");
}

TEST(AttentionPool, RefusesToBeDifferentiatedTwice) {
  const at::Tensor s = at::randn({4, 1}).requires_grad_(true), v = at::randn({4, 2});
  const auto g = torch::autograd::grad({attention_pool(s, v, offsets_of({4})).entropy.sum()}, {s},
                                       {}, true, true);
  expect_refusal([&] { torch::autograd::grad({g[0].sum()}, {s}); }, "differentiated again");
}

// The heap is filled with NaN first: what is not begun at 0 shows.
TEST(AttentionPool, BagsThatBeginWithoutWeightStartAtNothing) {
  const auto dirty = [] {
    for (int i = 0; i < 8; ++i) at::full({1 << 12}, NAN, at::kFloat);
  };
  const at::Tensor values = at::randn({8192, 8}), offsets = offsets_of({8192});
  at::Tensor scores = at::zeros({8192, 1});
  scores.narrow(0, 0, 4096).fill_(-INFINITY);
  dirty();
  const at::Tensor half = attention_pool(scores, values, offsets).out[0][0];
  EXPECT_TRUE(at::allclose(half, values.narrow(0, 4096, 4096).mean(0), 1e-4, 1e-5));
  dirty();
  const at::Tensor lowest = at::full({8192, 1}, std::numeric_limits<float>::lowest());
  const at::Tensor all = attention_pool(lowest, values, offsets).out[0][0];
  EXPECT_TRUE(at::allclose(all, values.mean(0), 1e-4, 1e-5));
}

}  // namespace
