// Attention and pooling written out in fp64 from their equations: the oracle of the kernel tests.
// Slow and plain.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "attn/core.h"

namespace attn::test {

/// Inputs, incoming gradients and options of one attention, all contiguous.
template <class T>
struct AttentionCase {
  int64_t b = 1, h = 1, nq = 1, nk = 1, d = 1, dv = 1;
  double scale = 1;
  core::Causal causal = core::Causal::none;
  std::vector<T> q, k, v, bias;  // bias (b,h,nq,nk) or empty
  std::vector<uint8_t> mask;     // (b,nk) or empty
  std::vector<T> dout, dlse, dentropy;

  AttentionCase(int64_t batch, int64_t heads, int64_t queries, int64_t keys, int64_t width,
                int64_t value_width)
      : b(batch),
        h(heads),
        nq(queries),
        nk(keys),
        d(width),
        dv(value_width),
        scale(1 / std::sqrt(double(width))) {}

  void fill(uint64_t seed, double query_factor = 1) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    const auto draw = [&](std::vector<T>& x, int64_t n, double factor) {
      x.resize(static_cast<size_t>(n));
      for (T& value : x) value = static_cast<T>(factor * normal(random));
    };
    draw(q, b * h * nq * d, query_factor);
    draw(k, b * h * nk * d, 1);
    draw(v, b * h * nk * dv, 1);
    draw(dout, b * h * nq * dv, 1);
    draw(dlse, b * h * nq, 1);
    draw(dentropy, b * h * nq, 1);
  }
};

template <class T>
struct AttentionValues {
  std::vector<T> out, lse, lse_tail, entropy, dq, dk, dv, dbias;
  explicit AttentionValues(const AttentionCase<T>& c)
      : out(static_cast<size_t>(c.b * c.h * c.nq * c.dv)),
        lse(static_cast<size_t>(c.b * c.h * c.nq)),
        lse_tail(lse),
        entropy(lse),
        dq(c.q.size()),
        dk(c.k.size()),
        dv(c.v.size()),
        dbias(c.bias.size()) {}
};

/// The kernel on a case.
template <class T>
core::AttentionInput<T> input_of(const AttentionCase<T>& c) {
  core::AttentionInput<T> in;
  in.batch = c.b, in.heads = c.h, in.nq = c.nq, in.nk = c.nk, in.d = c.d, in.dv = c.dv;
  in.scale = c.scale;
  in.causal = c.causal;
  in.q = {c.q.data(), c.h * c.nq * c.d, c.nq * c.d, c.d};
  in.k = {c.k.data(), c.h * c.nk * c.d, c.nk * c.d, c.d};
  in.v = {c.v.data(), c.h * c.nk * c.dv, c.nk * c.dv, c.dv};
  if (!c.bias.empty()) in.bias = {c.bias.data(), c.h * c.nq * c.nk, c.nq * c.nk, c.nk, 1};
  if (!c.mask.empty())
    in.key_mask = c.mask.data(), in.key_mask_batch = c.nk, in.key_mask_column = 1;
  return in;
}

template <class T>
AttentionValues<T> run_kernel(const AttentionCase<T>& c, int threads = 1, int64_t key_block = 0) {
  AttentionValues<T> r(c);
  core::AttentionInput<T> in = input_of(c);
  in.key_block = key_block;
  core::AttentionOutput<T> out;
  out.out = {r.out.data(), c.h * c.nq * c.dv, c.nq * c.dv, c.dv};
  out.lse = r.lse.data(), out.lse_tail = r.lse_tail.data(), out.entropy = r.entropy.data();
  core::Parallel parallel;
  parallel.threads = threads;
  core::attention_forward(in, out, parallel);
  core::AttentionGradient<T> g;
  g.dout = {c.dout.data(), c.h * c.nq * c.dv, c.nq * c.dv, c.dv};
  g.dlse = c.dlse.data(), g.dentropy = c.dentropy.data();
  g.dq = {r.dq.data(), c.h * c.nq * c.d, c.nq * c.d, c.d};
  g.dk = {r.dk.data(), c.h * c.nk * c.d, c.nk * c.d, c.d};
  g.dv = {r.dv.data(), c.h * c.nk * c.dv, c.nk * c.dv, c.dv};
  if (!c.bias.empty()) g.dbias = {r.dbias.data(), c.h * c.nq * c.nk, c.nq * c.nk, c.nk, 1};
  core::attention_backward(in, out, g, parallel);
  return r;
}

