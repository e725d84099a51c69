// Scores and gradients of every parameter against the same networks composed of LibTorch's
// operators in fp64, and those against finite differences.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "finance/rank/ranker.h"
#include "tests/finance/rank/sets.h"

namespace finance {
namespace {

using test::kModels;
using test::random_batch;
using test::small_ranker;

using Weights = std::map<std::string, at::Tensor>;  // fp64

/// x (T,D) -> (T,D), one list.
at::Tensor plain_encoder(at::Tensor h, const Weights& w, const std::string& stem, int64_t layers,
                         int64_t heads) {
  const int64_t n = h.size(0), d = h.size(1);
  for (int64_t i = 0; i < layers; ++i) {
    const std::string p = stem + "." + std::to_string(i) + ".";
    const at::Tensor qkv =
        at::matmul(at::layer_norm(h, {d}, w.at(p + "norm1")), w.at(p + "qkv").t())
            .view({n, 3, heads, d / heads})
            .permute({1, 2, 0, 3});  // (3,H,N,D/H)
    const at::Tensor weights =
        at::softmax(at::matmul(qkv[0], qkv[1].transpose(1, 2)) /
                        std::sqrt(static_cast<double>(d) / static_cast<double>(heads)),
                    -1);
    const at::Tensor mixed = at::matmul(weights, qkv[2]).permute({1, 0, 2}).reshape({n, d});
    h = h + at::matmul(mixed, w.at(p + "out").t());
    h = h + at::matmul(
                at::gelu(at::matmul(at::layer_norm(h, {d}, w.at(p + "norm2")), w.at(p + "up").t())),
                w.at(p + "down").t());
  }
  return h;
}

/// The equations of ranker.h.
at::Tensor plain_scores(const RankerOptions& o, const Weights& w, const RankBatch& batch) {
  const at::Tensor x = batch.features.to(at::kDouble);
  const at::Tensor e = w.at("category.0").index_select(0, batch.codes.select(1, 0));  // (T,d)
  const int64_t rows = x.size(0), d = o.width;
  const auto bounded = [&](const at::Tensor& s) { return o.bounded ? s.tanh() : s; };
  if (o.model == RankModel::linear)
    return bounded((at::matmul(x, w.at("head.w").t()) + w.at("head.b") + e).squeeze(1));
  at::Tensor h;
  if (looks_at_features(o.model)) {
    std::vector<at::Tensor> traders;
    for (int64_t r = 0; r < rows; ++r) {
      const at::Tensor tokens = at::cat(
          {w.at("token.first").unsqueeze(0),
           x[r].unsqueeze(1) * w.at("token.weight") + w.at("token.bias"), e[r].unsqueeze(0)});
      traders.push_back(plain_encoder(tokens, w, "self", o.self_layers, o.self_heads)[0]);
    }
    h = at::stack(traders);
  } else {
    h = at::matmul(x, w.at("embed.w1").t()) + w.at("embed.b1") + e;
    if (o.model != RankModel::rankformer)
      h = at::matmul(at::gelu(h), w.at("embed.w2").t()) + w.at("embed.b2");
  }
  for (int64_t i = 0; o.model == RankModel::mlp && i < o.layers; ++i) {
    const std::string p = "layer." + std::to_string(i) + ".";
    h = h + at::matmul(at::gelu(at::matmul(at::layer_norm(h, {d}), w.at(p + "up").t())),
                       w.at(p + "down").t());
  }
  if (looks_across(o.model)) {
    const auto* offsets = batch.offsets.const_data_ptr<int64_t>();
    std::vector<at::Tensor> lists;
    for (int64_t l = 0; l + 1 < batch.offsets.size(0); ++l)
      lists.push_back(plain_encoder(h.narrow(0, offsets[l], offsets[l + 1] - offsets[l]), w,
                                    "cross", o.layers, o.heads));
    h = at::cat(lists);
  }
  at::Tensor out = at::layer_norm(h, {d});
  if (o.model != RankModel::rankformer)
    out = at::gelu(at::matmul(out, w.at("head.w1").t()) + w.at("head.b1"));
  return bounded((at::matmul(out, w.at("head.w").t()) + w.at("head.b")).squeeze(1));
}

Weights in_double(const Ranker& ranker) {
  Weights w;
  for (const auto& [name, value] : ranker.parameters().named())
    w[name] = value.detach().to(at::kDouble).requires_grad_(true);
  return w;
}

/// A network whose biases and scales are not those of the start.
Ranker stirred(const RankerOptions& o) {
  Ranker ranker(o, 3);
  const c10::NoGradGuard no_grad;
  auto random = attn::random::Rng::keyed({8});
  for (const auto& [name, value] : ranker.parameters().named()) {
    auto* x = value.mutable_data_ptr<float>();
    for (int64_t i = 0; i < value.numel(); ++i) x[i] += static_cast<float>(0.2 * random.normal());
  }
  return ranker;
}

TEST(RankerGradient, IsThatOfTheEquations) {
  const RankBatch batch = random_batch({6, 1, 9, 2});
  const at::Tensor toward = at::arange(18, at::kDouble).sin();
  for (const RankModel model : kModels)
    for (const bool bounded : {false, true}) {
      SCOPED_TRACE(to_string(model) + (bounded ? ", bounded" : ""));
      RankerOptions o = small_ranker(model);
      o.bounded = bounded;
      const Ranker ranker = stirred(o);
      const Weights w = in_double(ranker);
      const at::Tensor expected = plain_scores(o, w, batch);
      (expected * toward).sum().backward();
      const at::Tensor found = ranker.forward(batch);
      (found * toward.to(at::kFloat)).sum().backward();
      EXPECT_LT((found - expected).abs().max().item<double>(), 5e-6);
      for (const auto& [name, value] : ranker.parameters().named()) {
        ASSERT_TRUE(value.grad().defined()) << name;
        const at::Tensor& exact = w.at(name).grad();
        const double scale = exact.abs().max().item<double>();
        EXPECT_GT(scale, 0) << name;
        EXPECT_LT((value.grad() - exact).abs().max().item<double>(), 2e-5 * (1 + scale)) << name;
      }
    }
}

TEST(RankerGradient, OfTheEquationsIsThatOfFiniteDifferences) {
  const RankBatch batch = random_batch({4, 3});
  for (const RankModel model : kModels) {
    const RankerOptions o = small_ranker(model);
    const Weights w = in_double(stirred(o));
    const at::Tensor toward = at::arange(7, at::kDouble).cos();
    const auto value = [&] { return (plain_scores(o, w, batch) * toward).sum(); };
    value().backward();
    const c10::NoGradGuard no_grad;
    for (const auto& [name, tensor] : w)
      for (const int64_t at : {int64_t{0}, tensor.numel() / 2, tensor.numel() - 1}) {
        double& x = tensor.mutable_data_ptr<double>()[at];
        const double kept = x, h = 1e-6;
        x = kept + h;
        const double up = value().item<double>();
        x = kept - h;
        const double down = value().item<double>();
        x = kept;
        EXPECT_NEAR(tensor.grad().view({-1})[at].item<double>(), (up - down) / (2 * h), 1e-6)
            << to_string(model) << " " << name;
      }
  }
}

}  // namespace
}  // namespace finance
