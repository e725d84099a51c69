// The C face of merging and pooling against the equations, through the attention they come from.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/libattn/core/c_calls.h"

namespace {

using attn::test::AttentionCase;
using attn::test::AttentionValues;
using attn::test::c_array;
using attn::test::c_call;
using attn::test::c_gradient;
using attn::test::difference;
using attn::test::kType;

/// A call over keys [from, to) of another.
attn_attention of_keys(attn_attention call, int64_t from, int64_t to, size_t item) {
  call.nk = to - from;
  for (attn_array* x : {&call.k, &call.v})
    x->data = static_cast<char*>(x->data) + static_cast<size_t>(from * x->row) * item;
  return call;
}

attn_part part_of(const attn_attention& c) {
  return {c.out, c.lse, c.lse_tail, c.entropy, c.row_max};
}

/// A case computed in parts of its keys, `cuts`, then merged; gradients through the merge.
template <class T>
AttentionValues<T> in_parts(const AttentionCase<T>& c, const std::vector<int64_t>& cuts) {
  const size_t n = cuts.size() - 1;
  AttentionValues<T> whole(c);
  std::vector<AttentionValues<T>> parts(n, whole), gradients(n, whole);
  std::vector<attn_attention> calls;
  std::vector<attn_part> from, to;
  for (size_t s = 0; s < n; ++s) {
    calls.push_back(of_keys(c_call(c, parts[s]), cuts[s], cuts[s + 1], sizeof(T)));
    from.push_back(part_of(calls[s]));
    to.push_back(part_of(c_call(c, gradients[s])));
    to[s].lse_tail = to[s].row_max = attn_array{};
    EXPECT_EQ(attn_attention_forward(&calls[s]), ATTN_OK) << attn_error_message();
  }
  attn_merge merge = attn_merge_init();
  merge.type = kType<T>;
  merge.batch = c.b, merge.heads = c.h, merge.nq = c.nq, merge.dv = c.dv;
  merge.parts_count = static_cast<int64_t>(n), merge.parts = from.data();
  merge.merged = part_of(c_call(c, whole));
  EXPECT_EQ(attn_merge_forward(&merge), ATTN_OK) << attn_error_message();
  const attn_attention_gradient g = c_gradient(c, whole);
  const attn_merge_gradient mg = {g.dout, g.dlse, g.dentropy, to.data()};
  EXPECT_EQ(attn_merge_backward(&merge, &mg), ATTN_OK) << attn_error_message();
  std::vector<T> dq(whole.dq.size());
  for (size_t s = 0; s < n; ++s) {
    attn_attention_gradient part = g;
    part.dout = to[s].out, part.dlse = to[s].lse, part.dentropy = to[s].entropy;
    for (attn_array* x : {&part.dk, &part.dv})
      x->data = static_cast<T*>(x->data) + cuts[s] * x->row;
    EXPECT_EQ(attn_attention_backward(&calls[s], &part), ATTN_OK) << attn_error_message();
    for (size_t i = 0; i < dq.size(); ++i) dq[i] += whole.dq[i];
  }
  whole.dq = dq;
  return whole;
}

template <class T>
void expect_parts_are_the_whole(double factor, double tolerance) {
  AttentionCase<T> c(1, 3, 14, 50, 7, 5);
  c.fill(21, factor);
  const AttentionValues<double> exact = attn::test::reference(c);
  for (const auto& cuts :
       std::vector<std::vector<int64_t>>{{0, 50}, {0, 1, 50}, {0, 17, 17, 33, 50}}) {
    const AttentionValues<T> r = in_parts(c, cuts);
    EXPECT_LE(difference(r.out, exact.out), tolerance) << cuts.size();
    EXPECT_LE(difference(r.lse, exact.lse), tolerance) << cuts.size();
    EXPECT_LE(difference(r.entropy, exact.entropy), tolerance) << cuts.size();
    EXPECT_LE(difference(r.row_max, exact.row_max), tolerance) << cuts.size();
    EXPECT_LE(difference(r.dq, exact.dq), tolerance) << cuts.size();
    EXPECT_LE(difference(r.dk, exact.dk), tolerance) << cuts.size();
    EXPECT_LE(difference(r.dv, exact.dv), tolerance) << cuts.size();
  }
}

TEST(CMerge, PartsAreTheWholeWithItsGradients) {
  expect_parts_are_the_whole<double>(1, 1e-13);
  expect_parts_are_the_whole<double>(100, 1e-12);
  expect_parts_are_the_whole<float>(1, 6e-6);
}

TEST(CMerge, RowsThatSawNoKeyAnywhere) {
  const double minus = -INFINITY;
  std::vector<double> out(4, 0), lse(2, minus), entropy(2, 0), merged(4, 7), top(2, 7), h(2, 7);
  attn_part part{};
  part.out = c_array(out, 1, 2, 2), part.lse = part.row_max = c_array(lse, 1, 2, 1);
  part.entropy = c_array(entropy, 1, 2, 1);
  const attn_part parts[] = {part, part};
  attn_merge call = attn_merge_init();
  call.type = ATTN_FLOAT64, call.batch = call.heads = 1, call.nq = call.dv = 2;
  call.parts_count = 2, call.parts = parts;
  call.merged.out = c_array(merged, 1, 2, 2), call.merged.row_max = c_array(top, 1, 2, 1);
  call.merged.entropy = c_array(h, 1, 2, 1);
  ASSERT_EQ(attn_merge_forward(&call), ATTN_OK) << attn_error_message();
  EXPECT_EQ(merged, std::vector<double>(4, 0));
  EXPECT_EQ(top, std::vector<double>(2, minus));
  EXPECT_EQ(h, std::vector<double>(2, 0));
}

/// Bags of sizes offsets[b + 1] - offsets[b].
template <class T>
struct PoolCase {
  std::vector<int64_t> offsets;
  int64_t heads, d, rows;
  std::vector<T> scores, values, dout, dlse, dentropy;
  std::vector<T> out, lse, lse_tail, entropy, dscores, dvalues;

