// Oracle: LibTorch's own module with the same parameters.
#include "attn/multihead_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/activation.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "attn/error.h"

namespace attn::nn {
namespace {

struct Pair {
  std::shared_ptr<MultiheadAttention> ours;
  torch::nn::MultiheadAttention theirs{nullptr};
};

/// Both modules in fp64, theirs with the parameters of ours by name.
Pair make_pair(int64_t e, int64_t h, int64_t kdim, int64_t vdim, bool bias) {
  MultiheadAttentionOptions o;
  o.embed_dim = e, o.num_heads = h, o.bias = bias, o.kdim = kdim, o.vdim = vdim;
  torch::nn::MultiheadAttentionOptions t(e, h);
  t.bias(bias).kdim(kdim == 0 ? e : kdim).vdim(vdim == 0 ? e : vdim);
  Pair pair{std::make_shared<MultiheadAttention>(o), torch::nn::MultiheadAttention(t)};
  pair.ours->to(at::kDouble);
  pair.theirs->to(at::kDouble);
  const at::NoGradGuard no_grad;
  const auto from = pair.ours->named_parameters();
  auto to = pair.theirs->named_parameters();
  EXPECT_EQ(from.size(), to.size());
  for (auto& parameter : to) {
    EXPECT_NE(from.find(parameter.key()), nullptr) << parameter.key();
    parameter.value().copy_(from[parameter.key()].normal_(0, 0.3));
  }
  return pair;
}

at::Tensor first(const at::Tensor& x) {  // (B,N,E) <-> (N,B,E)
  return x.transpose(0, 1);
}

class AgainstLibTorch : public testing::TestWithParam<std::tuple<int, int, bool>> {};

TEST_P(AgainstLibTorch, OutputsAndAllGradients) {
  const auto [kdim, vdim, bias] = GetParam();
  at::manual_seed(3);
  const int64_t e = 12;
  Pair pair = make_pair(e, 3, kdim, vdim, bias);
  const auto input = [](int64_t n, int64_t w) {
    return at::randn({2, n, w}, at::kDouble).requires_grad_();
  };
  const at::Tensor q = input(5, e), k = input(7, kdim == 0 ? e : kdim),
                   v = input(7, vdim == 0 ? e : vdim);
  const at::Tensor ours = pair.ours->forward(q, k, v).out;
  const at::Tensor theirs = first(std::get<0>(pair.theirs->forward(first(q), first(k), first(v))));
  EXPECT_LT((ours - theirs).abs().max().item<double>(), 1e-13);
  const at::Tensor weight = at::randn_like(ours);
  std::vector<at::Tensor> our_inputs{q, k, v}, their_inputs{q, k, v};
  for (const auto& p : pair.ours->named_parameters()) {
    our_inputs.push_back(p.value());
    their_inputs.push_back(pair.theirs->named_parameters()[p.key()]);
  }
  const auto g = torch::autograd::grad({(ours * weight).sum()}, our_inputs);
  const auto t = torch::autograd::grad({(theirs * weight).sum()}, their_inputs);
  for (size_t i = 0; i < g.size(); ++i)
    EXPECT_LT((g[i] - t[i]).abs().max().item<double>(), 1e-12) << "input " << i;
}

INSTANTIATE_TEST_SUITE_P(Widths, AgainstLibTorch,
                         testing::Values(std::tuple{0, 0, true}, std::tuple{0, 0, false},
                                         std::tuple{5, 5, true}, std::tuple{5, 5, false}));

// LibTorch's C++ module refuses keys and values of different widths (its Python one does not).
TEST(MultiheadAttention, KeysAndValuesOfDifferentWidths) {
  MultiheadAttentionOptions o;
  o.embed_dim = 6, o.num_heads = 1, o.kdim = 5, o.vdim = 7;
  MultiheadAttention module(o);
  module.to(at::kDouble);
  const auto w = module.named_parameters();
  const at::Tensor q = at::randn({2, 3, 6}, at::kDouble), k = at::randn({2, 4, 5}, at::kDouble),
                   v = at::randn({2, 4, 7}, at::kDouble);
  const at::Tensor logits = at::matmul(at::linear(q, w["q_proj_weight"]),
                                       at::linear(k, w["k_proj_weight"]).transpose(1, 2));
  const at::Tensor mixed =
      at::matmul(at::softmax(logits / std::sqrt(6.0), -1), at::linear(v, w["v_proj_weight"]));
  const at::Tensor expected = at::linear(mixed, w["out_proj.weight"]);  // all biases begin as 0
  EXPECT_LT((module.forward(q, k, v).out - expected).abs().max().item<double>(), 1e-14);
}

TEST(MultiheadAttention, SelfAttentionGoesThroughOneProjection) {
  Pair pair = make_pair(8, 2, 0, 0, true);
  const at::Tensor x = at::randn({3, 6, 8}, at::kDouble);
  const at::Tensor theirs = first(std::get<0>(pair.theirs->forward(first(x), first(x), first(x))));
  EXPECT_LT((pair.ours->forward(x, x, x).out - theirs).abs().max().item<double>(), 1e-13);
  const at::Tensor same = x.clone();  // not the same tensor: three projections
  EXPECT_LT((pair.ours->forward(x, same, x).out - theirs).abs().max().item<double>(), 1e-13);
}

TEST(MultiheadAttention, EntropyIsThatOfTheWeights) {
  Pair pair = make_pair(8, 2, 0, 0, true);
  const at::Tensor x = at::randn({1, 6, 8}, at::kDouble);
  const at::Tensor p =
      std::get<1>(pair.theirs->forward(first(x), first(x), first(x)));  // mean over heads
  const AttentionResult r = pair.ours->forward(x, x, x).attention;
  EXPECT_EQ(r.entropy.sizes(), at::IntArrayRef({1, 2, 6}));
  // Entropy is concave: that of the mean is no less than the mean of the heads'.
  const at::Tensor of_mean = -(p * p.log()).sum(-1);
  EXPECT_TRUE((of_mean - r.entropy.mean(1) > -1e-12).all().item<bool>());
  EXPECT_TRUE((r.entropy > 0).all().item<bool>());
}

TEST(MultiheadAttention, PackedEqualsBatches) {
  Pair pair = make_pair(8, 2, 0, 0, true);
  const at::Tensor x = at::randn({2, 5, 8}, at::kDouble);
  AttentionOptions o;
  o.q_offsets = o.k_offsets = at::tensor({0, 5, 10}, at::kLong);
  const at::Tensor packed =
      pair.ours->forward(x.flatten(0, 1), x.flatten(0, 1), x.flatten(0, 1), o).out;
  EXPECT_LT((packed.view({2, 5, 8}) - pair.ours->forward(x, x, x).out).abs().max().item<double>(),
            1e-14);
}

TEST(MultiheadAttention, DropoutIsSeededAndOnlyInTraining) {
  MultiheadAttentionOptions o;
  o.embed_dim = 8, o.num_heads = 2, o.dropout = 0.5;
  const MultiheadAttention module(o);
  MultiheadAttention evaluated(o);
  evaluated.eval();
  const at::Tensor x = at::randn({1, 6, 8});
  const auto draw = [&](uint64_t seed) {
    at::manual_seed(seed);
    return module.forward(x, x, x).out;
  };
  EXPECT_TRUE(at::equal(draw(1), draw(1)));
  EXPECT_FALSE(at::equal(draw(1), draw(2)));
  EXPECT_TRUE(at::equal(evaluated.forward(x, x, x).out, evaluated.forward(x, x, x).out));
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

TEST(MultiheadAttention, Refusals) {
  MultiheadAttentionOptions o;
  o.embed_dim = 10, o.num_heads = 3;
  EXPECT_EQ(refusal([&] { MultiheadAttention m(o); }),
            "MultiheadAttention: num_heads is 3; expected a divisor of embed_dim, 10");
  o.num_heads = 2, o.dropout = 1;
  EXPECT_EQ(refusal([&] { MultiheadAttention m(o); }),
            "MultiheadAttention: dropout is 1.000000; expected a number in [0, 1)");
  o.dropout = 0;
  const MultiheadAttention m(o);
  const at::Tensor x = at::randn({1, 3, 10}), wrong = at::randn({1, 3, 9});
  EXPECT_EQ(refusal([&] { m.forward(x, wrong, x); }),
            "MultiheadAttention: key has shape (1, 3, 9); expected (B, N, 10)");
  EXPECT_EQ(refusal([&] { m.forward(at::Tensor(), x, x); }),
            "MultiheadAttention: query is undefined");
}

}  // namespace
}  // namespace attn::nn
