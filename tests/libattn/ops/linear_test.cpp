// Linear attention as a LibTorch operator: against its parallel form written with LibTorch, and its
// gradients against finite differences.
#include "attn/linear.h"

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

using attn::FeatureMap;
using attn::linear_attention;
using attn::LinearAttentionOptions;
using attn::LinearAttentionResult;
using attn::test::expect_gradients;
using attn::test::expect_refusal;

at::Tensor normal(const std::vector<int64_t>& shape, at::ScalarType type = at::kDouble) {
  return at::randn(shape, at::TensorOptions(type));
}

constexpr FeatureMap kMaps[] = {FeatureMap::identity,    FeatureMap::elu,      FeatureMap::relu,
                                FeatureMap::exponential, FeatureMap::hedgehog, FeatureMap::taylor};
/// What log_decay is: none, (H), (B,H,N), (B,H,N,F).
enum class Kind { none, head, token, feature };
constexpr Kind kKinds[] = {Kind::none, Kind::head, Kind::token, Kind::feature};

struct Problem {
  int64_t b = 1, h = 2, g = 2, n = 9, d = 3, dv = 2;
  FeatureMap map = FeatureMap::identity;
  Kind kind = Kind::none;
  bool normalise = false, causal = true, states = true;
  std::string name() const {
    return "map " + std::to_string(static_cast<int>(map)) + " decay " +
           std::to_string(static_cast<int>(kind)) + (normalise ? " normalised" : "") +
           (causal ? " causal" : "");
  }
  int64_t features() const { return attn::core::feature_count(map, d); }
};

/// q, k, v, and then log_decay, S_0, z_0 where there are any.
std::vector<at::Tensor> inputs_of(const Problem& s, at::ScalarType type = at::kDouble) {
  std::vector<at::Tensor> x = {normal({s.b, s.h, s.n, s.d}, type) * 0.7,
                               normal({s.b, s.g, s.n, s.d}, type) * 0.7,
                               normal({s.b, s.g, s.n, s.dv}, type)};
  // Identity normalised: positive features, or denominators come near zero.
  if (s.normalise && s.map == FeatureMap::identity) x[0] = x[0].abs(), x[1] = x[1].abs();
  const std::vector<int64_t> decay[] = {{}, {s.h}, {s.b, s.h, s.n}, {s.b, s.h, s.n, s.features()}};
  if (s.kind != Kind::none)
    x.push_back(-normal(decay[static_cast<int>(s.kind)], type).abs() - 0.01);
  if (s.states) x.push_back(normal({s.b, s.h, s.features(), s.dv}, type));
  if (s.states && s.normalise) x.push_back(normal({s.b, s.h, s.features()}, type).abs());
  return x;
}

LinearAttentionOptions options_of(const Problem& s, const std::vector<at::Tensor>& x) {
  LinearAttentionOptions o;
  o.map = s.map, o.causal = s.causal, o.normalise = s.normalise, o.eps = 1e-2;
  size_t next = 3;
  if (s.kind != Kind::none) o.log_decay = x[next++];
  if (s.states) o.state = x[next++];
  if (s.states && s.normalise) o.norm = x[next++];
  return o;
}

LinearAttentionResult run(const Problem& s, const std::vector<at::Tensor>& x) {
  return linear_attention(x[0], x[1], x[2], options_of(s, x));
}

template <class F>
void each_problem(const F& f) {
  for (const FeatureMap map : kMaps) {
    for (const Kind kind : kKinds) {
      for (const bool normalise : {false, true}) {
        for (const bool causal : {true, false}) {
          if (!causal && kind != Kind::none) continue;
          Problem s;
          s.map = map, s.kind = kind, s.normalise = normalise, s.causal = causal;
          f(s);
        }
      }
    }
  }
}

/// phi written with LibTorch.
at::Tensor phi(FeatureMap map, const at::Tensor& x) {
  const double d = static_cast<double>(x.size(-1));
  switch (map) {
    case FeatureMap::identity:
      return x;
    case FeatureMap::elu:
      return at::elu(x) + 1;
    case FeatureMap::relu:
      return at::relu(x);
    case FeatureMap::exponential:
      return x.exp();
    case FeatureMap::hedgehog:
      return at::cat({x.exp(), (-x).exp()}, -1);
    case FeatureMap::taylor: {
      const at::Tensor rows = at::triu_indices(x.size(-1), x.size(-1));
      const at::Tensor pairs = x.index_select(-1, rows[0]) * x.index_select(-1, rows[1]);
      const at::Tensor factor = at::full({rows.size(1)}, std::sqrt(1 / d), x.options())
                                    .masked_fill(rows[0] == rows[1], std::sqrt(0.5 / d));
      return at::cat({at::ones_like(x.narrow(-1, 0, 1)), x / std::pow(d, 0.25), pairs * factor},
                     -1);
    }
  }
  return {};
}

