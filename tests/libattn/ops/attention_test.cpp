// The attention operator: gradients by finite differences, theorems, layouts, refusals.
#include "attn/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <string>
#include <vector>

#include "attn/error.h"
#include "tests/libattn/ops/gradcheck.h"
#include "tests/support/refusal.h"

namespace {

using attn::attention;
using attn::AttentionOptions;
using attn::AttentionResult;
using attn::Causal;
using attn::test::expect_gradients;
using attn::test::expect_refusal;

at::Tensor normal(const std::vector<int64_t>& shape, at::ScalarType type = at::kDouble) {
  return at::randn(shape, at::TensorOptions().dtype(type));
}

/// A random linear functional of out, lse and entropy; rows without keys are left out of lse
/// (-inf).
at::Tensor functional(const AttentionResult& r) {
  at::manual_seed(99);
  const at::Tensor a = at::randn(r.out.sizes(), r.out.options()),
                   b = at::randn(r.lse.sizes(), r.lse.options()),
                   c = at::randn(r.entropy.sizes(), r.entropy.options());
  const at::Tensor dead = r.lse.detach().isinf();
  return (a * r.out).sum() + (b * r.lse.masked_fill(dead, 0)).sum() + (c * r.entropy).sum();
}

struct Shape {
  int64_t b, h, nq, nk, d, dv;
};

TEST(Attention, GradientsOfEveryOptionEqualFiniteDifferences) {
  const Shape shapes[] = {
      {1, 1, 1, 1, 1, 1}, {1, 2, 3, 5, 2, 3}, {2, 1, 7, 4, 3, 2}, {1, 1, 17, 19, 5, 1}};
  for (const Shape& s : shapes) {
    for (const Causal causal : {Causal::none, Causal::top_left, Causal::bottom_right}) {
      for (const bool masked : {false, true}) {
        at::manual_seed(7);
        AttentionOptions options;
        options.causal = causal;
        options.scale = 0.7;
        if (masked) {
          options.key_padding_mask = at::ones({s.b, s.nk}, at::kBool);
          options.key_padding_mask.select(1, s.nk / 2).fill_(false);
        }
        const std::string what = "shape " + std::to_string(s.nq) + "x" + std::to_string(s.nk) +
                                 " causal " + std::to_string(static_cast<int>(causal)) +
                                 " masked " + std::to_string(masked);
        const std::vector<at::Tensor> qkv = {normal({s.b, s.h, s.nq, s.d}),
                                             normal({s.b, s.h, s.nk, s.d}),
                                             normal({s.b, s.h, s.nk, s.dv})};
        expect_gradients(
            [&](const std::vector<at::Tensor>& x) {
              return functional(attention(x[0], x[1], x[2], options));
            },
            qkv, what);
        if (s.nq > 7) continue;  // the smaller shapes tell enough about the bias
        for (const std::vector<int64_t>& bias :
             std::vector<std::vector<int64_t>>{{s.b, s.h, s.nq, s.nk},
                                               {s.h, 1, s.nk},
                                               {s.nq, 1},
                                               {1, 1, s.nq, s.nk},
                                               {s.b, 1, 1, s.nk},
                                               {1}}) {
          std::vector<at::Tensor> with_bias = qkv;
          with_bias.push_back(normal(bias));
          expect_gradients(
              [&](const std::vector<at::Tensor>& x) {
                AttentionOptions biased = options;
                biased.bias = x[3];
                return functional(attention(x[0], x[1], x[2], biased));
              },
              with_bias, what + " bias " + testing::PrintToString(bias));
        }
      }
    }
  }
}

TEST(Attention, GradientsAtLargeLogits) {
  at::manual_seed(3);
  expect_gradients(
      [](const std::vector<at::Tensor>& x) {
        AttentionOptions options;
        options.scale = 1;
        // Every logit of a row moves by 300 q_0: a large common offset.
        return functional(attention(at::cat({x[0], at::full_like(x[0], 300)}, -1),
                                    at::cat({x[1], at::ones_like(x[1])}, -1), x[2], options));
      },
      {normal({1, 1, 5, 3}), normal({1, 1, 6, 3}), normal({1, 1, 6, 2})}, "large logits", 1e-5);
}

TEST(Attention, EachResultAloneHasItsGradient) {
  at::manual_seed(4);
  const std::vector<at::Tensor> qk = {normal({1, 1, 4, 3}), normal({1, 1, 5, 3})};
  const at::Tensor v = normal({1, 1, 5, 2}), w = normal({1, 1, 4});
  expect_gradients(
      [&](const std::vector<at::Tensor>& x) {
        return (attention(x[0], x[1], v).entropy * w).sum();
      },
      qk, "entropy");
  expect_gradients(
      [&](const std::vector<at::Tensor>& x) { return (attention(x[0], x[1], v).lse * w).sum(); },
      qk, "lse");
  expect_gradients(
      [&](const std::vector<at::Tensor>& x) { return attention(x[0], x[1], v).out.square().sum(); },
      qk, "out");
}

TEST(Attention, EqualsLibTorchAndTheEntropyIdentity) {
  at::manual_seed(5);
  const at::Tensor q = normal({2, 3, 70, 24}), k = normal({2, 3, 70, 24}),
                   v = normal({2, 3, 70, 24});
  for (const bool causal : {false, true}) {
    AttentionOptions options;
    options.causal = causal ? Causal::top_left : Causal::none;
    const AttentionResult r = attention(q, k, v, options);
    EXPECT_LE((r.out - at::scaled_dot_product_attention(q, k, v, {}, 0, causal))
                  .abs()
                  .max()
                  .item<double>(),
              1e-14);
    // H = LSE - scale q.(PK): the same operator with the keys as values.
    const at::Tensor pk = attention(q, k, k, options).out;
    const at::Tensor identity = r.lse - (q * pk).sum(-1) / std::sqrt(24.0);
    EXPECT_LE((r.entropy - identity).abs().max().item<double>(), 1e-13);
  }
}

/// The gradient of the output alone is that of LibTorch's own attention; of unequal lengths too,
/// where it is not causal.
TEST(Attention, GradientsEqualLibTorchs) {
  at::manual_seed(5);
  for (const bool causal : {false, true}) {
    const int64_t nk = causal ? 37 : 51;
    const auto leaf = [](int64_t n) { return normal({2, 3, n, 16}).requires_grad_(true); };
    const std::vector<at::Tensor> x = {leaf(37), leaf(nk), leaf(nk)};
    const at::Tensor dout = normal({2, 3, 37, 16});
    AttentionOptions o;
    o.causal = causal ? Causal::top_left : Causal::none;
    const at::Tensor theirs = at::scaled_dot_product_attention(x[0], x[1], x[2], {}, 0.0, causal);
    const auto a = torch::autograd::grad({attention(x[0], x[1], x[2], o).out}, x, {dout});
    const auto b = torch::autograd::grad({theirs}, x, {dout});
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_LE((a[i] - b[i]).abs().max().item<double>(), 1e-12) << "causal " << causal << ' ' << i;
  }
}

TEST(Attention, KnownEntropies) {
  const at::Tensor q = at::zeros({1, 1, 3, 4}), k = normal({1, 1, 50, 4}, at::kFloat);
  const AttentionResult flat = attention(q, k, k);
  EXPECT_LE((flat.entropy - std::log(50.0)).abs().max().item<double>(), 1e-6);
  const AttentionResult single = attention(k, k.narrow(2, 0, 1), k.narrow(2, 0, 1));
  EXPECT_EQ(single.entropy.abs().max().item<double>(), 0);
}

TEST(Attention, EntropyStaysWithinItsBounds) {
  for (int seed = 0; seed < 40; ++seed) {
    at::manual_seed(seed);
    const double factor = std::pow(10.0, seed % 9 - 4);
    const at::Tensor q = normal({1, 2, 33, 8}, at::kFloat) * factor,
                     k = normal({1, 2, 65, 8}, at::kFloat);
    const at::Tensor h = attention(q, k, k).entropy;
    EXPECT_GE(h.min().item<double>(), 0) << seed;
    EXPECT_LE(h.max().item<double>(), std::log(65.0) * (1 + 1e-6)) << seed;
  }
}

TEST(Attention, CausalRowsDoNotSeeTheFuture) {
  at::manual_seed(6);
  const at::Tensor q = normal({1, 2, 100, 16}, at::kFloat), k = normal({1, 2, 130, 16}, at::kFloat),
                   v = normal({1, 2, 130, 8}, at::kFloat);
  for (const Causal causal : {Causal::top_left, Causal::bottom_right}) {
    AttentionOptions options;
    options.causal = causal;
    const AttentionResult before = attention(q, k, v, options);
    const int64_t row = 41, first_hidden = row + 1 + (causal == Causal::bottom_right ? 30 : 0);
    at::Tensor k2 = k.clone(), v2 = v.clone();
    k2.narrow(2, first_hidden, 130 - first_hidden).mul_(-50);
    v2.narrow(2, first_hidden, 130 - first_hidden).fill_(1e30);
    const AttentionResult after = attention(q, k2, v2, options);
    EXPECT_TRUE(at::equal(before.out.narrow(2, 0, row + 1), after.out.narrow(2, 0, row + 1)));
    EXPECT_TRUE(at::equal(before.lse.narrow(2, 0, row + 1), after.lse.narrow(2, 0, row + 1)));
    EXPECT_TRUE(
        at::equal(before.entropy.narrow(2, 0, row + 1), after.entropy.narrow(2, 0, row + 1)));
    EXPECT_FALSE(at::equal(before.out.select(2, row + 1), after.out.select(2, row + 1)));
  }
}

TEST(Attention, OrderOfKeysDoesNotMatter) {
  at::manual_seed(8);
  const at::Tensor q = normal({1, 2, 30, 8}), k = normal({1, 2, 77, 8}), v = normal({1, 2, 77, 5});
  const at::Tensor order = at::randperm(77, at::kLong);
  const AttentionResult a = attention(q, k, v),
                        b = attention(q, k.index_select(2, order), v.index_select(2, order));
  EXPECT_LE((a.out - b.out).abs().max().item<double>(), 1e-14);
  EXPECT_LE((a.entropy - b.entropy).abs().max().item<double>(), 1e-13);
}

/// All results and gradients, for comparing bits.
std::vector<at::Tensor> everything(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const AttentionOptions& options = {}) {
  const std::vector<at::Tensor> leaves = {q.detach().requires_grad_(true),
                                          k.detach().requires_grad_(true),
                                          v.detach().requires_grad_(true)};
  const AttentionResult r = attention(leaves[0], leaves[1], leaves[2], options);
  std::vector<at::Tensor> all = torch::autograd::grad({functional(r)}, leaves);
  all.insert(all.end(), {r.out, r.lse, r.entropy});
  return all;
}

void expect_same_bits(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b,
                      const std::string& what) {
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(at::equal(a[i], b[i])) << what << ", tensor " << i;
}

TEST(Attention, StridesChangeNoBit) {
  at::manual_seed(9);
  const at::Tensor q = normal({2, 50, 3, 20}, at::kFloat), k = normal({2, 61, 3, 20}, at::kFloat),
                   v = normal({2, 61, 3, 9}, at::kFloat);
  const auto heads_first = [](const at::Tensor& x) { return x.transpose(1, 2); };
  const auto plain = everything(heads_first(q).contiguous(), heads_first(k).contiguous(),
                                heads_first(v).contiguous());
  expect_same_bits(plain, everything(heads_first(q), heads_first(k), heads_first(v)),
                   "(B,N,H,D) views");
  EXPECT_TRUE(attention(heads_first(q), heads_first(k), heads_first(v))
                  .out.transpose(1, 2)
                  .is_contiguous());
  const auto columns_apart = [&](const at::Tensor& x) {
    return heads_first(x).transpose(2, 3).contiguous().transpose(2, 3);
  };
  expect_same_bits(plain, everything(columns_apart(q), columns_apart(k), columns_apart(v)),
                   "columns apart");
  const at::Tensor packed =
      at::cat({k.narrow(1, 0, 50), q, k.narrow(1, 0, 50)}, 3);  // q as a slice of a wider tensor
  expect_same_bits(
      plain, everything(heads_first(packed.narrow(3, 20, 20)), heads_first(k), heads_first(v)),
      "slices");
  const at::Tensor one = normal({1, 1, 30, 8}, at::kFloat);
  expect_same_bits(
      everything(q.narrow(3, 0, 8).transpose(1, 2), one.expand({2, 3, 30, 8}).contiguous(),
                 one.expand({2, 3, 30, 8}).contiguous()),
      everything(q.narrow(3, 0, 8).transpose(1, 2), one.expand({2, 3, 30, 8}),
                 one.expand({2, 3, 30, 8})),
      "expanded");
}

TEST(Attention, ThreadsChangeNoBit) {
  at::manual_seed(10);
  const at::Tensor q = normal({1, 2, 700, 16}, at::kFloat);
  AttentionOptions options;
  options.causal = Causal::top_left;
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = everything(q, q, q, options);
  at::set_num_threads(2);
  expect_same_bits(one, everything(q, q, q, options), "two threads");
  at::set_num_threads(before);
}

TEST(Attention, RowsThatSeeNoKey) {
  at::manual_seed(11);
  const at::Tensor q = normal({2, 1, 6, 4}).requires_grad_(true),
                   k = normal({2, 1, 5, 4}).requires_grad_(true);
  AttentionOptions options;
  options.key_padding_mask = at::ones({2, 5}, at::kBool);
  options.key_padding_mask.select(0, 1).fill_(false);
  const AttentionResult r = attention(q, k, k, options);
  EXPECT_TRUE(at::equal(r.out.select(0, 1), at::zeros({1, 6, 4}, at::kDouble)));
  EXPECT_TRUE(at::equal(r.entropy.select(0, 1), at::zeros({1, 6}, at::kDouble)));
  EXPECT_TRUE((r.lse.select(0, 1) == -INFINITY).all().item<bool>());
  const auto g = torch::autograd::grad({r.out.sum() + r.entropy.sum() + r.lse.sum()}, {q, k});
  EXPECT_EQ(g[0].select(0, 1).abs().max().item<double>(), 0);
  EXPECT_EQ(g[1].select(0, 1).abs().max().item<double>(), 0);
  EXPECT_TRUE(at::isfinite(g[0]).all().item<bool>() && at::isfinite(g[1]).all().item<bool>());
}

TEST(Attention, EmptySizes) {
  for (const Shape& s : {Shape{0, 1, 3, 4, 2, 2}, Shape{1, 0, 3, 4, 2, 2}, Shape{1, 1, 0, 4, 2, 2},
                         Shape{1, 2, 3, 0, 2, 2}}) {
    const auto all = everything(normal({s.b, s.h, s.nq, s.d}), normal({s.b, s.h, s.nk, s.d}),
                                normal({s.b, s.h, s.nk, s.dv}));
    EXPECT_EQ(all[3].sizes(), at::IntArrayRef({s.b, s.h, s.nq, s.dv}));
    EXPECT_TRUE(all[3].eq(0).all().item<bool>());
    EXPECT_TRUE(all[0].eq(0).all().item<bool>());
  }
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const at::Tensor x = normal({2, 3, 4, 5}, at::kFloat);
  const auto with = [&](const at::Tensor& bias, const at::Tensor& mask) {
    AttentionOptions options;
    options.bias = bias;
    options.key_padding_mask = mask;
    return [=] { attention(x, x, x, options); };
  };
  expect_refusal([&] { attention({}, x, x); }, "q is an undefined tensor");
  expect_refusal([&] { attention(x.to(at::kHalf), x, x); },
                 "q has type Half; expected Float or Double");
  expect_refusal([&] { attention(x, x.to(at::kDouble), x); }, "k has type Double and q has Float");
  expect_refusal([&] { attention(x, x, x.select(0, 0)); },
                 "v has shape (3, 4, 5); expected (B, G, Nk, Dv)");
  expect_refusal(
      [&] { attention(x.to(at::kMeta), x, x); },
      "a tensor of shape (2, 3, 4, 5) is on cpu beside others on meta; expected one device");
  expect_refusal([&] { attention(x.to_sparse(), x, x); }, "q is a sparse tensor");
  expect_refusal([&] { attention(x, x.narrow(0, 0, 1), x); }, "differ in batch");
  expect_refusal([&] { attention(x, x.narrow(1, 0, 1), x); }, "differ in heads");
  expect_refusal([&] { attention(x, x.narrow(3, 0, 2), x); }, "differ in head width");
  expect_refusal([&] { attention(x, x, x.narrow(2, 0, 2)); }, "differ in keys");
  expect_refusal([&] { attention(x.narrow(3, 0, 0), x.narrow(3, 0, 0), x); }, "no head width");
  expect_refusal(with(at::zeros({4, 3}), {}),
                 "bias (4, 3) on cpu does not broadcast to (B, H, Nq, Nk) = (2, 3, 4, 4)");
  expect_refusal(with(at::zeros({4, 4}, at::kDouble), {}), "bias has type Double");
  expect_refusal(with({}, at::ones({2, 3}, at::kBool)), "key_padding_mask is Bool (2, 3)");
  expect_refusal(with({}, at::ones({2, 4})), "key_padding_mask is Float (2, 4)");
  expect_refusal(
      [&] {
        AttentionOptions options;
        options.scale = NAN;
        attention(x, x, x, options);
      },
      "scale is nan");
}

TEST(Attention, RefusesToBeDifferentiatedTwice) {
  const at::Tensor q = normal({1, 1, 3, 2}).requires_grad_(true);
  const AttentionResult r = attention(q, q, q);
  const auto g = torch::autograd::grad({r.entropy.sum()}, {q}, {}, true, true);
  EXPECT_LE((g[0] - torch::autograd::grad({attention(q, q, q).entropy.sum()}, {q})[0])
                .abs()
                .max()
                .item<double>(),
            0);
  expect_refusal([&] { torch::autograd::grad({g[0].sum()}, {q}); }, "differentiated again");
}

}  // namespace
