// What theory says of attention with entropy, on every SIMD target: equalities that need no other
// implementation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "tests/libattn/core/option_cases.h"

namespace {

using attn::core::Causal;
using attn::test::AttentionCase;
using attn::test::AttentionValues;
using attn::test::difference;
using attn::test::run_kernel;

class Identities : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { attn::core::force_simd_target(GetParam()); }
  void TearDown() override { attn::core::force_simd_target(""); }
};

TEST_P(Identities, EqualLogitsHaveAllTheEntropyAndNoGradientOfIt) {
  for (const int64_t n : {1, 2, 7, 64, 65, 1000}) {
    AttentionCase<double> c(1, 1, 5, n, 6, 3);
    c.fill(1, 0);  // queries of zeros
    c.dout.assign(c.dout.size(), 0), c.dlse.assign(c.dlse.size(), 0);
    const AttentionValues<double> r = run_kernel(c);
    for (const double h : r.entropy) EXPECT_NEAR(h, std::log(double(n)), 1e-14 * double(n)) << n;
    for (const double lse : r.lse) EXPECT_NEAR(lse, std::log(double(n)), 1e-14 * double(n)) << n;
    for (const double dq : r.dq) EXPECT_NEAR(dq, 0, 1e-14) << n;
  }
}

TEST_P(Identities, OneKeyHasNoEntropyAndGivesItsValue) {
  AttentionCase<float> c(2, 2, 9, 1, 8, 5);
  c.fill(2, 100);
  c.dlse.assign(c.dlse.size(), 0);
  const AttentionValues<float> r = run_kernel(c);
  for (const float h : r.entropy) EXPECT_EQ(h, 0);
  for (size_t i = 0; i < r.out.size(); ++i) EXPECT_EQ(r.out[i], c.v[i / 45 * 5 + i % 5]) << i;
  for (const float dq : r.dq) EXPECT_NEAR(dq, 0, 1e-5);
}

TEST_P(Identities, ShiftingEveryLogitShiftsTheLogSumExpAlone) {
  AttentionCase<double> c = attn::test::case_with<double>(attn::test::kBias, 20, 70, 3);
  const AttentionValues<double> before = run_kernel(c);
  for (const double shift : {-1000.0, 3.0, 1000.0}) {
    AttentionCase<double> moved = c;
    for (double& x : moved.bias) x += shift;
    const AttentionValues<double> after = run_kernel(moved);
    EXPECT_LE(difference(after.out, before.out), 1e-12) << shift;
    EXPECT_LE(difference(after.entropy, before.entropy), 1e-12) << shift;
    EXPECT_LE(difference(after.dq, before.dq), 1e-12) << shift;
    EXPECT_LE(difference(after.dbias, before.dbias), 1e-12) << shift;
    for (size_t i = 0; i < before.lse.size(); ++i)
      EXPECT_NEAR(after.lse[i], before.lse[i] + shift, 1e-11) << shift;
  }
}

/// Rows of (heads, rows, columns) in another order.
std::vector<double> reordered(const std::vector<double>& x, const std::vector<size_t>& order,
                              size_t columns) {
  std::vector<double> y(x.size());
  const size_t n = order.size();
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t head = i / columns / n, row = i / columns % n;
    y[i] = x[(head * n + order[row]) * columns + i % columns];
  }
  return y;
}

TEST_P(Identities, OrderOfKeysAndOfQueriesDoesNotMatter) {
  AttentionCase<double> c(1, 2, 33, 90, 10, 4);
  c.fill(4);
  std::vector<size_t> keys(90), queries(33);
  std::iota(keys.begin(), keys.end(), size_t{0});
  std::iota(queries.begin(), queries.end(), size_t{0});
  std::mt19937_64 random(4);
  std::shuffle(keys.begin(), keys.end(), random);
  std::shuffle(queries.begin(), queries.end(), random);
  const AttentionValues<double> before = run_kernel(c);
  AttentionCase<double> p = c;
  p.k = reordered(c.k, keys, 10), p.v = reordered(c.v, keys, 4);
  p.q = reordered(c.q, queries, 10), p.dout = reordered(c.dout, queries, 4);
  p.dlse = reordered(c.dlse, queries, 1), p.dentropy = reordered(c.dentropy, queries, 1);
  const AttentionValues<double> after = run_kernel(p);
  EXPECT_LE(difference(after.out, reordered(before.out, queries, 4)), 1e-13);
  EXPECT_LE(difference(after.entropy, reordered(before.entropy, queries, 1)), 1e-13);
  EXPECT_LE(difference(after.dq, reordered(before.dq, queries, 10)), 1e-13);
  EXPECT_LE(difference(after.dk, reordered(before.dk, keys, 10)), 1e-13);
  EXPECT_LE(difference(after.dv, reordered(before.dv, keys, 4)), 1e-13);
}