/// The N x N form: every weight of every query and key written out.
at::Tensor parallel_form(const Problem& s, const std::vector<at::Tensor>& x) {
  const LinearAttentionOptions o = options_of(s, x);
  const auto spread = [&](const at::Tensor& t) { return t.repeat_interleave(s.h / s.g, 1); };
  const at::Tensor q = phi(s.map, x[0]), k = spread(phi(s.map, x[1])), v = spread(x[2]);
  at::Tensor log = at::zeros({s.b, s.h, s.n, s.features()}, q.options());
  if (s.kind == Kind::head) log = log + o.log_decay.view({1, -1, 1, 1});
  if (s.kind == Kind::token) log = log + o.log_decay.unsqueeze(-1);
  if (s.kind == Kind::feature) log = log + o.log_decay;
  const at::Tensor a = log.cumsum(2);
  // (B,H,N,N,F): q_if k_jf e^{A_if - A_jf}.
  const at::Tensor ratio = (a.unsqueeze(3) - a.unsqueeze(2)).clamp_max(0).exp();
  at::Tensor weights = (q.unsqueeze(3) * k.unsqueeze(2) * ratio).sum(-1);
  if (s.causal) weights = weights.tril();
  at::Tensor out = at::matmul(weights, v), den = weights.sum(-1, true);
  const at::Tensor from_start = q * a.exp();
  if (s.states) out = out + at::matmul(from_start, o.state);
  if (s.states && s.normalise) den = den + at::matmul(from_start, o.norm.unsqueeze(-1));
  return s.normalise ? out / (den + o.eps) : out;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / (1 + b.abs().max().item<double>());
}

/// A scalar of all results.
at::Tensor functional(const LinearAttentionResult& r) {
  const auto weighted = [](const at::Tensor& t) {
    return (t * at::arange(1, t.numel() + 1, t.options()).sin().view(t.sizes())).sum();
  };
  at::Tensor sum = weighted(r.out) + weighted(r.state);
  return r.norm.defined() ? sum + weighted(r.norm) : sum;
}

TEST(LinearAttention, EqualsItsParallelForm) {
  at::manual_seed(1);
  each_problem([](Problem s) {
    for (const bool states : {true, false}) {
      s.b = 2, s.h = 4, s.g = 2, s.n = 67, s.d = 4, s.dv = 5, s.states = states;
      const auto x = inputs_of(s);
      EXPECT_LE(largest_difference(run(s, x).out, parallel_form(s, x)), 1e-13) << s.name();
    }
  });
}

TEST(LinearAttention, GradientsEqualFiniteDifferences) {
  at::manual_seed(2);
  each_problem([](Problem s) {
    for (const int64_t n : {1, 9}) {
      s.n = n, s.g = n == 1 ? 1 : 2;
      expect_gradients([&](const std::vector<at::Tensor>& x) { return functional(run(s, x)); },
                       inputs_of(s), s.name() + " n " + std::to_string(n), 2e-6);
    }
  });
}

/// Over several chunks and against LibTorch's own gradients of the parallel form.
TEST(LinearAttention, GradientsEqualThoseOfTheParallelForm) {
  at::manual_seed(3);
  each_problem([](Problem s) {
    s.h = 2, s.g = 1, s.n = 131, s.d = 3;
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& x : inputs_of(s)) leaves.push_back(x.detach().requires_grad_(true));
    const auto wave = [](const at::Tensor& t) {
      return (t * at::arange(1, t.numel() + 1, t.options()).sin().view(t.sizes())).sum();
    };
    const auto ours = torch::autograd::grad({wave(run(s, leaves).out)}, leaves);
    const auto theirs = torch::autograd::grad({wave(parallel_form(s, leaves))}, leaves);
    for (size_t i = 0; i < leaves.size(); ++i)
      EXPECT_LE(largest_difference(ours[i], theirs[i]), 1e-12) << s.name() << " input " << i;
  });
}

