// The linear-attention kernels on every SIMD target, against fp64 written token by token from the
// equations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "attn/linear_core.h"
#include "tests/libattn/core/linear_reference.h"

namespace {

using attn::core::Decay;
using attn::core::FeatureMap;
using attn::test::fill;
using attn::test::linear_reference;
using attn::test::LinearCase;
using attn::test::LinearValues;
using attn::test::run_linear;
using attn::test::share_of_largest;

constexpr FeatureMap kMaps[] = {FeatureMap::identity,    FeatureMap::elu,      FeatureMap::relu,
                                FeatureMap::exponential, FeatureMap::hedgehog, FeatureMap::taylor};
constexpr Decay kDecays[] = {Decay::none, Decay::token, Decay::feature};

/// Runs each test on one SIMD target.
class LinearOnTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    attn::core::force_simd_target(GetParam());
    ASSERT_EQ(attn::core::simd_target(), GetParam());
  }
  void TearDown() override { attn::core::force_simd_target(""); }
};

template <class T, class U>
void expect_same(const LinearValues<T>& ours, const LinearValues<U>& exact, double tolerance,
                 const std::string& what) {
  EXPECT_LE(share_of_largest(ours.out, exact.out), tolerance) << what << ": out";
  EXPECT_LE(share_of_largest(ours.last, exact.last), tolerance) << what << ": state";
  EXPECT_LE(share_of_largest(ours.last_norm, exact.last_norm), tolerance) << what << ": norm";
  EXPECT_LE(share_of_largest(ours.dq, exact.dq), tolerance) << what << ": dq";
  EXPECT_LE(share_of_largest(ours.dk, exact.dk), tolerance) << what << ": dk";
  EXPECT_LE(share_of_largest(ours.dv, exact.dv), tolerance) << what << ": dv";
  EXPECT_LE(share_of_largest(ours.dlog, exact.dlog), tolerance) << what << ": dlog";
  EXPECT_LE(share_of_largest(ours.dstate, exact.dstate), tolerance) << what << ": dstate";
  EXPECT_LE(share_of_largest(ours.dnorm, exact.dnorm), tolerance) << what << ": dnorm";
}

std::string name_of(FeatureMap map, Decay decay, bool normalise, bool causal) {
  return "map " + std::to_string(static_cast<int>(map)) + " decay " +
         std::to_string(static_cast<int>(decay)) + (normalise ? " normalised" : "") +
         (causal ? " causal" : "");
}

/// f(map, decay, normalise, causal, name) for every combination that there is.
template <class F>
void each_kind(const F& f) {
  for (const FeatureMap map : kMaps) {
    for (const Decay decay : kDecays) {
      for (const bool normalise : {false, true}) {
        for (const bool causal : {true, false}) {
          if (causal || decay == Decay::none)
            f(map, decay, normalise, causal, name_of(map, decay, normalise, causal));
        }
      }
    }
  }
}

template <class T>
LinearCase<T> case_of(FeatureMap map, Decay decay, bool normalise, bool causal) {
  LinearCase<T> c;
  c.map = map, c.decay = decay, c.normalise = normalise, c.causal = causal;
  return c;
}

template <class T>
void expect_sweep(double tolerance) {
  // (B, H, N, D, Dv): one, primes, around the widths of tiles and chunks; none at all.
  const int64_t shapes[][5] = {{1, 1, 1, 1, 1},    {2, 2, 37, 5, 3},    {1, 2, 101, 8, 17},
                               {1, 1, 48, 16, 16}, {1, 1, 130, 11, 33}, {1, 2, 0, 3, 2},
                               {1, 1, 7, 4, 0}};
  uint64_t seed = 1;
  each_kind([&](FeatureMap map, Decay decay, bool normalise, bool causal, const std::string& kind) {
    for (const auto& s : shapes) {
      auto c = case_of<T>(map, decay, normalise, causal);
      c.b = s[0], c.h = s[1], c.g = s[1], c.nq = c.nk = s[2], c.d = s[3], c.dv = s[4];
      if (!causal) c.nq = s[2] / 2 + 1;
      fill(c, ++seed);
      expect_same(run_linear(c), linear_reference(c), tolerance,
                  kind + " " + testing::PrintToString(std::vector<int64_t>(s, s + 5)));
    }
  });
}

TEST_P(LinearOnTarget, Fp64EqualsTheRecurrence) {
  expect_sweep<double>(1e-12);
}

TEST_P(LinearOnTarget, Fp32EqualsTheRecurrence) {
  expect_sweep<float>(2e-5);
}

TEST_P(LinearOnTarget, QueryHeadsShareKeyHeads) {
  for (const bool causal : {true, false}) {
    auto c = case_of<double>(FeatureMap::elu, Decay::none, true, causal);
    c.b = 2, c.h = 6, c.g = 2, c.nq = c.nk = 53, c.d = 6, c.dv = 10;
    fill(c, 7);
    expect_same(run_linear(c), linear_reference(c), 1e-12, causal ? "causal" : "all keys");
  }
}

TEST_P(LinearOnTarget, AnyChunkGivesTheSame) {
  each_kind([&](FeatureMap map, Decay decay, bool normalise, bool causal, const std::string& kind) {
    auto c = case_of<double>(map, decay, normalise, causal);
    c.nq = c.nk = 71, c.d = 5, c.dv = 6;
    fill(c, 11);
    c.chunk = 1;
    const auto token_by_token = run_linear(c);
    for (const int64_t chunk : {2, 7, 13, 32, 71, 100}) {
      c.chunk = chunk;
      expect_same(run_linear(c), token_by_token, 1e-12, kind + " chunk " + std::to_string(chunk));
    }
  });
}

