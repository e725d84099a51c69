// Oracle: the published equation in LibTorch's own differentiable operations, fp64.
#include "libattn/nn/gated_attention_pool.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <vector>

#include "attn/error.h"
#include "libattn/nn/pool_pass.h"

namespace attn::nn {
namespace {

struct Shape {
  int64_t rows, width, hidden, heads;
  bool gated;
};

GatedAttentionWeights random_weights(const Shape& s) {
  const auto t = [](const std::vector<int64_t>& shape) {
    return at::randn(shape, at::kDouble).requires_grad_();
  };
  GatedAttentionWeights w;
  w.v_weight = t({s.hidden, s.width});
  w.v_bias = t({s.hidden});
  if (s.gated) {
    w.u_weight = t({s.hidden, s.width});
    w.u_bias = t({s.hidden});
  }
  w.w_weight = t({s.heads, s.hidden});
  w.w_bias = t({s.heads});
  return w;
}

std::vector<at::Tensor> listed(const at::Tensor& h, const GatedAttentionWeights& w) {
  std::vector<at::Tensor> out{h, w.v_weight, w.v_bias, w.w_weight, w.w_bias};
  if (w.gated()) out.insert(out.end(), {w.u_weight, w.u_bias});
  return out;
}

at::Tensor scores_by_equation(const at::Tensor& h, const GatedAttentionWeights& w) {
  at::Tensor hidden = at::tanh(at::matmul(h, w.v_weight.t()) + w.v_bias);
  if (w.gated()) hidden = hidden * at::sigmoid(at::matmul(h, w.u_weight.t()) + w.u_bias);
  return at::matmul(hidden, w.w_weight.t()) + w.w_bias;
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / std::max(1.0, b.abs().max().item<double>());
}

TEST(GatedAttention, ScoresAndGradientsMatchTheEquation) {
  for (const Shape& s :
       {Shape{1, 1, 1, 1, true}, Shape{7, 5, 3, 1, true}, Shape{13, 16, 17, 1, false},
        Shape{300, 11, 129, 1, true}, Shape{9, 4, 6, 3, true}, Shape{9, 4, 6, 2, false}}) {
    const at::Tensor h = at::randn({s.rows, s.width}, at::kDouble).requires_grad_();
    const GatedAttentionWeights w = random_weights(s);
    const at::Tensor upstream = at::randn({s.rows, s.heads}, at::kDouble);
    const at::Tensor ours = gated_attention_scores(h, w), expected = scores_by_equation(h, w);
    EXPECT_LT(distance(ours, expected), 1e-14);
    const auto got = torch::autograd::grad({ours}, listed(h, w), {upstream});
    const auto want = torch::autograd::grad({expected}, listed(h, w), {upstream});
    for (size_t i = 0; i < got.size(); ++i) EXPECT_LT(distance(got[i], want[i]), 1e-13) << i;
  }
}

TEST(AttentionPool, PoolsEachBagByItsOwnSoftmax) {
  AttentionPool pool({6, 4, 2, true});
  pool.to(at::kDouble);
  const at::Tensor h = at::randn({8, 6}, at::kDouble), offsets = at::tensor({0, 5, 8}, at::kLong);
  const AttentionPoolOutput out = pool.forward(h, offsets);
  const at::Tensor s = scores_by_equation(h, pool.weights());
  for (int64_t b = 0; b < 2; ++b) {
    const int64_t first = b == 0 ? 0 : 5, n = b == 0 ? 5 : 3;
    const at::Tensor a = at::softmax(s.narrow(0, first, n), 0);
    EXPECT_LT(distance(out.pooled[b], at::matmul(a.t(), h.narrow(0, first, n))), 1e-13);
    EXPECT_LT(distance(out.entropy[b], -(a * a.log()).sum(0)), 1e-13);
    EXPECT_LT(distance(out.lse[b], at::logsumexp(s.narrow(0, first, n), 0)), 1e-13);
  }
  EXPECT_EQ(pool.parameters().size(), 6U);
}

TEST(AttentionPool, IsIndifferentToTheOrderOfInstances) {
  AttentionPool pool({6, 4, 1, true});
  pool.to(at::kDouble);
  const at::Tensor h = at::randn({8, 6}, at::kDouble), offsets = at::tensor({0, 8}, at::kLong);
  const AttentionPoolOutput a = pool.forward(h, offsets), b = pool.forward(h.flip(0), offsets);
  EXPECT_LT(distance(a.pooled, b.pooled), 1e-14);
  EXPECT_LT(distance(a.entropy, b.entropy), 1e-14);
}

TEST(AttentionPool, RefusesWidthsBelowOne) {
  EXPECT_THROW(AttentionPool({0, 4, 1, true}), UsageError);
}

TEST(GatedAttention, RefusesToBeDifferentiatedTwice) {
  const Shape shape{5, 4, 3, 1, true};
  const at::Tensor h = at::randn({5, 4}, at::kDouble).requires_grad_();
  const auto first = torch::autograd::grad({gated_attention_scores(h, random_weights(shape)).sum()},
                                           {h}, {}, std::nullopt, /*create_graph=*/true);
  EXPECT_THROW(torch::autograd::grad({first[0].pow(2).sum()}, {h}), Error);
}

TEST(AttentionPool, RefusesInstancesOfAnotherWidth) {
  AttentionPool pool({6, 4, 1, true});
  EXPECT_THROW(pool.forward(at::randn({3, 5}), at::tensor({0, 3}, at::kLong)), Error);
  EXPECT_THROW(pool.forward(at::randn({3, 6}, at::kDouble), at::tensor({0, 3}, at::kLong)), Error);
}

TEST(PoolPass, MatchesAutogradOfTheEquation) {
  for (const int64_t n : {1, 2, 17, 1000}) {
    const at::Tensor s = at::randn({n, 1}, at::kDouble).mul_(3).requires_grad_();
    const at::Tensor v = at::randn({n, 9}, at::kDouble).requires_grad_(),
                     up = at::randn({9}, at::kDouble);
    const at::Tensor a = at::softmax(s, 0), log_a = at::log_softmax(s, 0);
    const at::Tensor out = (a * v).sum(0), entropy = -(a * log_a).sum();
    const PoolPass pass = pool_forward(s.detach(), v.detach());
    EXPECT_LT(distance(pass.out, out), 1e-13);
    EXPECT_NEAR(pass.entropy.item<double>(), entropy.item<double>(), 1e-13);
    for (const double weight : {0.0, -0.3}) {
      const auto want = torch::autograd::grad({at::dot(out, up) + weight * entropy}, {s, v}, {},
                                              /*retain_graph=*/true);
      const PoolPassGradient got = pool_backward(s.detach(), v.detach(), pass, up, weight);
      EXPECT_LT(distance(got.scores, want[0]), 1e-13);
      EXPECT_LT(distance(got.values, want[1]), 1e-13);
    }
  }
}

}  // namespace
}  // namespace attn::nn
