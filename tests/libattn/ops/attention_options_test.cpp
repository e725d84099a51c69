// Every option of the attention operator and every pair of them: against the equations written out
// with LibTorch, and by finite differences.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "attn/attention.h"
#include "attn/error.h"
#include "tests/libattn/ops/gradcheck.h"
#include "tests/support/refusal.h"

namespace {

using attn::Align;
using attn::attention;
using attn::AttentionOptions;
using attn::AttentionResult;
using attn::Causal;
using attn::test::expect_gradients;
using attn::test::expect_refusal;

constexpr int64_t kB = 2, kH = 4, kNq = 5, kNk = 6, kD = 3, kDv = 2;

at::Tensor normal(const std::vector<int64_t>& shape) {
  return at::randn(shape, at::TensorOptions().dtype(at::kDouble));
}

/// Leaves of a call: q, k, v, bias, slopes, sink; undefined where the options have none.
using Leaves = std::vector<at::Tensor>;

/// What a named option does to a call.
struct Option {
  std::string name;
  std::function<void(AttentionOptions&, Leaves&)> add;
};

std::vector<Option> all_options() {
  return {
      {"scale", [](AttentionOptions& o, Leaves&) { o.scale = 0.3; }},
      {"causal top left", [](AttentionOptions& o, Leaves&) { o.causal = Causal::top_left; }},
      {"causal bottom right",
       [](AttentionOptions& o, Leaves&) { o.causal = Causal::bottom_right; }},
      {"align top left", [](AttentionOptions& o, Leaves&) { o.align = Align::top_left; }},
      {"window before", [](AttentionOptions& o, Leaves&) { o.window_left = 1; }},
      {"window behind",
       [](AttentionOptions& o, Leaves&) { o.window_right = o.causal == Causal::none ? 1 : 0; }},
      {"mask",
       [](AttentionOptions& o, Leaves&) {
         o.key_padding_mask = at::ones({kB, kNk}, at::kBool);
         o.key_padding_mask[0][2].fill_(false);
         o.key_padding_mask[1][5].fill_(false);
       }},
      {"bias",
       [](AttentionOptions&, Leaves& x) {
         x[3] = normal({kH, 1, kNk});
       }},
      {"softcap", [](AttentionOptions& o, Leaves&) { o.softcap = 0.8; }},
      {"slopes",
       [](AttentionOptions&, Leaves& x) {
         x[4] = normal({kB, kH}).abs();
       }},
      {"sink", [](AttentionOptions&, Leaves& x) { x[5] = normal({kH}); }},
      {"dropout",
       [](AttentionOptions& o, Leaves&) {
         o.dropout = 0.4;
         o.dropout_seed = 12345678901234567ULL;
         o.dropout_offset = 3;
       }},
      {"groups",
       [](AttentionOptions&, Leaves& x) {
         x[1] = normal({kB, 2, kNk, kD});
         x[2] = normal({kB, 2, kNk, kDv});
       }},
  };
}

AttentionOptions with_leaves(AttentionOptions o, const Leaves& x) {
  o.bias = x[3], o.slopes = x[4], o.sink = x[5];
  o.row_max = o.column_mass = true;
  return o;
}

/// Distance of query i and key j from the diagonal, (Nq,Nk): i + diagonal - j.
at::Tensor offsets_from_diagonal(const AttentionOptions& o, int64_t nq, int64_t nk) {
  const bool top_left =
      o.causal == Causal::top_left || (o.causal == Causal::none && o.align == Align::top_left);
  const at::Tensor i = at::arange(nq, at::kDouble).unsqueeze(1), j = at::arange(nk, at::kDouble);
  return i + static_cast<double>(top_left ? 0 : nk - nq) - j;
}

/// The equations of attn/core.h, dropout left out (its mask is the kernel's own).
AttentionResult written_out(const Leaves& x, const AttentionOptions& o) {
  const int64_t group = x[0].size(1) / x[1].size(1), nq = x[0].size(2), nk = x[1].size(2);
  const at::Tensor k = x[1].repeat_interleave(group, 1), v = x[2].repeat_interleave(group, 1);
  at::Tensor s = at::matmul(x[0], k.transpose(2, 3)) *
                 o.scale.value_or(1 / std::sqrt(static_cast<double>(x[0].size(3))));
  if (o.softcap > 0) s = o.softcap * at::tanh(s / o.softcap);
  const at::Tensor distance = offsets_from_diagonal(o, nq, nk);
  if (o.slopes.defined())
    s = s -
        o.slopes.expand({x[0].size(0), x[0].size(1)}).unsqueeze(-1).unsqueeze(-1) * distance.abs();
  if (o.bias.defined()) s = s + o.bias;
  at::Tensor hidden = at::zeros({nq, nk}, at::kBool);
  if (o.causal != Causal::none || o.window_right >= 0)
    hidden = hidden.logical_or(distance <
                               -static_cast<double>(o.causal != Causal::none ? 0 : o.window_right));
  if (o.window_left >= 0) hidden = hidden.logical_or(distance > static_cast<double>(o.window_left));
  hidden = hidden.unsqueeze(0).unsqueeze(0);
  if (o.key_padding_mask.defined())
    hidden = hidden.logical_or(o.key_padding_mask.logical_not().unsqueeze(1).unsqueeze(1));
  s = s.masked_fill(hidden, -INFINITY);
  at::Tensor all = s;
  if (o.sink.defined()) {
    const at::Tensor sink = o.sink.expand({s.size(0), s.size(1)}).unsqueeze(-1).unsqueeze(-1);
    all = at::cat({s, sink.expand({s.size(0), s.size(1), nq, 1})}, -1);
  }
  const at::Tensor lse = at::logsumexp(all, {-1});
  const at::Tensor dead = lse.isinf().unsqueeze(-1);
  const at::Tensor p = at::softmax(all.masked_fill(dead, 0), -1).masked_fill(dead, 0);
  const at::Tensor weights = p.narrow(-1, 0, nk);
  AttentionResult r;
  r.out = at::matmul(weights, v);
  r.lse = lse;
  r.entropy = -at::xlogy(p, p).sum(-1);
  r.row_max = s.amax({-1});
  r.column_mass = weights.sum(2);
  return r;
}

/// A random linear functional of all results that have a gradient; rows without keys are left out
/// of lse (-inf).
at::Tensor functional(const AttentionResult& r) {
  at::manual_seed(99);
  const auto weighed = [](const at::Tensor& t) {
    return (at::randn(t.sizes(), t.options().requires_grad(false)) * t).sum();
  };
  const at::Tensor lse = r.lse.masked_fill(r.lse.detach().isinf(), 0);
  return weighed(r.out) + weighed(lse) + weighed(r.entropy) + weighed(r.column_mass);
}

void expect_close(const at::Tensor& ours, const at::Tensor& exact, const std::string& what) {
  EXPECT_TRUE(at::allclose(ours, exact, 1e-10, 1e-12)) << what << "\n" << ours << "\n" << exact;
}

void expect_right(const AttentionOptions& o, const Leaves& x, const std::string& what) {
  if (o.dropout == 0) {
    const AttentionResult ours = attention(x[0], x[1], x[2], with_leaves(o, x));
    const AttentionResult exact = written_out(x, with_leaves(o, x));
    expect_close(ours.out, exact.out, what + ": out");
    expect_close(ours.lse, exact.lse, what + ": lse");
    expect_close(ours.entropy, exact.entropy, what + ": entropy");
    expect_close(ours.row_max, exact.row_max, what + ": row_max");
    expect_close(ours.column_mass, exact.column_mass, what + ": column_mass");
  }
  Leaves given;
  for (const at::Tensor& t : x)
    if (t.defined()) given.push_back(t);
  expect_gradients(
      [&](const Leaves& moved) {
        Leaves all(x.size());
        for (size_t i = 0, next = 0; i < x.size(); ++i)
          if (x[i].defined()) all[i] = moved[next++];
        return functional(attention(all[0], all[1], all[2], with_leaves(o, all)));
      },
      given, what);
}

TEST(AttentionOptions, EveryPairIsRightAndHasItsGradients) {
  const std::vector<Option> options = all_options();
  for (size_t a = 0; a < options.size(); ++a) {
    for (size_t b = a; b < options.size(); ++b) {
      at::manual_seed(static_cast<int64_t>(a * 100 + b));
      AttentionOptions o;
      Leaves x = {normal({kB, kH, kNq, kD}),
                  normal({kB, kH, kNk, kD}),
                  normal({kB, kH, kNk, kDv}),
                  {},
                  {},
                  {}};
      options[a].add(o, x);
      if (b != a) options[b].add(o, x);
      expect_right(o, x, options[a].name + " + " + options[b].name);
      if (HasFailure()) return;
    }
  }
}

TEST(AttentionOptions, PackedSequencesEqualEachOnItsOwn) {
  at::manual_seed(1);
  const std::vector<int64_t> nq = {3, 0, 7, 1}, nk = {5, 2, 4, 0};
  const at::Tensor qo = at::tensor({0, 3, 3, 10, 11}, at::kLong),
                   ko = at::tensor({0, 5, 7, 11, 11}, at::kLong);
  for (const Causal causal : {Causal::none, Causal::top_left, Causal::bottom_right}) {
    Leaves packed = {normal({11, kH, kD}), normal({11, 2, kD}), normal({11, 2, kDv}), {},
                     normal({kH}).abs(),   normal({kH})};
    AttentionOptions o;
    o.causal = causal;
    o.window_left = 3;
    AttentionOptions call = with_leaves(o, packed);
    call.q_offsets = qo, call.k_offsets = ko;
    const AttentionResult r = attention(packed[0], packed[1], packed[2], call);
    for (int64_t b = 0; b < 4; ++b) {
      const int64_t q0 = qo[b].item<int64_t>(), k0 = ko[b].item<int64_t>();
      const int64_t n = nq[static_cast<size_t>(b)], m = nk[static_cast<size_t>(b)];
      const auto alone = [](const at::Tensor& t, int64_t from, int64_t rows) {
        return t.narrow(0, from, rows).transpose(0, 1).unsqueeze(0);
      };
      const AttentionResult own = attention(alone(packed[0], q0, n), alone(packed[1], k0, m),
                                            alone(packed[2], k0, m), with_leaves(o, packed));
      const std::string what = "sequence " + std::to_string(b);
      expect_close(r.out.narrow(0, q0, n).transpose(0, 1).unsqueeze(0), own.out, what);
      expect_close(r.lse.narrow(1, q0, n).unsqueeze(0), own.lse, what);
      expect_close(r.entropy.narrow(1, q0, n).unsqueeze(0), own.entropy, what);
      expect_close(r.row_max.narrow(1, q0, n).unsqueeze(0), own.row_max, what);
      expect_close(r.column_mass.narrow(1, k0, m).unsqueeze(0), own.column_mass, what);
    }
    Leaves given = {packed[0], packed[1], packed[2], packed[4], packed[5]};
    expect_gradients(
        [&](const Leaves& x) {
          AttentionOptions moved = call;
          moved.slopes = x[3], moved.sink = x[4];
          return functional(attention(x[0], x[1], x[2], moved));
        },
        given, "packed, causal " + std::to_string(static_cast<int>(causal)));
  }
}

TEST(AttentionOptions, DropoutKeepsItsShareAndLeavesTheStatisticsAlone) {
  at::manual_seed(2);
  const at::Tensor q = normal({1, 2, 64, 8}), k = normal({1, 2, 256, 8});
  const at::Tensor v = at::eye(256, at::kDouble).expand({1, 2, 256, 256});  // out is the weights
  AttentionOptions o;
  const AttentionResult whole = attention(q, k, v, o);
  o.dropout = 0.25;
  o.dropout_seed = 7;
  const AttentionResult r = attention(q, k, v, o);
  EXPECT_TRUE(at::equal(r.lse, whole.lse));
  EXPECT_TRUE(at::equal(r.entropy, whole.entropy));
  const at::Tensor ratio = r.out / whole.out;
  const at::Tensor kept = ratio > 0.5;
  EXPECT_NEAR(kept.to(at::kDouble).mean().item<double>(), 0.75, 0.01);
  EXPECT_LE((ratio.masked_select(kept) - 1 / 0.75).abs().max().item<double>(), 1e-12);
  EXPECT_EQ(ratio.masked_select(kept.logical_not()).abs().max().item<double>(), 0);
  EXPECT_TRUE(at::equal(attention(q, k, v, o).out, r.out));
  o.dropout_offset = 1;
  EXPECT_FALSE(at::equal(attention(q, k, v, o).out, r.out));
}

TEST(AttentionOptions, TheMaximumRefusesToBeDifferentiated) {
  const at::Tensor q = normal({1, 1, 3, 2}).requires_grad_(true), k = normal({1, 1, 4, 2});
  AttentionOptions o;
  o.row_max = true;
  const AttentionResult r = attention(q, k, k, o);
  expect_refusal([&] { (r.out.sum() + r.row_max.sum()).backward(); }, "row_max was differentiated");
  EXPECT_FALSE(attention(q, k, k).row_max.defined());
  EXPECT_FALSE(attention(q, k, k).column_mass.defined());
}

TEST(AttentionOptions, RefusesWhatDoesNotFit) {
  const at::Tensor q = normal({2, 4, 3, 5}), k = normal({2, 3, 6, 5}), x = normal({2, 4, 6, 5});
  const auto with = [&](const std::function<void(AttentionOptions&)>& set) {
    AttentionOptions o;
    set(o);
    return [=] { attention(q, x, x, o); };
  };
  expect_refusal([&] { attention(q, k, k); }, "those of k and v must divide those of q");
  expect_refusal(with([](AttentionOptions& o) { o.softcap = -1; }), "softcap is -1");
  expect_refusal(with([](AttentionOptions& o) { o.dropout = 1; }), "dropout is 1");
  expect_refusal(with([](AttentionOptions& o) { o.slopes = normal({3}); }),
                 "slopes (3) on cpu; expected (H) = (4)");
  expect_refusal(with([](AttentionOptions& o) { o.sink = normal({4}).to(at::kFloat); }),
                 "sink has type Float");
  expect_refusal(with([](AttentionOptions& o) {
                   o.causal = Causal::top_left;
                   o.window_right = 2;
                 }),
                 "window_right is 2 under causality");
  expect_refusal(with([](AttentionOptions& o) {
                   o.q_offsets = at::tensor({0, 3}, at::kLong);
                 }),
                 "q has shape (2, 4, 3, 5); expected (Tq, H, D)");
}

// The heads of a group share one bias: its gradient has one writer at a time.
TEST(AttentionOptions, ABiasThatAGroupSharesHasOneGradientForAnyThreads) {
  const at::Tensor q = normal({1, 8, 512, 4}), k = normal({1, 1, 512, 4});
  const auto gradient = [&](int threads) {
    at::set_num_threads(threads);
    AttentionOptions o;
    o.bias = at::zeros({512, 512}, at::kDouble).requires_grad_();
    return torch::autograd::grad({attention(q, k, k, o).out.square().sum()}, {o.bias})[0];
  };
  const int before = at::get_num_threads();
  const at::Tensor one = gradient(1);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(at::equal(gradient(4), one)) << i;
  at::set_num_threads(before);
}

TEST(AttentionOptions, WithoutQueryHeadsGradientsAreZero) {
  const at::Tensor q = normal({1, 0, 5, 8}), k = normal({1, 2, 64, 8}).requires_grad_();
  const at::Tensor g = torch::autograd::grad({attention(q, k, k).out.sum()}, {k})[0];
  EXPECT_TRUE(g.eq(0).all().item<bool>());
}

TEST(AttentionOptions, ANanSinkGivesNan) {
  const at::Tensor q = normal({1, 1, 3, 2});
  AttentionOptions o;
  o.sink = at::full({1}, NAN, at::kDouble);
  const AttentionResult r = attention(q, q, q, o);
  EXPECT_TRUE(r.out.isnan().all().item<bool>() && r.entropy.isnan().all().item<bool>());
}

TEST(AttentionOptions, NumbersAreThoseOfTheTensorsType) {
  const at::Tensor q = normal({1, 1, 3, 2}), single = q.to(at::kFloat);
  AttentionOptions o;
  o.softcap = 1e-60;
  attention(q, q, q, o);
  expect_refusal([&] { attention(single, single, single, o); },
                 "softcap is 1e-60; expected a positive number that is finite as Float");
  o.softcap = 0, o.scale = 1e39;
  expect_refusal([&] { attention(single, single, single, o); },
                 "scale is 1e+39; expected a number that is finite as Float");
}

}  // namespace
