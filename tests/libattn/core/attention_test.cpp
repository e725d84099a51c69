// The attention kernels on every SIMD target, against fp64 written from the equations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "attn/core.h"
#include "attn/error.h"
#include "tests/libattn/core/option_cases.h"
#include "tests/libattn/core/reference.h"

namespace {

using attn::core::Causal;
using attn::test::AttentionCase;
using attn::test::AttentionValues;
using attn::test::case_with;
using attn::test::difference;
using attn::test::kAll;
using attn::test::kWindow;
using attn::test::reference;
using attn::test::run_kernel;

/// Runs each test on one SIMD target.
class OnTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    attn::core::force_simd_target(GetParam());
    ASSERT_EQ(attn::core::simd_target(), GetParam());
  }
  void TearDown() override { attn::core::force_simd_target(""); }
};

template <class T>
void expect_equal_to_reference(const AttentionCase<T>& c, double tolerance,
                               const std::string& what) {
  const AttentionValues<T> ours = run_kernel(c);
  const AttentionValues<double> exact = reference(c);
  EXPECT_LE(difference(ours.out, exact.out), tolerance) << what << ": out";
  EXPECT_LE(difference(ours.lse, exact.lse), tolerance) << what << ": lse";
  EXPECT_LE(difference(ours.entropy, exact.entropy), tolerance) << what << ": entropy";
  EXPECT_LE(difference(ours.dq, exact.dq), tolerance) << what << ": dq";
  EXPECT_LE(difference(ours.dk, exact.dk), tolerance) << what << ": dk";
  EXPECT_LE(difference(ours.dv, exact.dv), tolerance) << what << ": dv";
  EXPECT_LE(difference(ours.dbias, exact.dbias), tolerance) << what << ": dbias";
  EXPECT_LE(difference(ours.row_max, exact.row_max), tolerance) << what << ": row_max";
  EXPECT_LE(difference(ours.mass, exact.mass), tolerance) << what << ": mass";
  EXPECT_LE(difference(ours.dslope, exact.dslope), tolerance) << what << ": dslope";
  EXPECT_LE(difference(ours.dsink, exact.dsink), tolerance) << what << ": dsink";
}

template <class T>
void expect_sweep(double tolerance) {
  // (B, H, Nq, Nk, D, Dv): one, primes, around the widths of every tile, longer and shorter keys,
  // odd widths.
  const int64_t shapes[][6] = {
      {1, 1, 1, 1, 1, 1},     {1, 2, 3, 7, 5, 2},     {2, 1, 17, 31, 3, 19},
      {1, 1, 64, 64, 64, 64}, {1, 2, 65, 63, 16, 48}, {1, 1, 127, 129, 33, 7},
      {1, 1, 5, 200, 8, 130}, {1, 1, 200, 5, 97, 64}, {1, 1, 130, 257, 12, 36}};
  uint64_t seed = 1;
  for (const auto& s : shapes) {
    for (const Causal causal : {Causal::none, Causal::top_left, Causal::bottom_right}) {
      for (const int extra : {0, 1, 2, 3}) {  // bit 0: bias, bit 1: key mask
        AttentionCase<T> c(s[0], s[1], s[2], s[3], s[4], s[5]);
        c.fill(++seed);
        c.causal = causal;
        std::mt19937_64 random(seed);
        if ((extra & 1) != 0) {
          std::normal_distribution<double> normal;
          c.bias.resize(size_t(c.b * c.h * c.nq * c.nk));
          for (T& x : c.bias)
            x = random() % 11 == 0 ? -std::numeric_limits<T>::infinity() : T(normal(random));
        }
        if ((extra & 2) != 0) {
          c.mask.resize(size_t(c.b * c.nk));
          for (uint8_t& x : c.mask) x = random() % 3 != 0;
        }
        expect_equal_to_reference(c, tolerance,
                                  testing::PrintToString(std::vector<int64_t>(s, s + 6)) +
                                      " causal " + std::to_string(static_cast<int>(causal)) +
                                      " extra " + std::to_string(extra));
      }
    }
  }
}

