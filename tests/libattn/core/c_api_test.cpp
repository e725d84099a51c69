// The C face of attention against the equations and the C++ core; from a C source as well.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "attn/version.h"
#include "tests/libattn/core/c_calls.h"
#include "tests/libattn/core/option_cases.h"

extern "C" const char* attn_test_from_c(void);

namespace {

using attn::test::AttentionCase;
using attn::test::AttentionValues;
using attn::test::c_array;
using attn::test::c_call;
using attn::test::c_gradient;
using attn::test::case_with;
using attn::test::difference;
using attn::test::kAll;
using attn::test::kCausal;
using attn::test::kType;

template <class T>
AttentionValues<T> run_c(const AttentionCase<T>& c) {
  AttentionValues<T> r(c);
  const attn_attention call = c_call(c, r);
  EXPECT_EQ(attn_attention_forward(&call), ATTN_OK) << attn_error_message();
  const attn_attention_gradient g = c_gradient(c, r);
  EXPECT_EQ(attn_attention_backward(&call, &g), ATTN_OK) << attn_error_message();
  return r;
}

template <class T>
void expect_equal(const AttentionValues<T>& a, const AttentionValues<double>& b, double tolerance,
                  const std::string& what) {
  EXPECT_LE(difference(a.out, b.out), tolerance) << what << ": out";
  EXPECT_LE(difference(a.lse, b.lse), tolerance) << what << ": lse";
  EXPECT_LE(difference(a.entropy, b.entropy), tolerance) << what << ": entropy";
  EXPECT_LE(difference(a.row_max, b.row_max), tolerance) << what << ": row_max";
  EXPECT_LE(difference(a.mass, b.mass), tolerance) << what << ": column_mass";
  EXPECT_LE(difference(a.dq, b.dq), tolerance) << what << ": dq";
  EXPECT_LE(difference(a.dk, b.dk), tolerance) << what << ": dk";
  EXPECT_LE(difference(a.dv, b.dv), tolerance) << what << ": dv";
  EXPECT_LE(difference(a.dbias, b.dbias), tolerance) << what << ": dbias";
  EXPECT_LE(difference(a.dslope, b.dslope), tolerance) << what << ": dslopes";
  EXPECT_LE(difference(a.dsink, b.dsink), tolerance) << what << ": dsink";
}

template <class T>
void expect_no_bit_apart(const AttentionValues<T>& a, const AttentionValues<T>& b) {
  EXPECT_EQ(a.out, b.out);
  EXPECT_EQ(a.lse, b.lse);
  EXPECT_EQ(a.lse_tail, b.lse_tail);
  EXPECT_EQ(a.entropy, b.entropy);
  EXPECT_EQ(a.row_max, b.row_max);
  EXPECT_EQ(a.mass, b.mass);
  EXPECT_EQ(a.dq, b.dq);
  EXPECT_EQ(a.dk, b.dk);
  EXPECT_EQ(a.dv, b.dv);
  EXPECT_EQ(a.dbias, b.dbias);
  EXPECT_EQ(a.dslope, b.dslope);
  EXPECT_EQ(a.dsink, b.dsink);
}

template <class T>
AttentionCase<T> c_case(unsigned options, uint64_t seed) {
  AttentionCase<T> c = case_with<T>(options, 21, 40, seed);
  if ((options & kCausal) != 0 && c.window_right > 0) c.window_right = 0;
  return c;
}

template <class T>
void expect_options(double tolerance) {
  uint64_t seed = 500;
  for (unsigned one = 1; one < kAll; one *= 2) {
    for (unsigned other = one; other < kAll; other *= 2) {
      const AttentionCase<T> c = c_case<T>(one | other, ++seed);
      expect_equal(run_c(c), attn::test::reference(c), tolerance,
                   "options " + std::to_string(one | other));
    }
  }
  const AttentionCase<T> all = c_case<T>(kAll - 1, 7);
  expect_equal(run_c(all), attn::test::reference(all), tolerance, "all options");
  expect_no_bit_apart(run_c(all), attn::test::run_kernel(all));
}

TEST(CApi, EveryPairOfOptionsEqualsTheEquations) {
  expect_options<double>(2e-13);
  expect_options<float>(6e-6);
}

TEST(CApi, DefaultsAreTheScaleOfTheWidthAndAsManyKeyHeads) {
  AttentionCase<double> c(2, 3, 5, 9, 16, 4);
  c.fill(1);
  AttentionValues<double> r(c);
  attn_attention call = c_call(c, r);
  const attn_attention fresh = attn_attention_init();
  call.scale = fresh.scale, call.kv_heads = fresh.kv_heads, call.threads = fresh.threads;
  call.window_left = fresh.window_left, call.window_right = fresh.window_right;
  ASSERT_EQ(attn_attention_forward(&call), ATTN_OK) << attn_error_message();
  EXPECT_LE(difference(r.out, attn::test::reference(c).out), 1e-14);
  EXPECT_STREQ(attn_version(), ATTN_VERSION_TEXT);
  EXPECT_EQ(attn_simd(), attn::core::simd_target());
}

TEST(CApi, DropoutDependsOnSeedAndOffset) {
  const AttentionCase<double> c = c_case<double>(attn::test::kDrop, 3);
  std::vector<std::vector<double>> found;
  for (const auto& [seed, offset] : {std::pair<uint64_t, uint32_t>{1, 0}, {2, 0}, {1, 1}, {1, 0}}) {
    AttentionValues<double> r(c);
    attn_attention call = c_call(c, r);
    call.dropout_seed = seed, call.dropout_offset = offset;
    ASSERT_EQ(attn_attention_forward(&call), ATTN_OK) << attn_error_message();
    found.push_back(r.out);
  }
  EXPECT_NE(found[0], found[1]);
  EXPECT_NE(found[0], found[2]);
  EXPECT_EQ(found[0], found[3]);
}

/// The same numbers in the order (batch, row, head, column).
std::vector<double> rows_first(const std::vector<double>& x, int64_t b, int64_t h, int64_t n,
                               int64_t d) {
  std::vector<double> y(x.size());
  for (int64_t i = 0; i < b * h * n * d; ++i) {
    const int64_t column = i % d, row = i / d % n, head = i / d / n % h, batch = i / d / n / h;
    y[size_t(((batch * n + row) * h + head) * d + column)] = x[size_t(i)];
  }
  return y;
}

TEST(CApi, StridesChangeNoBit) {
  AttentionCase<double> c(2, 3, 17, 23, 6, 5);
  c.fill(4);
  const AttentionValues<double> plain = run_c(c);
  const std::vector<double> q = rows_first(c.q, 2, 3, 17, 6), k = rows_first(c.k, 2, 3, 23, 6),
                            v = rows_first(c.v, 2, 3, 23, 5);
  AttentionValues<double> r(c);
  attn_attention call = c_call(c, r);
  const auto strided = [](const std::vector<double>& x, int64_t n, int64_t d) {
    return attn_array{const_cast<double*>(x.data()), n * 3 * d, d, 3 * d, 1};
  };
  call.q = strided(q, 17, 6), call.k = strided(k, 23, 6), call.v = strided(v, 23, 5);
  call.out = strided(r.out, 17, 5);
  attn_attention_gradient g = c_gradient(c, r);
  g.dq = strided(r.dq, 17, 6), g.dk = strided(r.dk, 23, 6), g.dv = strided(r.dv, 23, 5);
  ASSERT_EQ(attn_attention_forward(&call), ATTN_OK) << attn_error_message();
  ASSERT_EQ(attn_attention_backward(&call, &g), ATTN_OK) << attn_error_message();
  EXPECT_EQ(r.out, rows_first(plain.out, 2, 3, 17, 5));
  EXPECT_EQ(r.entropy, plain.entropy);
  EXPECT_EQ(r.dq, rows_first(plain.dq, 2, 3, 17, 6));
  EXPECT_EQ(r.dk, rows_first(plain.dk, 2, 3, 23, 6));
  EXPECT_EQ(r.dv, rows_first(plain.dv, 2, 3, 23, 5));
}

TEST(CApi, PackedSequencesEqualEachOnItsOwn) {
  const std::vector<int64_t> q_offsets = {0, 3, 3, 20}, k_offsets = {0, 9, 14, 31};
  AttentionCase<double> all(1, 2, 20, 31, 4, 3);
  all.fill(5);
  AttentionValues<double> r(all);
  attn_attention call = c_call(all, r);
  call.batch = 3, call.causal = ATTN_CAUSAL_BOTTOM_RIGHT;
  call.q_offsets = q_offsets.data(), call.k_offsets = k_offsets.data();
  const attn_attention_gradient g = c_gradient(all, r);
  ASSERT_EQ(attn_attention_forward(&call), ATTN_OK) << attn_error_message();
  ASSERT_EQ(attn_attention_backward(&call, &g), ATTN_OK) << attn_error_message();
  AttentionValues<double> each(all);
  for (size_t b = 0; b < 3; ++b) {
    attn_attention one = c_call(all, each);
    attn_attention_gradient to = c_gradient(all, each);
    one.nq = q_offsets[b + 1] - q_offsets[b], one.nk = k_offsets[b + 1] - k_offsets[b];
    one.causal = ATTN_CAUSAL_BOTTOM_RIGHT;
    for (attn_array* x : {&one.q, &one.out, &one.lse, &one.lse_tail, &one.entropy, &one.row_max,
                          &to.dout, &to.dlse, &to.dentropy, &to.dq})
      x->data = static_cast<double*>(x->data) + q_offsets[b] * x->row;
    for (attn_array* x : {&one.k, &one.v, &to.dk, &to.dv})
      x->data = static_cast<double*>(x->data) + k_offsets[b] * x->row;
    ASSERT_EQ(attn_attention_forward(&one), ATTN_OK) << attn_error_message();
    ASSERT_EQ(attn_attention_backward(&one, &to), ATTN_OK) << attn_error_message();
  }
  expect_no_bit_apart(r, each);
}

TEST(CApi, OnlyWhatIsAskedForIsWrittenAndValuesAreNotNeededForStatistics) {
  AttentionCase<float> c(1, 2, 9, 12, 8, 4);
  c.fill(6);
  const AttentionValues<float> all = run_c(c);
  AttentionValues<float> r(c);
  attn_attention call = c_call(c, r);
  call.v = call.out = call.lse = call.lse_tail = call.row_max = attn_array{};
  ASSERT_EQ(attn_attention_forward(&call), ATTN_OK) << attn_error_message();
  EXPECT_EQ(r.entropy, all.entropy);
  EXPECT_EQ(r.out, std::vector<float>(r.out.size()));
  EXPECT_EQ(r.lse, std::vector<float>(r.lse.size()));
}

TEST(CApi, WithoutQueriesGradientsAreZero) {
  std::vector<double> k(2 * 3 * 5 * 4, 1), dk(k.size(), 7), dv(k.size(), 7), sink(3), dsink(3, 7);
  std::vector<double> mass(2 * 3 * 5, 7);
  attn_attention call = attn_attention_init();
  call.type = ATTN_FLOAT64;
  call.batch = 2, call.heads = 3, call.nk = 5, call.d = call.dv = 4;
  call.k = call.v = c_array(k, 3, 5, 4);
  call.sink = c_array(sink, 0, 1, 1);
  call.column_mass = c_array(mass, 3, 5, 1);
  attn_attention_gradient g{};
  g.dk = c_array(dk, 3, 5, 4), g.dv = c_array(dv, 3, 5, 4), g.dsink = c_array(dsink, 0, 1, 1);
  ASSERT_EQ(attn_attention_forward(&call), ATTN_OK) << attn_error_message();
  ASSERT_EQ(attn_attention_backward(&call, &g), ATTN_OK) << attn_error_message();
  EXPECT_EQ(dk, std::vector<double>(k.size()));
  EXPECT_EQ(dv, std::vector<double>(k.size()));
  EXPECT_EQ(dsink, std::vector<double>(3));
  EXPECT_EQ(mass, std::vector<double>(mass.size()));
}

/// Sinks (H) shared by a batch of none: the sum of nothing is 0, and is written.
TEST(CApi, SumsOverAnEmptyBatchAreZero) {
  std::vector<float> sink(3), slopes(3), dsink(3, 7), dslopes(3, 7);
  attn_attention call = attn_attention_init();
  call.heads = 3, call.nq = call.nk = 5, call.d = call.dv = 4;
  call.sink = c_array(sink, 0, 1, 1), call.slopes = c_array(slopes, 0, 1, 1);
  attn_attention_gradient g{};
  g.dsink = c_array(dsink, 0, 1, 1), g.dslopes = c_array(dslopes, 0, 1, 1);
  ASSERT_EQ(attn_attention_backward(&call, &g), ATTN_OK) << attn_error_message();
  EXPECT_EQ(dsink, std::vector<float>(3));
  EXPECT_EQ(dslopes, std::vector<float>(3));
}

TEST(CApi, SizesWithoutAnythingToWriteCostNothing) {
  attn_attention call = attn_attention_init();
  call.batch = call.nq = call.nk = int64_t{1} << 31;
  call.d = 1;
  EXPECT_EQ(attn_attention_forward(&call), ATTN_OK) << attn_error_message();
  const attn_attention_gradient none{};
  EXPECT_EQ(attn_attention_backward(&call, &none), ATTN_OK) << attn_error_message();
  // Every query and key the same number, and dv = 0 columns of output: nothing to write either.
  float one = 0;
  call.heads = 1, call.q.data = call.k.data = call.out.data = &one;
  EXPECT_EQ(attn_attention_forward(&call), ATTN_OK) << attn_error_message();
}

TEST(CApi, TheMessageIsThatOfTheThread) {
  EXPECT_EQ(attn_attention_forward(nullptr), ATTN_INVALID);
  EXPECT_STREQ(attn_error_message(), "call is NULL");
  std::string other;
  std::thread([&] { other = attn_error_message(); }).join();
  EXPECT_EQ(other, "no error");
}

TEST(CApi, FromC) {
  EXPECT_STREQ(attn_test_from_c(), "");
}

}  // namespace