  PoolCase(std::vector<int64_t> at, int64_t k, int64_t width)
      : offsets(std::move(at)), heads(k), d(width), rows(offsets.back()) {
    std::mt19937_64 random(5);
    const auto bags = static_cast<int64_t>(offsets.size()) - 1;
    AttentionCase<T>::draw(random, scores, rows * heads, 2);
    AttentionCase<T>::draw(random, values, rows * d, 1);
    AttentionCase<T>::draw(random, dout, bags * heads * d, 1);
    AttentionCase<T>::draw(random, dlse, bags * heads, 1);
    AttentionCase<T>::draw(random, dentropy, bags * heads, 1);
    out = dout, lse = lse_tail = entropy = dlse, dscores = scores, dvalues = values;
  }
  attn_pool call() {
    attn_pool c = attn_pool_init();
    c.type = kType<T>;
    c.bags = static_cast<int64_t>(offsets.size()) - 1, c.rows = rows, c.heads = heads, c.d = d;
    c.offsets = offsets.data(), c.scores = scores.data(), c.values = values.data();
    c.out = out.data(), c.lse = lse.data(), c.lse_tail = lse_tail.data();
    c.entropy = entropy.data();
    return c;
  }
  attn_pool_gradient gradient() {
    return {dout.data(), dlse.data(), dentropy.data(), dscores.data(), dvalues.data()};
  }
};

/// Bag b as attention of one query a head: its scores are the bias, its values those of all heads.
template <class T>
AttentionCase<T> as_attention(const PoolCase<T>& p, size_t b) {
  const int64_t first = p.offsets[b], n = p.offsets[b + 1] - first;
  AttentionCase<T> c(1, p.heads, 1, n, 1, p.d);
  c.fill(1, 0);
  c.g = 1;
  c.k.assign(size_t(n), 0);
  c.bias.resize(size_t(p.heads * n));
  for (int64_t i = 0; i < p.heads * n; ++i)
    c.bias[size_t(i)] = p.scores[size_t((first + i % n) * p.heads + i / n)];
  const auto at = [&](const std::vector<T>& x, int64_t from, int64_t count) {
    return std::vector<T>(x.begin() + from, x.begin() + from + count);
  };
  const auto bag = static_cast<int64_t>(b);
  c.v = at(p.values, first * p.d, n * p.d);
  c.dout = at(p.dout, bag * p.heads * p.d, p.heads * p.d);
  c.dlse = at(p.dlse, bag * p.heads, p.heads);
  c.dentropy = at(p.dentropy, bag * p.heads, p.heads);
  return c;
}

/// All bags by the equations, in the order of the C face.
template <class T>
PoolCase<double> exact_pool(const PoolCase<T>& p) {
  PoolCase<double> r(p.offsets, p.heads, p.d);
  for (size_t b = 0; b + 1 < p.offsets.size(); ++b) {
    const int64_t first = p.offsets[b], n = p.offsets[b + 1] - first;
    const auto bag = static_cast<int64_t>(b);
    const AttentionValues<double> x = attn::test::reference(as_attention(p, b));
    std::copy(x.out.begin(), x.out.end(), r.out.begin() + bag * p.heads * p.d);
    std::copy(x.lse.begin(), x.lse.end(), r.lse.begin() + bag * p.heads);
    std::copy(x.entropy.begin(), x.entropy.end(), r.entropy.begin() + bag * p.heads);
    std::copy(x.dv.begin(), x.dv.end(), r.dvalues.begin() + first * p.d);
    for (int64_t i = 0; i < p.heads * n; ++i)
      r.dscores[size_t((first + i % n) * p.heads + i / n)] = x.dbias[size_t(i)];
  }
  return r;
}

template <class T>
void expect_pool(double tolerance) {
  for (const auto& offsets : std::vector<std::vector<int64_t>>{{0, 1}, {0, 5, 5, 300}, {0, 0}}) {
    PoolCase<T> p(offsets, 3, 7);
    const attn_pool call = p.call();
    const attn_pool_gradient g = p.gradient();
    ASSERT_EQ(attn_pool_forward(&call), ATTN_OK) << attn_error_message();
    ASSERT_EQ(attn_pool_backward(&call, &g), ATTN_OK) << attn_error_message();
    const PoolCase<double> exact = exact_pool(p);
    EXPECT_LE(difference(p.out, exact.out), tolerance);
    EXPECT_LE(difference(p.lse, exact.lse), tolerance);
    EXPECT_LE(difference(p.entropy, exact.entropy), tolerance);
    EXPECT_LE(difference(p.dscores, exact.dscores), tolerance);
    EXPECT_LE(difference(p.dvalues, exact.dvalues), tolerance);
  }
}

TEST(CPool, EqualsTheEquationsWithItsGradients) {
  expect_pool<double>(1e-13);
  expect_pool<float>(4e-6);
}

TEST(CPool, RowsMayBeStridedAndResultsLeftOut) {
  PoolCase<double> p({0, 4, 10}, 2, 3);
  attn_pool call = p.call();
  ASSERT_EQ(attn_pool_forward(&call), ATTN_OK) << attn_error_message();
  const std::vector<double> entropy = p.entropy;
  std::vector<double> padded(10 * 5, NAN);
  for (int64_t i = 0; i < 10; ++i) {
    for (int64_t x = 0; x < 3; ++x) padded[size_t(i * 5 + x)] = p.values[size_t(i * 3 + x)];
  }
  p.entropy.assign(4, 7);
  p.lse.assign(4, 7);
  call.values = padded.data(), call.values_row = 5;
  call.out = call.lse = call.lse_tail = nullptr;
  ASSERT_EQ(attn_pool_forward(&call), ATTN_OK) << attn_error_message();
  EXPECT_EQ(p.entropy, entropy);
  EXPECT_EQ(p.lse, std::vector<double>(4, 7));
}

TEST(CPool, EntropyAloneHasItsGradient) {
  PoolCase<double> p({0, 6, 6, 11}, 2, 3);
  p.dout.assign(p.dout.size(), 0), p.dlse.assign(p.dlse.size(), 0);
  attn_pool call = p.call();
  ASSERT_EQ(attn_pool_forward(&call), ATTN_OK) << attn_error_message();
  call.out = nullptr;
  attn_pool_gradient g = p.gradient();
  g.dout = g.dlse = nullptr;
  ASSERT_EQ(attn_pool_backward(&call, &g), ATTN_OK) << attn_error_message();
  const PoolCase<double> exact = exact_pool(p);
  EXPECT_LE(difference(p.dscores, exact.dscores), 1e-13);
  EXPECT_EQ(p.dvalues, std::vector<double>(p.dvalues.size()));
}

}  // namespace