/// Token by token, and in pieces of any length, with the state handed on.
TEST(LinearAttention, StateCarriesOn) {
  at::manual_seed(4);
  each_problem([](Problem s) {
    if (!s.causal) return;
    s.n = 60, s.d = 4, s.dv = 5;
    const auto x = inputs_of(s);
    const LinearAttentionResult whole = run(s, x);
    for (const int64_t step : {1, 7, 49}) {
      LinearAttentionOptions o = options_of(s, x);
      const at::Tensor log = o.log_decay;
      std::vector<at::Tensor> outs;
      for (int64_t at = 0; at < s.n; at += step) {
        const int64_t count = std::min(step, s.n - at);
        const auto part = [&](const at::Tensor& t) { return t.narrow(2, at, count); };
        if (log.defined() && log.dim() > 1) o.log_decay = part(log);
        const LinearAttentionResult r = linear_attention(part(x[0]), part(x[1]), part(x[2]), o);
        outs.push_back(r.out), o.state = r.state, o.norm = r.norm;
      }
      EXPECT_LE(largest_difference(at::cat(outs, 2), whole.out), 1e-13) << s.name() << step;
      EXPECT_LE(largest_difference(o.state, whole.state), 1e-13) << s.name() << step;
      if (!s.normalise) continue;
      EXPECT_LE(largest_difference(o.norm, whole.norm), 1e-13) << s.name() << step;
    }
  });
}

/// All results and gradients, for comparing bits.
std::vector<at::Tensor> everything(const Problem& s, const std::vector<at::Tensor>& x) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& t : x) leaves.push_back(t.detach().requires_grad_(true));
  const LinearAttentionResult r = run(s, leaves);
  std::vector<at::Tensor> all = torch::autograd::grad({functional(r)}, leaves);
  all.insert(all.end(), {r.out, r.state});
  if (r.norm.defined()) all.push_back(r.norm);
  return all;
}

void expect_same_bits(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b,
                      const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(at::equal(a[i], b[i])) << what << ", tensor " << i;
}

TEST(LinearAttention, StridesChangeNoBit) {
  at::manual_seed(5);
  each_problem([](Problem s) {
    s.b = 2, s.h = 3, s.g = 3, s.n = 50, s.d = 5, s.dv = 7;
    const auto x = inputs_of(s, at::kFloat);
    const auto plain = everything(s, x);
    auto heads_last = x, columns_apart = x;
    for (size_t i = 0; i < 3; ++i) {
      heads_last[i] = x[i].transpose(1, 2).contiguous().transpose(1, 2);
      columns_apart[i] = x[i].transpose(2, 3).contiguous().transpose(2, 3);
    }
    expect_same_bits(plain, everything(s, heads_last), s.name() + ": (B,N,H,D) views");
    expect_same_bits(plain, everything(s, columns_apart), s.name() + ": columns apart");
    EXPECT_TRUE(run(s, heads_last).out.transpose(1, 2).is_contiguous());
  });
}

TEST(LinearAttention, ThreadsChangeNoBit) {
  at::manual_seed(6);
  const int before = at::get_num_threads();
  each_problem([](Problem s) {
    s.h = 1, s.g = 1, s.n = 2500, s.d = 4, s.dv = 8;  // two segments
    const auto x = inputs_of(s, at::kFloat);
    at::set_num_threads(1);
    const auto one = everything(s, x);
    at::set_num_threads(2);
    expect_same_bits(one, everything(s, x), s.name());
  });
  at::set_num_threads(before);
}

/// fp32 at 16,384 tokens of width 64 against fp64.
TEST(LinearAttention, Fp32KeepsItsDigitsAtManyTokens) {
  at::manual_seed(7);
  for (const FeatureMap map : {FeatureMap::elu, FeatureMap::hedgehog}) {
    for (const Kind kind : {Kind::none, Kind::head}) {
      for (const bool normalise : {true, false}) {
        Problem s;
        s.map = map, s.kind = kind, s.normalise = normalise;
        s.h = s.g = 1, s.n = 16384, s.d = s.dv = 64, s.states = false;
        std::vector<at::Tensor> x = inputs_of(s);
        if (kind == Kind::head) x[3].fill_(-1e-4);
        for (at::Tensor& t : x) t = t.to(at::kFloat).to(at::kDouble);
        const at::Tensor exact = run(s, x).out;
        for (at::Tensor& t : x) t = t.to(at::kFloat);
        const at::Tensor out = run(s, x).out.to(at::kDouble);
        EXPECT_LE(largest_difference(out, exact), 2e-6) << s.name();
      }
    }
  }
}

