// The span face: the same numbers as the C face beneath it, and every span's size checked.
#include "attn/span.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/libattn/core/option_cases.h"

namespace {

using attn::spans::Gradients;
using attn::spans::Incoming;
using attn::spans::Inputs;
using attn::spans::MergeSizes;
using attn::spans::Options;
using attn::spans::Outputs;
using attn::spans::Part;
using attn::spans::Saved;
using attn::spans::Sizes;
using attn::test::AttentionCase;
using attn::test::AttentionValues;
using attn::test::difference;

TEST(Span, TheExampleOfTheHeader) {
  std::vector<float> q(8 * 128 * 64), k(q), v(q), out(q.size()), entropy(8 * 128);
  const attn::spans::Sizes sizes{.heads = 8, .nq = 128, .nk = 128, .d = 64, .dv = 64};
  attn::spans::forward<float>(sizes, {.q = q, .k = k, .v = v}, {.out = out, .entropy = entropy},
                              {.causal = attn::spans::Causal::bottom_right});
  EXPECT_NEAR(entropy[127], std::log(128.0f), 1e-6f);
  EXPECT_EQ(entropy[128], 0);
}

/// A case and its results as spans.
template <class T>
struct Call {
  AttentionCase<T> c;
  AttentionValues<T> r{c};
  Sizes sizes{
      .batch = c.b, .heads = c.h, .kv_heads = c.g, .nq = c.nq, .nk = c.nk, .d = c.d, .dv = c.dv};
  Inputs<T> in{.q = c.q,
               .k = c.k,
               .v = c.v,
               .bias = c.bias,
               .slopes = c.slope,
               .sink = c.sink,
               .key_mask = c.mask};
  Options options{.causal = static_cast<attn::spans::Causal>(c.causal),
                  .align = static_cast<attn::spans::Align>(c.align),
                  .window_left = c.window_left,
                  .window_right = c.causal == attn::core::Causal::none ? c.window_right : -1,
                  .softcap = c.softcap,
                  .dropout = c.dropout,
                  .dropout_seed = c.seed,
                  .threads = 2};
  Outputs<T> out{.out = r.out,
                 .lse = r.lse,
                 .lse_tail = r.lse_tail,
                 .entropy = r.entropy,
                 .row_max = r.row_max,
                 .column_mass = r.mass};
  Saved<T> saved{.out = r.out, .lse = r.lse, .lse_tail = r.lse_tail, .entropy = r.entropy};
  Incoming<T> from{.dout = c.dout, .dlse = c.dlse, .dentropy = c.dentropy, .dcolumn_mass = c.dmass};
  Gradients<T> to{
      .dq = r.dq, .dk = r.dk, .dv = r.dv, .dbias = r.dbias, .dslopes = r.dslope, .dsink = r.dsink};