/// Long enough for segments that run side by side, and for the states kept for the decay.
TEST_P(LinearOnTarget, SegmentsEqualTheRecurrence) {
  each_kind([&](FeatureMap map, Decay decay, bool normalise, bool causal, const std::string& kind) {
    if (map != FeatureMap::identity && map != FeatureMap::taylor) return;
    auto c = case_of<double>(map, decay, normalise, causal);
    c.nq = c.nk = 4099, c.d = 3, c.dv = 4;
    if (!causal) c.nq = 2500;
    fill(c, 13, 0.01);
    const auto one = run_linear(c);
    expect_same(one, linear_reference(c), 1e-11, kind);
    c.threads = 2;
    const auto two = run_linear(c);
    EXPECT_EQ(one.out, two.out) << kind;
    EXPECT_EQ(one.dq, two.dq) << kind;
    EXPECT_EQ(one.dk, two.dk) << kind;
    EXPECT_EQ(one.dv, two.dv) << kind;
    EXPECT_EQ(one.dlog, two.dlog) << kind;
    EXPECT_EQ(one.dstate, two.dstate) << kind;
  });
}

/// log g = -20 a token, and -infinity: nothing overflows, nothing is lost.
TEST_P(LinearOnTarget, StrongDecayEqualsTheRecurrence) {
  for (const Decay decay : {Decay::token, Decay::feature}) {
    for (const bool normalise : {false, true}) {
      auto c = case_of<double>(FeatureMap::elu, decay, normalise, true);
      c.nq = c.nk = 1000, c.d = 5, c.dv = 4;
      fill(c, 17);
      for (size_t i = 0; i < c.log.size(); ++i)
        c.log[i] = i % 7 == 3 ? -0.001 : (i % 97 == 5 ? -INFINITY : -20);
      const std::string what = name_of(c.map, decay, normalise, true);
      expect_same(run_linear(c), linear_reference(c), 1e-12, what);
      LinearCase<float> single;
      single.nq = single.nk = 1000, single.d = 5, single.dv = 4;
      single.map = c.map, single.decay = decay, single.normalise = normalise;
      fill(single, 17);
      for (size_t i = 0; i < c.log.size(); ++i) single.log[i] = static_cast<float>(c.log[i]);
      expect_same(run_linear(single), linear_reference(single), 5e-6, what + " fp32");
    }
  }
}

TEST_P(LinearOnTarget, NoTokenLooksAhead) {
  each_kind([&](FeatureMap map, Decay decay, bool normalise, bool causal, const std::string& kind) {
    if (!causal) return;
    auto c = case_of<float>(map, decay, normalise, causal);
    c.nq = c.nk = 90, c.d = 5, c.dv = 6;
    fill(c, 19);
    const auto before = run_linear(c);
    for (const int64_t edge : {1, 30, 53, 89}) {
      auto moved = c;
      for (int64_t i = edge * c.d; i < c.nk * c.d; ++i) moved.k[size_t(i)] += 1.5F;
      for (int64_t i = edge * c.dv; i < c.nk * c.dv; ++i) moved.v[size_t(i)] -= 2.5F;
      for (int64_t i = edge * c.log_columns(); i < int64_t(c.log.size()); ++i)
        moved.log[size_t(i)] *= 3;
      const auto after = run_linear(moved);
      const auto end = static_cast<std::ptrdiff_t>(edge * c.dv);
      EXPECT_TRUE(std::equal(before.out.begin(), before.out.begin() + end, after.out.begin()))
          << kind << " token " << edge;
      EXPECT_NE(before.out, after.out) << kind;
    }
  });
}

/// fp32 over 16,384 tokens, slowly decaying or not at all: no digits are lost on the way.
TEST_P(LinearOnTarget, Fp32StaysExactOverManyTokens) {
  for (const Decay decay : kDecays) {
    for (const bool normalise : {false, true}) {
      auto c = case_of<float>(FeatureMap::elu, decay, normalise, true);
      c.nq = c.nk = 16384, c.d = 4, c.dv = 3;
      fill(c, 23, 1e-4, false);
      expect_same(run_linear(c), linear_reference(c), 4e-6, name_of(c.map, decay, normalise, true));
    }
  }
}

/// The maximum that is taken out of a query cancels, eps included: queries whose e^q overflows.
TEST_P(LinearOnTarget, NormalisedExponentialsDoNotOverflow) {
  for (const FeatureMap map : {FeatureMap::exponential, FeatureMap::hedgehog}) {
    for (const bool causal : {true, false}) {
      auto c = case_of<float>(map, Decay::none, true, causal);
      c.nq = c.nk = 40, c.d = 5, c.dv = 4;
      fill(c, 29, 0.3, false);
      for (size_t i = 0; i < c.q.size(); ++i) c.q[i] *= i % 3 == 0 ? 300 : 1;
      expect_same(run_linear(c), linear_reference(c), 2e-5,
                  name_of(map, Decay::none, true, causal));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Simd, LinearOnTarget, testing::ValuesIn(attn::core::simd_targets()),
                         [](const auto& target) { return target.param; });

}  // namespace