TEST_P(OnTarget, Fp64EqualsTheEquations) {
  expect_sweep<double>(1e-13);
}

TEST_P(OnTarget, Fp32EqualsTheEquations) {
  expect_sweep<float>(4e-6);
}

TEST_P(OnTarget, EveryPairOfOptionsEqualsTheEquations) {
  uint64_t seed = 100;
  for (const auto& [nq, nk] : {std::pair<int64_t, int64_t>{37, 150}, {150, 37}, {3, 70}}) {
    for (unsigned one = 1; one < kAll; one *= 2) {
      for (unsigned other = one; other < kAll; other *= 2) {
        const auto c = case_with<double>(one | other, nq, nk, ++seed);
        expect_equal_to_reference(
            c, 2e-13, "options " + std::to_string(one | other) + " nq " + std::to_string(nq));
      }
    }
  }
}

/// Heads of half a vector and less, whose sums lie turned.
template <class T>
void expect_narrow_heads(double tolerance) {
  uint64_t seed = 900;
  for (const auto& [d, dv] : {std::pair<int64_t, int64_t>{8, 8}, {4, 3}, {1, 2}, {2, 1}, {9, 4}}) {
    for (const auto& [nq, nk] : {std::pair<int64_t, int64_t>{37, 150}, {70, 66}, {3, 1}}) {
      for (unsigned one = 1; one < kAll; one *= 2)
        expect_equal_to_reference(
            case_with<T>(one, nq, nk, ++seed, d, dv), tolerance,
            testing::PrintToString(std::vector<int64_t>{d, dv, nq, nk}) + std::to_string(one));
      expect_equal_to_reference(case_with<T>(kAll - 1, nq, nk, ++seed, d, dv), tolerance, "all");
    }
  }
}

TEST_P(OnTarget, NarrowHeadsEqualTheEquations) {
  expect_narrow_heads<double>(2e-13);
  expect_narrow_heads<float>(6e-6);
}

TEST_P(OnTarget, AllOptionsTogetherEqualTheEquations) {
  for (const auto& [nq, nk] : {std::pair<int64_t, int64_t>{37, 150}, {600, 80}, {1, 1}}) {
    expect_equal_to_reference(case_with<double>(kAll - 1, nq, nk, 7), 2e-13, "all, fp64");
    expect_equal_to_reference(case_with<float>(kAll - 1, nq, nk, 7), 6e-6, "all, fp32");
    expect_equal_to_reference(case_with<double>((kAll - 1) & ~unsigned(kWindow), nq, nk, 8), 2e-13,
                              "all but the window");
  }
}

/// Logits that fp32 holds exactly, at any offset: coordinate 0 of q is the offset and of k one; the
/// others are multiples of 1/4 in [-1, 1], so every partial sum of the dot product is a multiple of
/// 1/16 below 2^15.
AttentionCase<float> exact_logits(double offset, int spread) {
  AttentionCase<float> c(1, 1, 64, 512, 64, 16);
  c.fill(5);
  c.scale = 1;
  std::mt19937_64 random(11);
  for (size_t i = 0; i < c.q.size(); ++i) c.q[i] = float(int(random() % 9) - 4) / 4 * float(spread);
  for (size_t i = 0; i < c.k.size(); ++i) c.k[i] = float(int(random() % 9) - 4) / 4;
  for (int64_t i = 0; i < c.nq; ++i) c.q[size_t(i * c.d)] = float(offset);
  for (int64_t j = 0; j < c.nk; ++j) c.k[size_t(j * c.d)] = 1;
  return c;
}