  void forward() { attn::spans::forward<T>(sizes, in, out, options); }
  void backward() { attn::spans::backward<T>(sizes, in, saved, from, to, options); }
};

template <class T>
void expect_options(double tolerance) {
  uint64_t seed = 900;
  for (unsigned option = 1; option <= attn::test::kAll; option *= 2) {
    const unsigned options = option == attn::test::kAll ? option - 1 : option;
    Call<T> call{attn::test::case_with<T>(options, 15, 26, ++seed)};
    call.r.dbias.assign(call.r.dbias.size(), 5);  // what was there does not count
    call.forward();
    call.backward();
    const AttentionValues<double> exact = attn::test::reference(call.c);
    EXPECT_LE(difference(call.r.out, exact.out), tolerance) << options;
    EXPECT_LE(difference(call.r.entropy, exact.entropy), tolerance) << options;
    EXPECT_LE(difference(call.r.row_max, exact.row_max), tolerance) << options;
    EXPECT_LE(difference(call.r.mass, exact.mass), tolerance) << options;
    EXPECT_LE(difference(call.r.dq, exact.dq), tolerance) << options;
    EXPECT_LE(difference(call.r.dk, exact.dk), tolerance) << options;
    EXPECT_LE(difference(call.r.dv, exact.dv), tolerance) << options;
    EXPECT_LE(difference(call.r.dbias, exact.dbias), tolerance) << options;
    EXPECT_LE(difference(call.r.dslope, exact.dslope), tolerance) << options;
    EXPECT_LE(difference(call.r.dsink, exact.dsink), tolerance) << options;
  }
}

TEST(Span, EveryOptionEqualsTheEquations) {
  expect_options<double>(2e-13);
  expect_options<float>(6e-6);
}

TEST(Span, BiasAndSlopesMayBeShared) {
  AttentionCase<double> c(2, 3, 4, 5, 6, 2);
  c.fill(1);
  std::mt19937_64 random(3);
  c.draw(random, c.bias, 20, 1), c.draw(random, c.slope, 3, 0.3);
  AttentionCase<double> whole = c;
  for (int i = 1; i < 6; ++i) whole.bias.insert(whole.bias.end(), c.bias.begin(), c.bias.end());
  whole.slope.insert(whole.slope.end(), c.slope.begin(), c.slope.end());
  Call<double> call{c};
  call.forward();
  call.backward();
  const AttentionValues<double> exact = attn::test::reference(whole);
  std::vector<double> dbias(20), dslope(3);
  for (size_t i = 0; i < exact.dbias.size(); ++i) dbias[i % 20] += exact.dbias[i];
  for (size_t i = 0; i < exact.dslope.size(); ++i) dslope[i % 3] += exact.dslope[i];
  EXPECT_LE(difference(call.r.out, exact.out), 1e-13);
  EXPECT_LE(difference(call.r.dbias, dbias), 1e-13);
  EXPECT_LE(difference(call.r.dslope, dslope), 1e-13);
}

TEST(Span, PackedSequences) {
  const std::vector<int64_t> q_offsets = {0, 2, 7}, k_offsets = {0, 6, 9};
  AttentionCase<double> c(1, 2, 7, 9, 3, 4);
  c.fill(2);
  Call<double> call{c};
  call.sizes.batch = 2;
  call.in.q_offsets = q_offsets, call.in.k_offsets = k_offsets;
  call.forward();
  for (int64_t head = 0; head < 2; ++head) {  // the second sequence of each head, on its own
    AttentionCase<double> one(1, 1, 5, 3, 3, 4);
    one.fill(1);
    const int64_t q = head * 7 + 2, k = head * 9 + 6;
    one.q.assign(c.q.begin() + q * 3, c.q.begin() + (q + 5) * 3);
    one.k.assign(c.k.begin() + k * 3, c.k.begin() + (k + 3) * 3);
    one.v.assign(c.v.begin() + k * 4, c.v.begin() + (k + 3) * 4);
    const AttentionValues<double> exact = attn::test::reference(one);
    const std::vector<double> entropy(call.r.entropy.begin() + q, call.r.entropy.begin() + q + 5);
    EXPECT_LE(difference(entropy, exact.entropy), 1e-14);
  }
}

TEST(Span, PartsMergeToTheWhole) {
  AttentionCase<double> c(1, 1, 6, 10, 4, 3);
  c.fill(3);
  Call<double> whole{c};
  whole.forward();
  std::vector<AttentionValues<double>> r(2, AttentionValues<double>(c)), to = r;
  std::vector<Part<double>> parts, gradients;
  for (size_t s = 0; s < 2; ++s) {
    const size_t first = s * 4, n = s == 0 ? 4 : 6;
    const Sizes sizes{.nq = 6, .nk = int64_t(n), .d = 4, .dv = 3};
    const std::span<const double> k(c.k), v(c.v);
    attn::spans::forward<double>(
        sizes, {.q = c.q, .k = k.subspan(first * 4, n * 4), .v = v.subspan(first * 3, n * 3)},
        {.out = r[s].out, .lse = r[s].lse, .lse_tail = r[s].lse_tail, .entropy = r[s].entropy});
    parts.push_back({r[s].out, r[s].lse, r[s].lse_tail, r[s].entropy});
    gradients.push_back({.out = to[s].out, .lse = to[s].lse, .entropy = to[s].entropy});
  }
  AttentionValues<double> merged(c);
  const MergeSizes sizes{.nq = 6, .dv = 3};
  const Part<double> all{.out = merged.out, .lse = merged.lse, .entropy = merged.entropy};
  attn::spans::merge<double>(sizes, parts, all);
  EXPECT_LE(difference(merged.out, whole.r.out), 1e-14);
  EXPECT_LE(difference(merged.lse, whole.r.lse), 1e-14);
  EXPECT_LE(difference(merged.entropy, whole.r.entropy), 1e-14);
  attn::spans::merge_backward<double>(sizes, parts, all, {.dlse = c.dlse}, gradients);
  for (size_t i = 0; i < 6; ++i)  // the weights of the parts sum to 1
    EXPECT_NEAR(to[0].lse[i] + to[1].lse[i], c.dlse[i], 1e-14);
  EXPECT_EQ(to[0].out, std::vector<double>(to[0].out.size()));
  EXPECT_THROW(attn::spans::merge_backward<double>(sizes, parts, all, {}, {}), attn::Error);
  EXPECT_THROW(attn::spans::merge<double>(sizes, {}, all), attn::Error);
}

TEST(Span, PoolsBags) {
  const std::vector<int64_t> offsets = {0, 2, 2, 3};
  const std::vector<double> scores = {0, std::log(3.0), 5}, values = {1, 2, 9}, ones(3, 1);
  std::vector<double> out(3), lse(3), tail(3), entropy(3), dscores(3), dvalues(3);
  const attn::spans::Bags<double> bags{
      .d = 1, .offsets = offsets, .scores = scores, .values = values};
  const attn::spans::Pooled<double> pooled{out, lse, tail, entropy};
  attn::spans::pool<double>(bags, pooled);
  EXPECT_NEAR(out[0], 1.75, 1e-15);
  EXPECT_NEAR(entropy[0], 0.25 * std::log(4.0) + 0.75 * std::log(4.0 / 3), 1e-15);
  EXPECT_EQ(out[1], 0);
  EXPECT_EQ(lse[1], -INFINITY);
  EXPECT_NEAR(lse[2], 5, 1e-15);
  attn::spans::pool_backward<double>(bags, pooled, {.dout = ones}, dscores, dvalues);
  EXPECT_NEAR(dscores[0], 0.25 * (1 - 1.75), 1e-15);
  EXPECT_NEAR(dvalues[1], 0.75, 1e-15);
  EXPECT_THROW(attn::spans::pool<double>({.d = 1, .scores = scores, .values = values}, pooled),
               attn::Error);
  EXPECT_THROW(attn::spans::pool<double>(
                   {.d = 2, .offsets = offsets, .scores = scores, .values = values}, pooled),
               attn::Error);
}

TEST(Span, EverySizeIsChecked) {
  using Double = Call<double>;
  const std::vector<double> wrong(1000);
  std::vector<double> wrong_out(1000);
  const std::vector<uint8_t> wrong_mask(3, 1);
  const std::vector<int64_t> wrong_offsets = {0, 1};
  const std::vector<std::pair<const char*, std::function<void(Double&)>>> cases = {
      {"q has 1000 elements; expected 1080", [&](auto& a) { a.in.q = wrong; }},
      {"q has 0 elements", [&](auto& a) { a.in.q = {}; }},
      {"k has 1000 elements", [&](auto& a) { a.in.k = wrong; }},
      {"v has 1000 elements", [&](auto& a) { a.in.v = wrong; }},
      {"bias has 1000 elements; expected 3120 or 390", [&](auto& a) { a.in.bias = wrong; }},
      {"slopes has 1000 elements; expected 8 or 4", [&](auto& a) { a.in.slopes = wrong; }},
      {"sink has 1000 elements", [&](auto& a) { a.in.sink = wrong; }},
      {"key_mask has 3 elements; expected 52", [&](auto& a) { a.in.key_mask = wrong_mask; }},
      {"q_offsets has 2 elements; expected batch + 1 = 3",
       [&](auto& a) { a.in.q_offsets = wrong_offsets; }},
      {"out has 1000 elements", [&](auto& a) { a.out.out = wrong_out, a.saved.out = wrong; }},
      {"lse has 1000 elements", [&](auto& a) { a.out.lse = wrong_out, a.saved.lse = wrong; }},
      {"lse_tail has 1000", [&](auto& a) { a.out.lse_tail = wrong_out, a.saved.lse_tail = wrong; }},
      {"entropy has 1000", [&](auto& a) { a.out.entropy = wrong_out, a.saved.entropy = wrong; }},
      {"q: a size is -1", [&](auto& a) { a.sizes.nq = -1; }},
      {"q: its sizes are larger than any array",
       [&](auto& a) { a.sizes.nq = INT64_MAX, a.sizes.d = INT64_MAX; }},
      {"scale is nan", [&](auto& a) { a.options.scale = NAN; }},
      {"kv_heads is 3, which does not divide",
       [&](auto& a) {
         a.sizes.kv_heads = 3, a.in.k = a.in.v = {}, a.sizes.nk = 0, a.in.bias = {},
         a.in.key_mask = {}, a.from.dcolumn_mass = {}, a.out.column_mass = {}, a.to = {};
       }},
  };
  const auto call = [] { return Double{attn::test::case_with<double>(2047, 15, 26, 1)}; };
  for (const auto& [message, make] : cases) {
    for (const bool back : {false, true}) {
      Double a = call();
      make(a);
      try {
        back ? a.backward() : a.forward();
        ADD_FAILURE() << "no error: " << message;
      } catch (const attn::Error& error) {
        EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
            << "expected \"" << message << "\", found \"" << error.what() << "\"";
      }
    }
  }
  const std::vector<std::pair<const char*, std::function<void(Double&)>>> gradients = {
      {"dout has 1000", [&](auto& a) { a.from.dout = wrong; }},
      {"dlse has 1000", [&](auto& a) { a.from.dlse = wrong; }},
      {"dentropy has 1000", [&](auto& a) { a.from.dentropy = wrong; }},
      {"dcolumn_mass has 1000", [&](auto& a) { a.from.dcolumn_mass = wrong; }},
      {"dq has 1000", [&](auto& a) { a.to.dq = wrong_out; }},
      {"dk has 1000", [&](auto& a) { a.to.dk = wrong_out; }},
      {"dv has 1000", [&](auto& a) { a.to.dv = wrong_out; }},
      {"dbias has 1000", [&](auto& a) { a.to.dbias = wrong_out; }},
      {"dslopes has 1000", [&](auto& a) { a.to.dslopes = wrong_out; }},
      {"dsink has 1000", [&](auto& a) { a.to.dsink = wrong_out; }},
      {"dbias is wanted and bias is empty", [&](auto& a) { a.in.bias = {}; }},
      {"lse has NULL data", [&](auto& a) { a.saved.lse = {}; }},
  };
  for (const auto& [message, make] : gradients) {
    Double a = call();
    a.r.dbias.assign(a.r.dbias.size(), 7);
    make(a);
    try {
      a.backward();
      ADD_FAILURE() << "no error: " << message;
    } catch (const attn::Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos)
          << "expected \"" << message << "\", found \"" << error.what() << "\"";
    }
    EXPECT_EQ(a.r.dbias, std::vector<double>(a.r.dbias.size(), 7)) << message;
  }
}

}  // namespace