TEST_P(Identities, GroupsEqualRepeatedHeads) {
  const AttentionCase<double> c =
      attn::test::case_with<double>(attn::test::kGroups | attn::test::kCausal, 31, 40, 5);
  const AttentionValues<double> grouped = run_kernel(c);
  AttentionCase<double> all = c;
  all.g = c.h;
  const auto repeat = [&](const std::vector<double>& x) {
    std::vector<double> y;
    const int64_t head = int64_t(x.size()) / (c.b * c.g), group = c.h / c.g;
    for (int64_t i = 0; i < c.b * c.h; ++i)
      y.insert(y.end(), x.begin() + i / group * head, x.begin() + (i / group + 1) * head);
    return y;
  };
  all.k = repeat(c.k), all.v = repeat(c.v);
  const AttentionValues<double> repeated = run_kernel(all);
  EXPECT_EQ(grouped.out, repeated.out);
  EXPECT_EQ(grouped.entropy, repeated.entropy);
  EXPECT_EQ(grouped.dq, repeated.dq);
  const int64_t head = int64_t(grouped.dk.size()) / (c.b * c.g), group = c.h / c.g;
  std::vector<double> dk(grouped.dk.size());
  for (size_t i = 0; i < repeated.dk.size(); ++i)
    dk[size_t(int64_t(i) / head / group * head + int64_t(i) % head)] += repeated.dk[i];
  EXPECT_LE(difference(grouped.dk, dk), 1e-13);
}

/// The reference with only some gradients coming in.
void expect_alone(bool out, bool lse, bool entropy) {
  AttentionCase<double> c(1, 2, 30, 75, 9, 6);
  c.fill(6);
  if (!out) c.dout.assign(c.dout.size(), 0);
  if (!lse) c.dlse.assign(c.dlse.size(), 0);
  if (!entropy) c.dentropy.assign(c.dentropy.size(), 0);
  AttentionValues<double> r(c);
  const attn::core::AttentionInput<double> in = attn::test::input_of(c);
  const attn::core::AttentionOutput<double> saved = attn::test::output_of(c, r);
  attn::core::attention_forward(in, saved, {});
  attn::core::AttentionGradient<double> g = attn::test::gradient_of(c, r);
  if (!out) g.dout = {};
  if (!lse) g.dlse = {};
  if (!entropy) g.dentropy = {};
  attn::core::attention_backward(in, saved, g, {});
  const AttentionValues<double> exact = attn::test::reference(c);
  EXPECT_LE(difference(r.dq, exact.dq), 1e-13) << out << lse << entropy;
  EXPECT_LE(difference(r.dk, exact.dk), 1e-13) << out << lse << entropy;
  EXPECT_LE(difference(r.dv, exact.dv), 1e-13) << out << lse << entropy;
}

TEST_P(Identities, EachGradientAloneIsTheOneOfTheEquations) {
  expect_alone(true, false, false);
  expect_alone(false, true, false);
  expect_alone(false, false, true);
  expect_alone(false, false, false);
}

TEST_P(Identities, PackedSequencesEqualEachOnItsOwnBitByBit) {
  const std::vector<int64_t> q_offsets = {0, 0, 13, 70, 71}, k_offsets = {0, 5, 90, 90, 130};
  AttentionCase<float> c(1, 2, 71, 130, 7, 6);
  c.fill(7);
  AttentionValues<float> packed(c), each(c);
  attn::core::AttentionInput<float> in = attn::test::input_of(c);
  in.causal = Causal::bottom_right;
  const attn::core::AttentionInput<float> one = in;
  in.batch = 4, in.q_offsets = q_offsets.data(), in.k_offsets = k_offsets.data();
  const auto saved = attn::test::output_of(c, packed);
  attn::core::attention_forward(in, saved, {});
  attn::core::attention_backward(in, saved, attn::test::gradient_of(c, packed), {});
  for (size_t b = 0; b < 4; ++b) {
    const int64_t q0 = q_offsets[b], k0 = k_offsets[b];
    attn::core::AttentionInput<float> part = one;
    part.nq = q_offsets[b + 1] - q0, part.nk = k_offsets[b + 1] - k0;
    part.q.data += q0 * part.q.row, part.k.data += k0 * part.k.row;
    part.v.data += k0 * part.v.row;
    auto to = attn::test::output_of(c, each);
    auto g = attn::test::gradient_of(c, each);
    for (auto* rows : {&to.out, &to.lse, &to.lse_tail, &to.entropy, &to.row_max, &g.dq})
      rows->data += q0 * rows->row;
    for (auto* rows : {&g.dk, &g.dv}) rows->data += k0 * rows->row;
    for (auto* rows : {&g.dout, &g.dlse, &g.dentropy}) rows->data += q0 * rows->row;
    attn::core::attention_forward(part, to, {});
    attn::core::attention_backward(part, to, g, {});
  }
  EXPECT_EQ(packed.out, each.out);
  EXPECT_EQ(packed.lse, each.lse);
  EXPECT_EQ(packed.entropy, each.entropy);
  EXPECT_EQ(packed.dq, each.dq);
  EXPECT_EQ(packed.dk, each.dk);
  EXPECT_EQ(packed.dv, each.dv);
}