/// Row i of head (batch, head): logits in fp64, -inf where hidden.
template <class T>
std::vector<double> reference_logits(const AttentionCase<T>& c, int64_t batch, int64_t head,
                                     int64_t i) {
  const int64_t bh = batch * c.h + head;
  std::vector<double> s(static_cast<size_t>(c.nk));
  for (int64_t j = 0; j < c.nk; ++j) {
    double sum = 0;
    for (int64_t x = 0; x < c.d; ++x) {
      sum += double(c.q[size_t((bh * c.nq + i) * c.d + x)]) *
             double(c.k[size_t((bh * c.nk + j) * c.d + x)]);
    }
    sum *= c.scale;
    if (!c.bias.empty()) sum += double(c.bias[size_t((bh * c.nq + i) * c.nk + j)]);
    const int64_t end = c.causal == core::Causal::none       ? c.nk
                        : c.causal == core::Causal::top_left ? i + 1
                                                             : i + 1 + c.nk - c.nq;
    const bool hidden = j >= end || (!c.mask.empty() && c.mask[size_t(batch * c.nk + j)] == 0);
    s[size_t(j)] = hidden ? -std::numeric_limits<double>::infinity() : sum;
  }
  return s;
}

/// Everything from the equations, with P in full.
template <class T>
AttentionValues<double> reference(const AttentionCase<T>& c) {
  AttentionCase<double> sizes(c.b, c.h, c.nq, c.nk, c.d, c.dv);
  sizes.q.resize(c.q.size()), sizes.k.resize(c.k.size()), sizes.v.resize(c.v.size()),
      sizes.bias.resize(c.bias.size());
  AttentionValues<double> r(sizes);
  for (int64_t row = 0; row < c.b * c.h * c.nq; ++row) {
    const int64_t bh = row / c.nq, i = row % c.nq;
    const std::vector<double> s = reference_logits(c, bh / c.h, bh % c.h, i);
    double top = -std::numeric_limits<double>::infinity();
    for (const double x : s) top = std::max(top, x);
    r.lse[size_t(row)] = top;
    if (std::isinf(top)) continue;
    double sum = 0;
    for (const double x : s) sum += std::exp(x - top);
    const double lse = top + std::log(sum);
    std::vector<double> p(s.size()), log_p(s.size()), dp(s.size());
    double entropy = 0, delta = 0;
    for (size_t j = 0; j < s.size(); ++j) {
      log_p[j] = (s[j] - top) - std::log(sum);
      p[j] = std::exp(log_p[j]);
      if (p[j] > 0) entropy -= p[j] * log_p[j];
      for (int64_t x = 0; x < c.dv; ++x) {
        const double value = double(c.v[size_t((bh * c.nk + int64_t(j)) * c.dv + x)]);
        r.out[size_t(row * c.dv + x)] += p[j] * value;
        dp[j] += value * double(c.dout[size_t(row * c.dv + x)]);
      }
      delta += p[j] * dp[j];
    }
    r.lse[size_t(row)] = lse;
    r.entropy[size_t(row)] = entropy;
    for (size_t j = 0; j < s.size(); ++j) {
      if (p[j] == 0) continue;
      const double ds = p[j] * (dp[j] - delta) -
                        double(c.dentropy[size_t(row)]) * p[j] * (log_p[j] + entropy) +
                        double(c.dlse[size_t(row)]) * p[j];
      const int64_t key = bh * c.nk + int64_t(j);
      if (!c.bias.empty()) r.dbias[size_t(row * c.nk) + j] = ds;
      for (int64_t x = 0; x < c.dv; ++x)
        r.dv[size_t(key * c.dv + x)] += p[j] * double(c.dout[size_t(row * c.dv + x)]);
      for (int64_t x = 0; x < c.d; ++x) {
        r.dq[size_t(row * c.d + x)] += c.scale * ds * double(c.k[size_t(key * c.d + x)]);
        r.dk[size_t(key * c.d + x)] += c.scale * ds * double(c.q[size_t(row * c.d + x)]);
      }
    }
  }
  return r;
}

/// max |a - b| / (1 + max |b|); infinities must agree, NaN gives NaN.
template <class T>
double difference(const std::vector<T>& a, const std::vector<double>& b) {
  double worst = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity(), size = 1;
  for (const double x : b) {
    if (std::isfinite(x)) size = std::max(size, 1 + std::abs(x));
  }
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (double(a[i]) == b[i]) continue;
    const double gap = std::abs(double(a[i]) - b[i]) / size;
    if (std::isnan(gap)) return gap;
    worst = std::max(worst, gap);
  }
  return worst;
}

}  // namespace attn::test
