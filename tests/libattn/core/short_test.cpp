// Short packed sequences with narrow heads, which go through kernels of their own: beside the
// general ones, which a wish for blocks of keys brings back, on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "attn/core.h"
#include "tests/support/every_target.h"

namespace attn::core {
namespace {

/// Packed sequences of lengths that fill lanes, share them and leave some empty.
template <class T>
struct Problem {
  int64_t heads = 2, d = 4;
  std::vector<int64_t> q_offsets, k_offsets;
  std::vector<T> q, k, v, dout, dentropy, dlse;
  AttentionInput<T> in;

  Problem(int64_t width, bool causal, double size, uint64_t seed) : d(width) {
    q_offsets = {0}, k_offsets = {0};
    for (const int64_t n : {3, 0, 40, 1, 17, 2, 2, 5}) q_offsets.push_back(q_offsets.back() + n);
    for (const int64_t n : {7, 2, 33, 0, 17, 9, 1, 70}) k_offsets.push_back(k_offsets.back() + n);
    std::mt19937_64 random(seed);
    const auto fill = [&](std::vector<T>& x, int64_t count, double by) {
      std::normal_distribution<double> draw(0, by);
      x.resize(static_cast<size_t>(count));
      for (T& each : x) each = static_cast<T>(draw(random));
    };
    const int64_t nq = q_offsets.back(), nk = k_offsets.back();
    fill(q, nq * heads * d, size), fill(k, nk * heads * d, size), fill(v, nk * heads * d, 1);
    fill(dout, nq * heads * d, 1), fill(dentropy, nq * heads, 1), fill(dlse, nq * heads, 1);
    in.batch = static_cast<int64_t>(q_offsets.size()) - 1, in.heads = heads;
    in.nq = nq, in.nk = nk, in.d = in.dv = d;
    in.q_offsets = q_offsets.data(), in.k_offsets = k_offsets.data();
    in.scale = 1 / std::sqrt(static_cast<double>(d));
    if (causal) in.causal = Causal::bottom_right;
    in.q = {q.data(), 0, d, heads * d};
    in.k = {k.data(), 0, d, heads * d};
    in.v = {v.data(), 0, d, heads * d};
  }
};

/// All results of one problem, one after another.
template <class T>
std::vector<std::vector<T>> results(const Problem<T>& p, int64_t key_block) {
  const auto rows = [&](int64_t n, int64_t columns) {
    return std::vector<T>(static_cast<size_t>(n * p.heads * columns), T(77));
  };
  std::vector<std::vector<T>> all = {rows(p.in.nq, p.d), rows(p.in.nq, 1),   rows(p.in.nq, 1),
                                     rows(p.in.nq, 1),   rows(p.in.nq, p.d), rows(p.in.nk, p.d),
                                     rows(p.in.nk, p.d)};
  AttentionInput<T> in = p.in;
  in.key_block = key_block;
  const auto wide = [&](std::vector<T>& x) { return View<T>{x.data(), 0, p.d, p.heads * p.d}; };
  const auto thin = [&](std::vector<T>& x) { return View<T>{x.data(), 0, 1, p.heads}; };
  AttentionOutput<T> out;
  out.out = wide(all[0]), out.lse = thin(all[1]), out.lse_tail = thin(all[2]);
  out.entropy = thin(all[3]);
  attention_forward(in, out, {});
  AttentionGradient<T> g;
  g.dout = {p.dout.data(), 0, p.d, p.heads * p.d};
  g.dentropy = {p.dentropy.data(), 0, 1, p.heads};
  g.dlse = {p.dlse.data(), 0, 1, p.heads};
  g.dq = wide(all[4]), g.dk = wide(all[5]), g.dv = wide(all[6]);
  attention_backward(in, out, g, {});
  return all;
}

/// Equal to `tolerance` of the greatest of each result, -inf to -inf.
template <class T>
void expect_alike(const Problem<T>& p, double tolerance) {
  const auto found = results(p, 0), expected = results(p, 64);
  for (size_t i = 0; i < found.size(); ++i) {
    if (i == 2) continue;  // rounding itself
    double greatest = 1;
    for (const T x : expected[i])
      if (std::isfinite(x)) greatest = std::max(greatest, std::abs(static_cast<double>(x)));
    for (size_t n = 0; n < found[i].size(); ++n) {
      if (found[i][n] == expected[i][n]) continue;
      ASSERT_LE(std::abs(static_cast<double>(found[i][n]) - static_cast<double>(expected[i][n])),
                tolerance * greatest)
          << "result " << i << ", number " << n << ", d " << p.d;
    }
  }
}

TEST(ShortSequences, AreAsTheGeneralKernels) {
  attn::test::with_every_target([] {
    for (const int64_t d : {1, 2, 3, 4, 5, 7, 8}) {
      for (const bool causal : {false, true}) {
        expect_alike(Problem<float>(d, causal, 1, 3), 3e-6);
        expect_alike(Problem<double>(d, causal, 1, 4), 1e-13);
      }
    }
  });
}

TEST(ShortSequences, LargeLogitsKeepTheirGradients) {
  // Scores of 1e5 and more, of scales that are no power of two: weights that are computed again
  // hold only where scores are the same to the bit.
  attn::test::with_every_target([] {
    for (const int64_t d : {1, 3, 8}) expect_alike(Problem<float>(d, true, 500, 5), 1e-5);
  });
}

TEST(ShortSequences, DifferencesOutOfRangeLeaveTheEntropyFinite) {
  Problem<float> p(8, false, 1, 6);
  std::fill(p.q.begin(), p.q.end(), 1e19F);
  for (size_t i = 0; i < p.k.size(); ++i) p.k[i] = i / 16 % 2 == 0 ? 7e18F : -7e18F;
  attn::test::with_every_target([&] {
    const auto all = results(p, 0);
    for (const float h : all[3]) EXPECT_TRUE(std::isfinite(h)) << h;
  });
}

}  // namespace
}  // namespace attn::core
