// Oracle: the equation in LibTorch's own operations, fp64.
#include "libattn/nn/encoder.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/nn/dropout.h"
#include "libattn/random/rng.h"
#include "tests/support/every_target.h"
#include "tests/support/memory.h"
#include "tests/support/refusal.h"

namespace attn::nn {
namespace {

struct Shape {
  std::vector<int64_t> lengths;
  int64_t width = 8, heads = 2, hidden = 16, layers = 2;
};

/// x, then six weights a layer, leaves of fp64.
struct Case {
  at::Tensor offsets;
  std::vector<at::Tensor> in;
  int64_t heads = 1;
};

Case make(const Shape& s, double scale = 1) {
  at::manual_seed(7);
  std::vector<int64_t> offsets{0};
  for (const int64_t l : s.lengths) offsets.push_back(offsets.back() + l);
  Case c;
  c.heads = s.heads;
  c.offsets = at::tensor(offsets, at::kLong);
  const auto normal = [&](at::IntArrayRef sizes, double sd) {
    return (sd * at::randn(sizes, at::kDouble)).requires_grad_();
  };
  const int64_t d = s.width, m = s.hidden;
  const double a = 1 / std::sqrt(static_cast<double>(d)), b = 1 / std::sqrt(static_cast<double>(m));
  c.in.push_back(normal({offsets.back(), d}, scale));
  for (int64_t i = 0; i < s.layers; ++i)
    for (const auto& t : {normal({d}, 1), normal({3 * d, d}, a), normal({d, d}, a), normal({d}, 1),
                          normal({m, d}, a), normal({d, m}, b)})
      c.in.push_back(t);
  return c;
}

std::vector<EncoderLayer> layers_of(const std::vector<at::Tensor>& in) {
  std::vector<EncoderLayer> layers;
  for (size_t i = 1; i < in.size(); i += 6)
    layers.push_back({in[i], in[i + 1], in[i + 2], in[i + 3], in[i + 4], in[i + 5]});
  return layers;
}

at::Tensor norm(const at::Tensor& h, const at::Tensor& w) {
  const at::Tensor away = h - h.mean(-1, true);
  return away / (away.square().mean(-1, true) + 1e-5).sqrt() * w;
}

/// A mask of factors over (T,D), as the seeds of the options give it.
at::Tensor mask(const at::Tensor& like, const EncoderOptions& o, uint64_t number) {
  const uint64_t seed = random::Rng::keyed({o.seed, number}).next();
  return dropout(at::ones_like(like), o.dropout, seed);
}

at::Tensor by_equation(const Case& c, const EncoderOptions& o) {
  at::Tensor h = c.in[0];
  const int64_t d = h.size(1), head = d / o.heads;
  uint64_t draw = 0;
  for (const EncoderLayer& l : layers_of(c.in)) {
    const at::Tensor qkv = at::matmul(norm(h, l.norm1), l.qkv.t());
    std::vector<at::Tensor> outs;
    for (int64_t s = 0; s + 1 < c.offsets.size(0); ++s) {
      const int64_t first = c.offsets[s].item<int64_t>(),
                    n = c.offsets[s + 1].item<int64_t>() - first;
      if (n == 0) continue;
      const at::Tensor one = qkv.narrow(0, first, n).view({n, 3, o.heads, head});
      const at::Tensor q = one.select(1, 0).transpose(0, 1), k = one.select(1, 1).transpose(0, 1),
                       v = one.select(1, 2).transpose(0, 1);
      at::Tensor scores = at::matmul(q, k.transpose(1, 2)) / std::sqrt(static_cast<double>(head));
      if (o.causal)
        scores = scores.masked_fill(at::ones({n, n}, at::kBool).triu(1),
                                    -std::numeric_limits<double>::infinity());
      outs.push_back(at::matmul(scores.softmax(-1), v).transpose(0, 1).reshape({n, d}));
    }
    const at::Tensor seen = outs.empty() ? at::zeros_like(h) : at::cat(outs);
    at::Tensor branch = at::matmul(seen, l.out.t());
    h = h + (o.dropout > 0 ? branch * mask(branch, o, draw) : branch);
    const at::Tensor a = at::matmul(norm(h, l.norm2), l.up.t());
    branch = at::matmul(a * 0.5 * (1 + at::erf(a / std::sqrt(2.0))), l.down.t());
    h = h + (o.dropout > 0 ? branch * mask(branch, o, draw + 1) : branch);
    draw += 2;
  }
  return o.last_norm ? norm(h, at::ones({d}, h.options())) : h;
}

Case as(const Case& c, at::ScalarType type) {
  Case out = c;
  for (at::Tensor& t : out.in) t = t.detach().to(type).requires_grad_();
  return out;
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  if (b.numel() == 0) return 0;
  return (a.to(at::kDouble) - b).abs().max().item<double>() /
         std::max(1e-30, b.abs().max().item<double>());
}

void expect_equation(const Shape& s, const EncoderOptions& given, at::ScalarType type,
                     double tolerance, double scale = 1) {
  const Case exact = make(s, scale), c = as(exact, type);
  EncoderOptions o = given;
  o.heads = s.heads;
  const at::Tensor want = by_equation(exact, o),
                   got = encoder(c.in[0], c.offsets, layers_of(c.in), o);
  EXPECT_LT(distance(got, want), tolerance);
  {
    const c10::NoGradGuard no_grad;
    EXPECT_LT(distance(encoder(c.in[0], c.offsets, layers_of(c.in), o), want), tolerance);
  }
  const at::Tensor up = at::randn(want.sizes(), at::kDouble);
  const auto wanted = torch::autograd::grad({want}, exact.in, {up}),
             found = torch::autograd::grad({got}, c.in, {up.to(type)});
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_LT(distance(found[i], wanted[i]), 4 * tolerance) << "input " << i;
}

const std::vector<Shape> kShapes{
    {{1}, 8, 2, 16, 1},        {{3, 1, 7}, 8, 2, 16, 2},     {{50, 50}, 32, 4, 64, 2},
    {{0, 5, 0}, 12, 3, 20, 2}, {{17, 64, 33}, 32, 4, 64, 2}, {{19}, 20, 1, 7, 3},
    {{130, 2}, 48, 4, 96, 1},
};

TEST(Encoder, EquationAndGradientsFp32) {
  test::with_every_target([] {
    for (const Shape& s : kShapes) expect_equation(s, {}, at::kFloat, 3e-5);
  });
}

TEST(Encoder, EquationAndGradientsFp64) {
  for (const Shape& s : kShapes) expect_equation(s, {}, at::kDouble, 1e-11);
}

TEST(Encoder, CausalAndDropout) {
  EncoderOptions o;
  o.causal = true;
  expect_equation(kShapes[4], o, at::kFloat, 3e-5);
  o.causal = false, o.dropout = 0.3, o.seed = 11;
  for (const at::ScalarType type : {at::kFloat, at::kDouble})
    expect_equation(kShapes[1], o, type, 3e-5);
  expect_equation(kShapes[3], o, at::kFloat, 3e-5);
}

TEST(Encoder, LastNorm) {
  EncoderOptions o;
  o.last_norm = true;
  test::with_every_target([&] {
    for (const Shape& s : kShapes) expect_equation(s, o, at::kFloat, 1e-4);
  });
  o.dropout = 0.3, o.seed = 5;
  for (const at::ScalarType type : {at::kFloat, at::kDouble})
    for (const Shape& s : kShapes) expect_equation(s, o, type, 1e-4);
  const Case none = make({{3, 4}, 8, 2, 16, 0});
  EXPECT_LT(distance(encoder(none.in[0], none.offsets, {}, o),
                     norm(none.in[0], at::ones({8}, at::kDouble))),
            1e-12);
}

TEST(Encoder, LargeNumbers) {
  expect_equation(kShapes[1], {}, at::kFloat, 1e-4, 1e4);
}

TEST(Encoder, PermutedSequenceIsPermutedResult) {
  const Case c = as(make({{40}, 32, 4, 64, 2}), at::kFloat);
  EncoderOptions o;
  o.heads = c.heads;
  const at::Tensor order = at::randperm(40);
  const at::Tensor plain = encoder(c.in[0], c.offsets, layers_of(c.in), o),
                   moved = encoder(c.in[0].index({order}), c.offsets, layers_of(c.in), o);
  EXPECT_LT(distance(moved, plain.index({order}).to(at::kDouble)), 2e-6);
}

TEST(Encoder, SequenceAloneIsTheSameBitForBit) {
  const std::vector<int64_t> lengths{9, 50, 0, 3, 50, 90, 100, 1, 300, 31, 2};
  for (const bool causal : {false, true}) {
    const Case c = as(make({lengths, 32, 4, 64, 2}), at::kFloat);
    EncoderOptions o;
    o.heads = c.heads, o.causal = causal, o.last_norm = true;
    const at::Tensor all = encoder(c.in[0], c.offsets, layers_of(c.in), o);
    int64_t first = 0;
    for (const int64_t l : lengths) {
      const at::Tensor alone =
          encoder(c.in[0].narrow(0, first, l), at::tensor(std::vector<int64_t>{0, l}, at::kLong),
                  layers_of(c.in), o);
      EXPECT_TRUE(at::equal(all.narrow(0, first, l), alone)) << l;
      first += l;
    }
  }
}

TEST(Encoder, ThreadsDoNotMatter) {
  const Case c = as(make({std::vector<int64_t>(40, 30), 32, 4, 64, 2}), at::kFloat);
  EncoderOptions o;
  o.heads = c.heads, o.dropout = 0.1, o.seed = 3;
  const int before = at::get_num_threads();
  std::vector<std::vector<at::Tensor>> results;
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    const at::Tensor out = encoder(c.in[0], c.offsets, layers_of(c.in), o);
    results.push_back(torch::autograd::grad({out.square().sum()}, c.in));
    results.back().push_back(out);
  }
  at::set_num_threads(before);
  for (size_t i = 0; i < results[0].size(); ++i)
    EXPECT_TRUE(at::equal(results[0][i], results[1][i])) << i;
}

TEST(Encoder, ProbeSeesAttentionAndChangesNothing) {
  const Case c = as(make({{12, 20}, 32, 4, 64, 2}), at::kFloat);
  EncoderOptions o;
  o.heads = c.heads, o.name = "cross";
  const at::Tensor plain = encoder(c.in[0], c.offsets, layers_of(c.in), o);
  Probe probe;
  EXPECT_TRUE(at::equal(encoder(c.in[0], c.offsets, layers_of(c.in), o), plain));
  const ProbeReport seen = probe.report();
  ASSERT_EQ(seen.layers.size(), 2U);
  EXPECT_EQ(seen.layers[0].name, "cross 1");
  EXPECT_EQ(seen.layers[0].steps.back().heads.size(), 4U);
}

TEST(Encoder, WeightsAreThoseOfThePass) {
  const Case c = as(make({{14}, 8, 2, 16, 2}), at::kDouble);
  EncoderOptions o;
  o.heads = c.heads, o.causal = true;
  const auto layers = layers_of(c.in);
  const at::Tensor w = encoder_weights(c.in[0], layers, o);
  ASSERT_EQ(w.sizes(), (std::vector<int64_t>{2, 2, 14, 14}));
  EXPECT_LT((w.sum(-1) - 1).abs().max().item<double>(), 1e-12);
  EXPECT_EQ(w[0][0][3][4].item<double>(), 0);  // nothing ahead
  // The first layer again from its weights.
  const at::Tensor x = c.in[0].detach(), v = at::matmul(norm(x, layers[0].norm1), layers[0].qkv.t())
                                                 .narrow(1, 16, 8)
                                                 .view({14, 2, 4})
                                                 .transpose(0, 1);
  const at::Tensor seen = at::matmul(w[0], v).transpose(0, 1).reshape({14, 8});
  at::Tensor h = x + at::matmul(seen, layers[0].out.t());
  h = h + at::matmul(at::gelu(at::matmul(norm(h, layers[0].norm2), layers[0].up.t())),
                     layers[0].down.t());
  EXPECT_LT(distance(encoder(x, c.offsets, {layers[0]}, o), h), 1e-12);
}

TEST(Encoder, MemoryIsLinearInLength) {
  const int64_t length = 20000;  // a square of floats would be 1.6 GB
  const Case c = as(make({{length}, 8, 1, 16, 1}), at::kFloat);
  const double before = test::status_mb("VmHWM");
  const at::Tensor out = encoder(c.in[0], c.offsets, layers_of(c.in), {});
  torch::autograd::grad({out.sum()}, c.in);
  EXPECT_LT(test::status_mb("VmHWM") - before, 200);
}

TEST(Encoder, Refusals) {
  const Case c = as(make(kShapes[1]), at::kFloat);
  EncoderOptions o;
  o.heads = 3;
  const auto run = [&](const at::Tensor& x, const at::Tensor& offsets,
                       const std::vector<EncoderLayer>& layers) {
    return encoder(x, offsets, layers, o);
  };
  EXPECT_THROW(run(c.in[0], c.offsets, layers_of(c.in)), Error);
  o.heads = 2;
  EXPECT_THROW(run(c.in[0], c.offsets.narrow(0, 0, 2), layers_of(c.in)), Error);
  auto layers = layers_of(c.in);
  layers[1].down = layers[1].down.narrow(1, 0, 5);
  EXPECT_THROW(run(c.in[0], c.offsets, layers), Error);
  EXPECT_THROW(run(c.in[0].to(at::kDouble), c.offsets, layers_of(c.in)), Error);
  o.dropout = 1;
  EXPECT_THROW(run(c.in[0], c.offsets, layers_of(c.in)), Error);
}

}  // namespace
}  // namespace attn::nn