TEST(LinearAttention, EmptySizes) {
  for (const bool causal : {true, false}) {
    for (const int64_t empty : {0, 1, 2, 3}) {
      Problem s;
      s.causal = causal, s.normalise = true, s.map = FeatureMap::elu;
      if (empty == 0) s.b = 0;
      if (empty == 1) s.h = s.g = 0;
      if (empty == 2) s.n = 0;
      if (empty == 3) s.dv = 0;
      const auto x = inputs_of(s);
      const auto all = everything(s, x);
      const LinearAttentionResult r = run(s, x);
      EXPECT_EQ(r.out.sizes(), at::IntArrayRef({s.b, s.h, s.n, s.dv}));
      if (s.n > 0) continue;
      EXPECT_TRUE(at::equal(r.state, x[3])) << "no token changes the state";
    }
  }
}

TEST(LinearAttention, RefusesWhatDoesNotFit) {
  const at::Tensor x = normal({2, 4, 6, 5}, at::kFloat);
  expect_refusal([&] { linear_attention({}, x, x); }, "q is an undefined tensor");
  expect_refusal([&] { linear_attention(x.to(at::kHalf), x, x); }, "q has type Half");
  expect_refusal([&] { linear_attention(x, x.to(at::kDouble), x); }, "k has type Double");
  expect_refusal([&] { linear_attention(x, x, x.select(0, 0)); }, "v has shape (4, 6, 5)");
  expect_refusal([&] { linear_attention(x, x.narrow(0, 0, 1), x); }, "differ in batch");
  expect_refusal([&] { linear_attention(x, x.narrow(1, 0, 3), x.narrow(1, 0, 3)); },
                 "must divide those of q");
  expect_refusal([&] { linear_attention(x, x.narrow(3, 0, 2), x); }, "differ in head width");
  expect_refusal([&] { linear_attention(x, x, x.narrow(2, 0, 2)); }, "differ in keys");
  expect_refusal([&] { linear_attention(x.narrow(2, 0, 3), x, x); }, "differ in tokens");
  const auto with = [&](const LinearAttentionOptions& o) {
    return [&x, o] { linear_attention(x, x, x, o); };
  };
  LinearAttentionOptions o;
  o.log_decay = -at::ones({4}), o.causal = false;
  expect_refusal(with(o), "log_decay was given without causality");
  o.causal = true, o.log_decay = at::zeros({4}), o.log_decay[2] = 0.5;
  expect_refusal(with(o), "log_decay holds 0.5");
  o.log_decay = -at::ones({2, 4});
  expect_refusal(with(o), "log_decay (2, 4) on cpu; expected (H) = (4) or (B, H, N) = (2, 4, 6)");
  o.log_decay = -at::ones({4}, at::kDouble);
  expect_refusal(with(o), "log_decay has type Double");
  o = {};
  o.state = at::zeros({2, 4, 5, 4});
  expect_refusal(with(o), "state (2, 4, 5, 4) on cpu; expected (B, H, F, Dv) = (2, 4, 5, 5)");
  o = {};
  o.norm = at::zeros({2, 4, 5});
  expect_refusal(with(o), "norm was given without normalise");
  o = {};
  o.normalise = true, o.state = at::zeros({2, 4, 5, 5});
  expect_refusal(with(o), "state was given without norm");
  o.state = at::Tensor(), o.norm = at::zeros({2, 4, 4});
  expect_refusal(with(o), "norm (2, 4, 4) on cpu; expected (B, H, F) = (2, 4, 5)");
  o = {};
  o.eps = -1;
  expect_refusal(with(o), "eps is -1");
  o = {};
  o.chunk = -3;
  expect_refusal(with(o), "chunk is -3");
}

TEST(LinearAttention, RefusesToBeDifferentiatedTwice) {
  const at::Tensor q = normal({1, 1, 3, 2}).requires_grad_(true);
  const auto g = torch::autograd::grad({linear_attention(q, q, q).out.sum()}, {q}, {}, true, true);
  expect_refusal([&] { torch::autograd::grad({g[0].sum()}, {q}); }, "differentiated again");
}

}  // namespace