TEST_P(OnTarget, Fp32EntropyKeepsItsAccuracyAtLargeLogits) {
  for (const double offset : {0.0, 100.0, 1000.0, 10000.0}) {
    for (const int spread : {0, 1, 4}) {
      const AttentionCase<float> c = exact_logits(offset, spread);
      const AttentionValues<float> ours = run_kernel(c);
      const AttentionValues<double> exact = reference(c);
      double worst = 0;
      for (size_t i = 0; i < exact.entropy.size(); ++i) {
        worst = std::max(worst, std::abs(double(ours.entropy[i]) - exact.entropy[i]));
      }
      EXPECT_LE(worst, 3e-6) << "offset " << offset << " spread " << spread;
      // The weights are computed again from LSE in two parts: the gradients do not feel the offset
      // either.
      EXPECT_LE(difference(ours.dv, exact.dv), 4e-6) << "offset " << offset << " spread " << spread;
      // dq is a sum over all keys, whose coordinate 0 is one: bounded by the size of its terms.
      EXPECT_LE(difference(ours.dq, exact.dq), 2e-5) << "offset " << offset << " spread " << spread;
    }
  }
}

TEST_P(OnTarget, HugeLogitsStayFiniteAndEntropyIsNeverNegative) {
  for (const double factor : {1.0, 100.0, 1e4, 1e8, 1e18, 1e32, 1e37}) {
    AttentionCase<float> c(1, 1, 70, 90, 24, 8);
    c.fill(3, factor);
    const AttentionValues<float> r = run_kernel(c);
    for (const auto* values : {&r.out, &r.lse, &r.entropy, &r.dv, &r.dq, &r.dk}) {
      if (factor > 1e18 && values == &r.dk) break;  // dk is a sum of queries near the type's limit
      for (const float x : *values) ASSERT_TRUE(std::isfinite(x)) << factor;
    }
    for (const float x : r.entropy) {
      ASSERT_GE(x, 0) << factor;
      ASSERT_LE(x, std::log(90.0f) * 1.000001f) << factor;
    }
  }
}

TEST_P(OnTarget, Fp32EntropyKeepsItsAccuracyOverLongRows) {
  AttentionCase<float> c(1, 1, 16, 200000, 4, 1);
  c.fill(12);
  c.scale = 1;
  std::mt19937_64 random(13);  // multiples of 1/4 and 1/8: logits are exact
  for (float& x : c.q) x = float(int(random() % 9) - 4) / 4;
  for (float& x : c.k) x = float(int(random() % 17) - 8) / 8;
  const AttentionValues<float> ours = run_kernel(c);
  for (int64_t i = 0; i < c.nq; ++i) {
    const std::vector<double> s = attn::test::reference_logits(c, 0, 0, i).s;
    const double top = *std::max_element(s.begin(), s.end());
    double l = 0, t = 0;
    for (const double x : s) l += std::exp(x - top), t += std::exp(x - top) * (x - top);
    EXPECT_NEAR(ours.entropy[size_t(i)], std::log(l) - t / l, 3e-6) << i;
  }
}

/// So many queries and keys that several blocks of queries go through the keys together, more
/// queries than keys.
TEST_P(OnTarget, BlocksTogetherEqualTheEquations) {
  AttentionCase<double> c(1, 1, 4200, 4096, 4, 4);
  c.fill(21);
  expect_equal_to_reference(c, 2e-12, "all keys");
  c.causal = Causal::top_left;
  expect_equal_to_reference(c, 2e-12, "causal, top left");
  c.causal = Causal::bottom_right;
  expect_equal_to_reference(c, 2e-12, "causal, bottom right");
  c.causal = Causal::none, c.window_left = 300, c.window_right = 70;
  expect_equal_to_reference(c, 2e-12, "window, bottom right");
  c.align = attn::core::Align::top_left;
  expect_equal_to_reference(c, 2e-12, "window, top left");
}