TEST_P(Identities, EntropyIsNeverNegativeAtLogitsOfTenThousand) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 60; ++round) {
    AttentionCase<float> c(1, 1, 1 + int64_t(random() % 40), 1 + int64_t(random() % 200), 1, 1);
    c.fill(random(), 0);
    c.bias.resize(size_t(c.nq * c.nk));
    std::uniform_real_distribution<float> logits(-1e4f, 1e4f);
    for (float& x : c.bias) x = logits(random) * (round % 3 == 0 ? 1e-3f : 1);
    if (round % 2 == 0) std::fill(c.bias.begin() + c.bias.size() / 2, c.bias.end(), 1e4f);
    const AttentionValues<float> r = run_kernel(c);
    for (const float h : r.entropy) {
      ASSERT_GE(h, 0);
      ASSERT_LE(h, std::log(float(c.nk)) * 1.000001f);
    }
    for (const auto* gradient : {&r.dq, &r.dk, &r.dv, &r.dbias}) {
      for (const float x : *gradient) ASSERT_TRUE(std::isfinite(x));
    }
  }
}

/// Random logits q.k of 64 queries by 512 keys of width 64 and an offset: the entropy of those that
/// fp32 holds, in fp64.
double entropy_error(double factor, double offset) {
  AttentionCase<float> c(1, 1, 64, 512, 64, 1);
  c.fill(9, factor);
  for (float& x : c.k) x *= float(factor);
  std::vector<float> logits(size_t(c.nq * c.nk));
  for (int64_t i = 0; i < c.nq; ++i) {
    const std::vector<double> s = attn::test::reference_logits(c, 0, 0, i).s;
    for (int64_t j = 0; j < c.nk; ++j) logits[size_t(i * c.nk + j)] = float(s[size_t(j)] + offset);
  }
  c.bias = logits;  // and no product beside: the kernel sees these very numbers
  c.q.assign(c.q.size(), 0);
  const AttentionValues<float> ours = run_kernel(c);
  const AttentionValues<double> exact = attn::test::reference(c);
  double worst = 0;
  for (size_t i = 0; i < exact.entropy.size(); ++i)
    worst = std::max(worst, std::abs(double(ours.entropy[i]) - exact.entropy[i]));
  return worst;
}

TEST_P(Identities, Fp32EntropyOfAnyOffsetIsWithinTwoMillionths) {
  for (const double offset : {0.0, 100.0, 1000.0, 10000.0})
    EXPECT_LE(entropy_error(1, offset), 2e-6) << offset;
  for (const double factor : {4.0, 8.0, 16.0}) EXPECT_LE(entropy_error(factor, 0), 2e-6) << factor;
}

TEST_P(Identities, EntropyIsTheLogSumExpLessTheMeanLogit) {
  // H = LSE - scale q.(P K): the keys once more as values.
  AttentionCase<double> c(1, 2, 19, 60, 8, 8);
  c.fill(10);
  c.v = c.k;
  const AttentionValues<double> r = run_kernel(c);
  for (size_t i = 0; i < r.entropy.size(); ++i) {
    double mean = 0;
    for (size_t x = 0; x < 8; ++x) mean += c.q[i * 8 + x] * r.out[i * 8 + x];
    EXPECT_NEAR(r.entropy[i], r.lse[i] - c.scale * mean, 1e-13);
  }
}

INSTANTIATE_TEST_SUITE_P(Simd, Identities, testing::ValuesIn(attn::core::simd_targets()),
                         [](const auto& target) { return target.param; });

}  // namespace
