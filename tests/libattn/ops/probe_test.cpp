// The probe's figures against plain loops over the attention matrix in fp64, for every option that
// hides keys or moves weight.
#include "attn/probe.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "attn/attention.h"
#include "attn/core.h"

namespace {

using attn::Align;
using attn::attention;
using attn::AttentionOptions;
using attn::Causal;
using attn::Probe;
using attn::ProbeHead;
using attn::ProbeReport;

at::Tensor normal(const std::vector<int64_t>& shape) {
  return at::randn(shape, at::TensorOptions().dtype(at::kDouble));
}

/// One head of one sequence: q (Nq,D), k (Nk,D), bias (Nq,Nk) and mask (Nk) where given.
struct Sequence {
  at::Tensor q, k, bias, mask;
  double sink = -INFINITY;
};

/// Sums as they grow, row by row.
struct Expected {
  ProbeHead head;
  double keys = 0, entropy = 0, normalised = 0, top = 0, first = 0, learned = 0;
  int64_t normalised_rows = 0;
};

bool sees(const AttentionOptions& o, int64_t i, int64_t j, int64_t nq, int64_t nk) {
  const bool top_left =
      o.causal == Causal::top_left || (o.causal == Causal::none && o.align == Align::top_left);
  const int64_t distance = i + (top_left ? 0 : nk - nq) - j;  // > 0: the key lies before
  if (o.causal != Causal::none && distance < 0) return false;
  if (o.window_left >= 0 && distance > o.window_left) return false;
  return o.window_right < 0 || -distance <= o.window_right;
}

void add_row(const Sequence& s, const AttentionOptions& o, int64_t i, Expected& to) {
  const int64_t nq = s.q.size(0), nk = s.k.size(0);
  const bool sink = s.sink > -INFINITY;
  std::vector<double> logits;  // of the keys seen, then the sink
  double first = -INFINITY;
  int64_t first_key = 0;
  while (s.mask.defined() && first_key < nk && !s.mask[first_key].item<bool>()) ++first_key;
  for (int64_t j = 0; j < nk; ++j) {
    if (!sees(o, i, j, nq, nk) || (s.mask.defined() && !s.mask[j].item<bool>())) continue;
    double l = at::dot(s.q[i], s.k[j]).item<double>() / std::sqrt(double(s.q.size(1)));
    if (s.bias.defined()) l += s.bias[i][j].item<double>();
    if (j == first_key) first = l;
    logits.push_back(l);
  }
  const double n = static_cast<double>(logits.size()) + (sink ? 1 : 0);
  const double top = logits.empty() ? -INFINITY : *std::max_element(logits.begin(), logits.end());
  if (top == -INFINITY) {
    ++to.head.dead_rows;
    return;
  }
  if (sink) logits.push_back(s.sink);
  double total = 0, h = 0;
  for (const double l : logits) total += std::exp(l);
  for (const double l : logits)
    if (l > -INFINITY) h -= std::exp(l) / total * (l - std::log(total));
  to.head.entropy_min = to.head.rows == 0 ? h : std::min(to.head.entropy_min, h);
  to.head.entropy_max = to.head.rows == 0 ? h : std::max(to.head.entropy_max, h);
  ++to.head.rows;
  to.keys += n, to.entropy += h;
  to.top += std::exp(top) / total;
  to.first += std::exp(first) / total;
  if (sink) to.learned += std::exp(s.sink) / total;
  if (n <= 1) return;
  ++to.normalised_rows;
  to.normalised += h / std::log(n);
}

ProbeHead expected(const std::vector<Sequence>& sequences, const AttentionOptions& o) {
  Expected e;
  for (const Sequence& s : sequences)
    for (int64_t i = 0; i < s.q.size(0); ++i) add_row(s, o, i, e);
  const auto rows = static_cast<double>(e.head.rows);
  if (e.head.rows == 0) return e.head;
  e.head.keys = e.keys / rows;
  e.head.entropy = e.entropy / rows;
  if (e.normalised_rows > 0)
    e.head.normalised_entropy = e.normalised / static_cast<double>(e.normalised_rows);
  e.head.max_mass = e.top / rows;
  e.head.first_key_mass = e.first / rows;
  if (sequences.back().sink > -INFINITY) e.head.learned_sink_mass = e.learned / rows;
  return e.head;
}

void expect_equal(const ProbeHead& ours, const ProbeHead& exact, double tolerance) {
  EXPECT_EQ(ours.rows, exact.rows);
  EXPECT_EQ(ours.dead_rows, exact.dead_rows);
  EXPECT_EQ(ours.nonfinite_rows, 0);
  const auto near = [&](const char* name, double a, double b) {
    if (std::isnan(b))
      EXPECT_TRUE(std::isnan(a)) << name << " is " << a;
    else
      EXPECT_NEAR(a, b, tolerance) << name;
  };
  near("keys", ours.keys, exact.keys);
  near("entropy", ours.entropy, exact.entropy);
  near("entropy_min", ours.entropy_min, exact.entropy_min);
  near("entropy_max", ours.entropy_max, exact.entropy_max);
  near("normalised_entropy", ours.normalised_entropy, exact.normalised_entropy);
  near("max_mass", ours.max_mass, exact.max_mass);
  near("first_key_mass", ours.first_key_mass, exact.first_key_mass);
  near("learned_sink_mass", ours.learned_sink_mass, exact.learned_sink_mass);
}

/// A call of (B,H,Nq,D) on (B,G,Nk,D), and its sequences head by head.
struct Call {
  int64_t b = 2, h = 4, g = 4, nq = 7, nk = 11, d = 3;
  AttentionOptions options = {};
};

void expect_figures(const Call& c, at::ScalarType type, double tolerance) {
  at::manual_seed(5);
  const at::Tensor q = normal({c.b, c.h, c.nq, c.d}) * 2, k = normal({c.b, c.g, c.nk, c.d}),
                   v = normal({c.b, c.g, c.nk, 2});
  AttentionOptions o = c.options;
  for (at::Tensor* t : {&o.bias, &o.sink})
    if (t->defined()) *t = t->to(type);
  Probe probe;
  attention(q.to(type), k.to(type), v.to(type), o);
  const ProbeReport report = probe.report();
  ASSERT_EQ(report.layers.size(), 1U);
  ASSERT_EQ(report.layers[0].steps[0].heads.size(), static_cast<size_t>(c.h));
  for (int64_t h = 0; h < c.h; ++h) {
    std::vector<Sequence> sequences;
    for (int64_t b = 0; b < c.b; ++b) {
      Sequence s{
          q[b][h].to(type).to(at::kDouble), k[b][h / (c.h / c.g)].to(type).to(at::kDouble), {}, {}};
      if (o.bias.defined()) s.bias = o.bias.expand({c.b, c.h, c.nq, c.nk})[b][h].to(at::kDouble);
      if (o.key_padding_mask.defined()) s.mask = o.key_padding_mask[b];
      if (o.sink.defined()) s.sink = o.sink.expand({c.b, c.h})[b][h].item<double>();
      sequences.push_back(s);
    }
    SCOPED_TRACE("head " + std::to_string(h));
    expect_equal(report.layers[0].steps[0].heads[static_cast<size_t>(h)], expected(sequences, o),
                 tolerance);
  }
}

at::Tensor left_padding(int64_t b, int64_t nk) {  // the first keys of the second batch are hidden
  at::Tensor mask = at::ones({b, nk}, at::kBool);
  mask[b - 1].narrow(0, 0, 3).fill_(false);
  return mask;
}

std::vector<std::pair<std::string, Call>> calls() {
  std::vector<std::pair<std::string, Call>> out{{"plain", {}}};
  const auto add = [&](const std::string& name, const std::function<void(Call&)>& change) {
    change(out.emplace_back(name, Call{}).second);
  };
  at::manual_seed(6);
  add("causal", [](Call& c) { c.options.causal = Causal::bottom_right; });
  add("causal top left", [](Call& c) { c.options.causal = Causal::top_left; });
  add("causal, more queries than keys", [](Call& c) {  // the first queries see nothing
    c.nq = 13, c.options.causal = Causal::bottom_right;
  });
  add("window", [](Call& c) { c.options.window_left = 2, c.options.window_right = 1; });
  add("causal window, aligned at the top", [](Call& c) {
    c.nq = 19, c.options.align = Align::top_left;
    c.options.window_left = 1, c.options.window_right = 0;
  });
  add("groups", [](Call& c) { c.g = 2; });
  add("left padding", [](Call& c) { c.options.key_padding_mask = left_padding(c.b, c.nk); });
  add("left padding, causal", [](Call& c) {
    c.nq = c.nk = 9, c.options.causal = Causal::bottom_right;
    c.options.key_padding_mask = left_padding(c.b, c.nk);
  });
  add("a sequence without keys", [](Call& c) {
    c.options.key_padding_mask = at::ones({c.b, c.nk}, at::kBool);
    c.options.key_padding_mask[0].fill_(false);
  });
  add("sink", [](Call& c) { c.options.sink = normal({c.h}); });
  add("sink of each batch, causal, dead rows", [](Call& c) {
    c.nq = 13, c.options.causal = Causal::bottom_right, c.options.sink = normal({c.b, c.h});
  });
  add("a sink that is off in one head", [](Call& c) {
    c.options.sink = normal({c.h});
    c.options.sink[1] = -INFINITY;
  });
  add("bias with -inf", [](Call& c) {
    c.options.bias = normal({c.h, c.nq, c.nk});
    c.options.bias[0].fill_(-INFINITY);
    c.options.bias[1][2][0].fill_(-INFINITY);
  });
  add("dropout", [](Call& c) { c.options.dropout = 0.5, c.options.dropout_seed = 3; });
  add("one key", [](Call& c) { c.nk = 1; });
  add("one query", [](Call& c) { c.nq = 1, c.options.causal = Causal::bottom_right; });
  add("no key", [](Call& c) { c.nk = 0; });
  add("no query", [](Call& c) { c.nq = 0; });
  add("no batch", [](Call& c) { c.b = 0; });
  add("over the tiles", [](Call& c) {
    c.b = 1, c.h = c.g = 2, c.nq = 131, c.nk = 317, c.d = 5;
    c.options.causal = Causal::bottom_right;
  });
  return out;
}

TEST(Probe, FiguresAreThoseOfTheMatrix) {
  for (const auto& [name, call] : calls()) {
    SCOPED_TRACE(name);
    expect_figures(call, at::kDouble, 1e-9);
    expect_figures(call, at::kFloat, 2e-5);
  }
}

TEST(Probe, FiguresAreTheSameOnEveryTarget) {
  Call call;
  call.nq = 37, call.nk = 70, call.options.causal = Causal::bottom_right;
  for (const std::string& target : attn::core::simd_targets()) {
    SCOPED_TRACE(target);
    attn::core::force_simd_target(target);
    expect_figures(call, at::kDouble, 1e-9);
    expect_figures(call, at::kFloat, 2e-5);
  }
  attn::core::force_simd_target("");
}

TEST(Probe, FiguresOfPackedSequencesAreThoseOfEach) {
  at::manual_seed(7);
  const std::vector<int64_t> nq = {4, 0, 1, 6}, nk = {4, 3, 0, 9};
  at::Tensor q_offsets = at::zeros({5}, at::kLong), k_offsets = at::zeros({5}, at::kLong);
  for (int64_t b = 0; b < 4; ++b) {
    q_offsets[b + 1] = q_offsets[b] + nq[static_cast<size_t>(b)];
    k_offsets[b + 1] = k_offsets[b] + nk[static_cast<size_t>(b)];
  }
  const at::Tensor q = normal({11, 4, 3}), k = normal({16, 2, 3}), v = normal({16, 2, 2});
  AttentionOptions o;
  o.causal = Causal::bottom_right;
  o.q_offsets = q_offsets, o.k_offsets = k_offsets;
  Probe probe;
  attention(q, k, v, o);
  const auto heads = probe.report().layers.at(0).steps.at(0).heads;
  ASSERT_EQ(heads.size(), 4U);
  for (int64_t h = 0; h < 4; ++h) {
    std::vector<Sequence> sequences;
    for (int64_t b = 0; b < 4; ++b)
      sequences.push_back(
          {q.narrow(0, q_offsets[b].item<int64_t>(), nq[static_cast<size_t>(b)]).select(1, h),
           k.narrow(0, k_offsets[b].item<int64_t>(), nk[static_cast<size_t>(b)]).select(1, h / 2),
           {},
           {}});
    expect_equal(heads[static_cast<size_t>(h)], expected(sequences, o), 1e-9);
  }
}

TEST(Probe, RowsThatAreNotFiniteAreCountedAndLeftOut) {
  at::manual_seed(8);
  at::Tensor q = normal({1, 2, 5, 3});
  const at::Tensor k = normal({1, 2, 6, 3}), v = normal({1, 2, 6, 2});
  q[0][1][2][0] = NAN;
  q[0][1][3][0] = INFINITY;
  Probe probe;
  attention(q, k, v);
  const auto heads = probe.report().layers.at(0).steps.at(0).heads;
  EXPECT_EQ(heads[0].nonfinite_rows, 0);
  EXPECT_EQ(heads[0].rows, 5);
  EXPECT_EQ(heads[1].nonfinite_rows, 2);
  EXPECT_EQ(heads[1].rows, 3);
  EXPECT_TRUE(std::isfinite(heads[1].entropy) && std::isfinite(heads[1].max_mass));
  EXPECT_TRUE(std::isnan(heads[1].first_key_mass));  // a sum that the two rows have spoilt
  EXPECT_TRUE(std::isfinite(heads[0].first_key_mass));
}

TEST(Probe, MasslessAndLargeLogitsStayFinite) {
  at::manual_seed(9);
  const at::Tensor q = normal({1, 1, 4, 3}) * 1e3, k = normal({1, 1, 50, 3}) * 1e3;
  Probe probe;
  attention(q.to(at::kFloat), k.to(at::kFloat), at::ones({1, 1, 50, 1}));
  const ProbeHead head = probe.report().layers.at(0).steps.at(0).heads.at(0);
  EXPECT_EQ(head.rows, 4);
  EXPECT_NEAR(head.max_mass, 1, 1e-6);
  EXPECT_NEAR(head.normalised_entropy, 0, 1e-6);
  EXPECT_GE(head.first_key_mass, 0);
  EXPECT_LE(head.first_key_mass, 1);
}

}  // namespace