TEST_P(OnTarget, AMaskOfVeryLowLogitsIsAMask) {
  // The lowest number of the type as an additive mask, over less, exactly and more than a block.
  for (const int64_t hidden : {1, 63, 64, 65, 128, 200}) {
    AttentionCase<float> c(1, 1, 20, 260, 8, 8);
    c.fill(14);
    c.bias.assign(size_t(c.nq * c.nk), 0);
    AttentionCase<float> by_infinity = c;
    for (int64_t i = 0; i < c.nq; ++i) {
      std::fill_n(c.bias.begin() + i * c.nk, hidden, std::numeric_limits<float>::lowest());
      std::fill_n(by_infinity.bias.begin() + i * c.nk, hidden,
                  -std::numeric_limits<float>::infinity());
    }
    const AttentionValues<float> ours = run_kernel(c);
    const AttentionValues<double> exact = reference(by_infinity);
    EXPECT_LE(difference(ours.entropy, exact.entropy), 4e-6) << hidden;
    EXPECT_LE(difference(ours.out, exact.out), 4e-6) << hidden;
    EXPECT_LE(difference(ours.dq, exact.dq), 4e-6) << hidden;
    EXPECT_LE(difference(ours.dk, exact.dk), 4e-6) << hidden;
    EXPECT_LE(difference(ours.dv, exact.dv), 4e-6) << hidden;
  }
}

TEST_P(OnTarget, RowsWithoutKeysAreZeroWithoutGradient) {
  AttentionCase<float> c(2, 1, 40, 20, 8, 8);
  c.fill(4);
  c.causal = Causal::bottom_right;  // the first 20 queries see nothing
  c.mask.assign(40, 1);
  std::fill(c.mask.begin() + 20, c.mask.end(), uint8_t{0});  // nor does anyone in batch 1
  const AttentionValues<float> r = run_kernel(c);
  for (int64_t row = 0; row < 80; ++row) {
    if (row >= 20 && row < 40) continue;
    EXPECT_EQ(r.lse[size_t(row)], -std::numeric_limits<float>::infinity());
    EXPECT_EQ(r.entropy[size_t(row)], 0);
    for (int64_t x = 0; x < 8; ++x) {
      EXPECT_EQ(r.out[size_t(row * 8 + x)], 0);
      EXPECT_EQ(r.dq[size_t(row * 8 + x)], 0);
    }
  }
  for (size_t i = 20 * 8; i < r.dk.size(); ++i) {
    EXPECT_EQ(r.dk[i], 0);
    EXPECT_EQ(r.dv[i], 0);
  }
  expect_equal_to_reference(c, 4e-6, "half dead");
}

TEST_P(OnTarget, EmptySizes) {
  for (const auto& s :
       std::vector<std::vector<int64_t>>{{0, 1, 3, 3}, {1, 0, 3, 3}, {1, 1, 0, 3}, {1, 2, 3, 0}}) {
    AttentionCase<double> c(s[0], s[1], s[2], s[3], 4, 4);
    c.fill(1);
    expect_equal_to_reference(c, 1e-13, testing::PrintToString(s));
  }
}

TEST_P(OnTarget, NanInGivesNanOut) {
  AttentionCase<float> c(1, 1, 33, 40, 8, 8);
  c.fill(6);
  c.q[5 * 8 + 2] = NAN;
  AttentionValues<float> r = run_kernel(c);
  EXPECT_TRUE(std::isnan(r.out[5 * 8]) && std::isnan(r.lse[5]) && std::isnan(r.entropy[5]) &&
              std::isnan(r.dq[5 * 8]));
  EXPECT_TRUE(std::isfinite(r.out[4 * 8]) && std::isfinite(r.lse[6]) && std::isfinite(r.dq[6 * 8]));
  c.fill(6);
  c.k[7 * 8] = NAN;
  r = run_kernel(c);
  for (int64_t i = 0; i < 33; ++i)
    EXPECT_TRUE(std::isnan(r.lse[size_t(i)]) && std::isnan(r.entropy[size_t(i)]));
  c.fill(6);
  c.v[7 * 8 + 3] = NAN;
  r = run_kernel(c);
  EXPECT_TRUE(std::isnan(r.out[3]) && std::isfinite(r.out[2]) && std::isfinite(r.entropy[0]));
}

template <class T>
bool same_bits(const AttentionValues<T>& a, const AttentionValues<T>& b) {
  return a.out == b.out && a.lse == b.lse && a.entropy == b.entropy && a.dq == b.dq &&
         a.dk == b.dk && a.dv == b.dv && a.dbias == b.dbias;
}

TEST_P(OnTarget, TheNumberOfThreadsChangesNoBit) {
  for (const Causal causal : {Causal::none, Causal::bottom_right}) {
    AttentionCase<float> c(1, 2, 1100, 300, 20, 12);
    c.fill(8);
    c.causal = causal;
    const AttentionValues<float> one = run_kernel(c, 1);
    EXPECT_TRUE(same_bits(one, run_kernel(c, 2)));
    EXPECT_TRUE(same_bits(one, run_kernel(c, 5)));
    EXPECT_LE(difference(one.dk, reference(c).dk), 4e-6);  // 1100 queries are four chunks, merged
  }
}

TEST_P(OnTarget, KeyBlocksOnlyRound) {
  AttentionCase<double> c(1, 1, 50, 301, 16, 16);
  c.fill(9, 3);
  c.causal = Causal::bottom_right;
  const AttentionValues<double> exact = reference(c);
  for (const int64_t block : {1, 2, 5, 6, 7, 64, 100, 301, 1000}) {
    const AttentionValues<double> r = run_kernel(c, 1, block);
    EXPECT_LE(difference(r.out, exact.out), 1e-14) << block;
    EXPECT_LE(difference(r.entropy, exact.entropy), 1e-13) << block;
    EXPECT_LE(difference(r.dq, exact.dq), 1e-14) << block;
    EXPECT_LE(difference(r.dk, exact.dk), 1e-14) << block;
    EXPECT_LE(difference(r.dv, exact.dv), 1e-14) << block;
  }
}

TEST_P(OnTarget, BiasGradientSumsOverBroadcastDimensions) {
  AttentionCase<double> c(2, 3, 20, 30, 6, 6);
  c.fill(10);
  std::vector<double> shared(20 * 30);
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  for (double& x : shared) x = normal(random);
  for (int i = 0; i < 6; ++i) c.bias.insert(c.bias.end(), shared.begin(), shared.end());
  const AttentionValues<double> exact = reference(c);
  AttentionValues<double> r = run_kernel(c);
  attn::core::AttentionInput<double> in = attn::test::input_of(c);
  in.bias = {shared.data(), 0, 0, 30, 1};
  const attn::core::AttentionOutput<double> saved = attn::test::output_of(c, r);
  for (const bool by_query : {true, false}) {
    attn::core::AttentionGradient<double> g = attn::test::gradient_of(c, r);
    g.dq = g.dk = g.dv = {};
    std::vector<double> found(by_query ? 20 * 30 : 30), wanted(found.size());
    g.dbias = {found.data(), 0, 0, by_query ? 30 : 0, 1};
    attn::core::Parallel parallel;
    parallel.threads = 2;
    attn::core::attention_backward(in, saved, g, parallel);  // dq, dk, dv not wanted
    for (size_t i = 0; i < exact.dbias.size(); ++i) wanted[i % wanted.size()] += exact.dbias[i];
    EXPECT_LE(difference(found, wanted), 1e-13) << by_query;
  }
}

INSTANTIATE_TEST_SUITE_P(Simd, OnTarget, testing::ValuesIn(attn::core::simd_targets()),
                         [](const auto& target) { return target.param; });

TEST(SimdTarget, BestIsChosenAndOthersCanBeForced) {
  const std::vector<std::string> targets = attn::core::simd_targets();
  ASSERT_FALSE(targets.empty());
  EXPECT_EQ(attn::core::simd_target(), targets.front());
  attn::core::force_simd_target(targets.back());
  EXPECT_EQ(attn::core::simd_target(), targets.back());
  attn::core::force_simd_target("");
  EXPECT_EQ(attn::core::simd_target(), targets.front());
  EXPECT_THROW(attn::core::force_simd_target("MMX"), attn::Error);
}

}  // namespace
