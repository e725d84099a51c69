// Attention and pooling written out in fp64 from their equations: the oracle of the kernel tests.
// Slow and plain.
#pragma once

#include <algorithm>
#include <array>
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
  int64_t b = 1, h = 1, g = 1, nq = 1, nk = 1, d = 1, dv = 1;  // g: heads of k and v
  double scale = 1;
  core::Causal causal = core::Causal::none;
  core::Align align = core::Align::bottom_right;
  int64_t window_left = -1, window_right = -1;
  double softcap = 0, dropout = 0;
  uint64_t seed = 0;
  std::vector<T> q, k, v, bias;  // bias (b,h,nq,nk) or empty
  std::vector<T> slope, sink;    // (b,h) and (h), or empty
  std::vector<uint8_t> mask;     // (b,nk) or empty
  std::vector<T> dout, dlse, dentropy;
  std::vector<T> dmass;  // (b,h,nk), or empty: column mass is then not asked for

  AttentionCase(int64_t batch, int64_t heads, int64_t queries, int64_t keys, int64_t width,
                int64_t value_width)
      : b(batch),
        h(heads),
        g(heads),
        nq(queries),
        nk(keys),
        d(width),
        dv(value_width),
        scale(1 / std::sqrt(double(width))) {}

  static void draw(std::mt19937_64& random, std::vector<T>& x, int64_t n, double factor) {
    std::normal_distribution<double> normal;
    x.resize(static_cast<size_t>(n));
    for (T& value : x) value = static_cast<T>(factor * normal(random));
  }
  void fill(uint64_t with, double query_factor = 1) {
    std::mt19937_64 random(with);
    draw(random, q, b * h * nq * d, query_factor);
    draw(random, k, b * g * nk * d, 1);
    draw(random, v, b * g * nk * dv, 1);
    draw(random, dout, b * h * nq * dv, 1);
    draw(random, dlse, b * h * nq, 1);
    draw(random, dentropy, b * h * nq, 1);
  }
};

template <class T>
struct AttentionValues {
  std::vector<T> out, lse, lse_tail, entropy, row_max, mass, dq, dk, dv, dbias, dslope, dsink;
  explicit AttentionValues(const AttentionCase<T>& c)
      : out(static_cast<size_t>(c.b * c.h * c.nq * c.dv)),
        lse(static_cast<size_t>(c.b * c.h * c.nq)),
        lse_tail(lse),
        entropy(lse),
        row_max(lse),
        mass(c.dmass.size()),
        dq(c.q.size()),
        dk(c.k.size()),
        dv(c.v.size()),
        dbias(c.bias.size()),
        dslope(c.slope.size()),
        dsink(c.sink.size()) {}
};

/// A contiguous (b, heads, n, columns) array as the kernels take it.
template <class T>
core::View<T> view_of(T* data, int64_t heads, int64_t n, int64_t columns) {
  return {data, heads * n * columns, n * columns, columns};
}

template <class T>
core::AttentionInput<T> input_of(const AttentionCase<T>& c) {
  core::AttentionInput<T> in;
  in.batch = c.b, in.heads = c.h, in.kv_heads = c.g;
  in.nq = c.nq, in.nk = c.nk, in.d = c.d, in.dv = c.dv;
  in.scale = c.scale;
  in.causal = c.causal, in.align = c.align;
  in.window_left = c.window_left, in.window_right = c.window_right;
  in.softcap = c.softcap, in.dropout = c.dropout, in.dropout_seed = c.seed;
  in.q = view_of(c.q.data(), c.h, c.nq, c.d);
  in.k = view_of(c.k.data(), c.g, c.nk, c.d);
  in.v = view_of(c.v.data(), c.g, c.nk, c.dv);
  if (!c.bias.empty()) in.bias = {c.bias.data(), c.h * c.nq * c.nk, c.nq * c.nk, c.nk, 1};
  if (!c.mask.empty())
    in.key_mask = c.mask.data(), in.key_mask_batch = c.nk, in.key_mask_column = 1;
  if (!c.slope.empty()) in.slope = {c.slope.data(), c.h, 1};
  if (!c.sink.empty()) in.sink = {c.sink.data(), 0, 1};
  return in;
}

template <class T>
core::AttentionOutput<T> output_of(const AttentionCase<T>& c, AttentionValues<T>& r) {
  core::AttentionOutput<T> out;
  out.out = view_of(r.out.data(), c.h, c.nq, c.dv);
  out.lse = view_of(r.lse.data(), c.h, c.nq, 1);
  out.lse_tail = view_of(r.lse_tail.data(), c.h, c.nq, 1);
  out.entropy = view_of(r.entropy.data(), c.h, c.nq, 1);
  out.row_max = view_of(r.row_max.data(), c.h, c.nq, 1);
  if (!c.dmass.empty()) out.column_mass = view_of(r.mass.data(), c.h, c.nk, 1);
  return out;
}

template <class T>
core::AttentionGradient<T> gradient_of(const AttentionCase<T>& c, AttentionValues<T>& r) {
  core::AttentionGradient<T> g;
  g.dout = view_of(c.dout.data(), c.h, c.nq, c.dv);
  g.dlse = view_of(c.dlse.data(), c.h, c.nq, 1);
  g.dentropy = view_of(c.dentropy.data(), c.h, c.nq, 1);
  if (!c.dmass.empty()) g.dcolumn_mass = view_of(c.dmass.data(), c.h, c.nk, 1);
  g.dq = view_of(r.dq.data(), c.h, c.nq, c.d);
  g.dk = view_of(r.dk.data(), c.g, c.nk, c.d);
  g.dv = view_of(r.dv.data(), c.g, c.nk, c.dv);
  if (!c.bias.empty()) g.dbias = {r.dbias.data(), c.h * c.nq * c.nk, c.nq * c.nk, c.nk, 1};
  if (!c.slope.empty()) g.dslope = {r.dslope.data(), c.h, 1};
  if (!c.sink.empty()) g.dsink = {r.dsink.data(), 0, 1};
  return g;
}

/// The kernels on a case.
template <class T>
AttentionValues<T> run_kernel(const AttentionCase<T>& c, int threads = 1, int64_t key_block = 0) {
  AttentionValues<T> r(c);
  core::AttentionInput<T> in = input_of(c);
  in.key_block = key_block;
  core::Parallel parallel;
  parallel.threads = threads;
  const core::AttentionOutput<T> out = output_of(c, r);
  core::attention_forward(in, out, parallel);
  core::attention_backward(in, out, gradient_of(c, r), parallel);
  return r;
}

/// One word of Philox4x32-10 as the paper's algorithm states it: the oracle of dropout.
inline uint32_t reference_philox(std::array<uint32_t, 4> c, uint64_t seed, int word) {
  auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{3528531795} * c[0], p1 = uint64_t{3449720151} * c[2];
    c = {uint32_t(p1 >> 32) ^ c[1] ^ key0, uint32_t(p1), uint32_t(p0 >> 32) ^ c[3] ^ key1,
         uint32_t(p0)};
    key0 += 2654435769U, key1 += 3144134277U;
  }
  return c[size_t(word)];
}

/// Logits of row i of head (batch, head) in fp64, -inf where hidden; the derivative of each by the
/// scaled product; and |i + diagonal - j|.
struct ReferenceLogits {
  std::vector<double> s, cap_slope, distance;
};

template <class T>
ReferenceLogits reference_logits(const AttentionCase<T>& c, int64_t batch, int64_t head,
                                 int64_t i) {
  const int64_t bh = batch * c.h + head, kv = batch * c.g + head / (c.h / c.g);
  const bool top_left = c.causal == core::Causal::top_left ||
                        (c.causal == core::Causal::none && c.align == core::Align::top_left);
  const int64_t on_diagonal = i + (top_left ? 0 : c.nk - c.nq);
  ReferenceLogits r;
  for (int64_t j = 0; j < c.nk; ++j) {
    double sum = 0;
    for (int64_t x = 0; x < c.d; ++x) {
      sum += double(c.q[size_t((bh * c.nq + i) * c.d + x)]) *
             double(c.k[size_t((kv * c.nk + j) * c.d + x)]);
    }
    sum *= c.scale;
    double slope = 1;
    if (c.softcap > 0) {
      const double th = std::tanh(sum / c.softcap);
      sum = c.softcap * th, slope = 1 - th * th;
    }
    const double distance = std::abs(double(on_diagonal - j));
    if (!c.slope.empty()) sum -= double(c.slope[size_t(bh)]) * distance;
    if (!c.bias.empty()) sum += double(c.bias[size_t((bh * c.nq + i) * c.nk + j)]);
    bool hidden = c.causal != core::Causal::none && j > on_diagonal;
    hidden |= c.window_left >= 0 && j < on_diagonal - c.window_left;
    hidden |= c.window_right >= 0 && j > on_diagonal + c.window_right;
    hidden |= !c.mask.empty() && c.mask[size_t(batch * c.nk + j)] == 0;
    r.s.push_back(hidden ? -std::numeric_limits<double>::infinity() : sum);
    r.cap_slope.push_back(slope);
    r.distance.push_back(distance);
  }
  return r;
}

/// Adds what row i of head (batch, head) gives to its values, to `mass` and, from C = sum_j p_j
/// (what dS multiplies), to the gradients: dS_j = p_j (g_j - dH log p_j - C).
template <class T>
void add_reference_row(const AttentionCase<T>& c, int64_t batch, int64_t head, int64_t i,
                       AttentionValues<double>& r) {
  const int64_t bh = batch * c.h + head, kv = batch * c.g + head / (c.h / c.g);
  const int64_t row = bh * c.nq + i;
  const auto at = static_cast<size_t>(row);
  const ReferenceLogits logits = reference_logits(c, batch, head, i);
  std::vector<double> s = logits.s;
  r.row_max[at] = -std::numeric_limits<double>::infinity();
  for (const double x : s) r.row_max[at] = std::max(r.row_max[at], x);
  if (!c.sink.empty()) s.push_back(double(c.sink[size_t(head)]));
  double top = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const double x : s) top = std::max(top, x);
  r.lse[at] = top;
  if (std::isinf(top)) return;
  for (const double x : s) sum += std::exp(x - top);
  r.lse[at] = top + std::log(sum);
  std::vector<double> p(s.size()), log_p(s.size()), gain(s.size()), keep(s.size(), 1);
  double entropy = 0, c_i = 0;
  for (size_t j = 0; j < s.size(); ++j) {
    log_p[j] = (s[j] - top) - std::log(sum);
    p[j] = std::exp(log_p[j]);
    if (p[j] > 0) entropy -= p[j] * log_p[j];
    if (int64_t(j) == c.nk) continue;  // the sink: no value, no mass
    if (c.dropout > 0) {
      const uint32_t word =
          reference_philox({uint32_t(j / 4), uint32_t(i), uint32_t(bh), 0}, c.seed, int(j % 4));
      keep[j] = word < uint32_t(c.dropout * 4294967296.0) ? 0 : 1 / (1 - c.dropout);
    }
    for (int64_t x = 0; x < c.dv; ++x) {
      const double value = double(c.v[size_t((kv * c.nk + int64_t(j)) * c.dv + x)]);
      r.out[size_t(row * c.dv + x)] += keep[j] * p[j] * value;
      gain[j] += keep[j] * value * double(c.dout[size_t(row * c.dv + x)]);
    }
    if (!c.dmass.empty()) {
      r.mass[size_t(bh * c.nk) + j] += p[j];
      gain[j] += double(c.dmass[size_t(bh * c.nk) + j]);
    }
  }
  r.entropy[at] = entropy;
  for (size_t j = 0; j < s.size(); ++j) c_i += p[j] * gain[j];
  c_i += double(c.dentropy[at]) * entropy - double(c.dlse[at]);
  for (size_t j = 0; j < s.size(); ++j) {
    if (p[j] == 0) continue;
    const double ds = p[j] * (gain[j] - double(c.dentropy[at]) * log_p[j] - c_i);
    if (int64_t(j) == c.nk) {
      r.dsink[size_t(head)] += ds;
      continue;
    }
    const int64_t key = kv * c.nk + int64_t(j);
    if (!c.bias.empty()) r.dbias[size_t(row * c.nk) + j] = ds;
    if (!c.slope.empty()) r.dslope[size_t(bh)] -= ds * logits.distance[j];
    const double dproduct = c.scale * ds * logits.cap_slope[j];
    for (int64_t x = 0; x < c.dv; ++x)
      r.dv[size_t(key * c.dv + x)] += keep[j] * p[j] * double(c.dout[size_t(row * c.dv + x)]);
    for (int64_t x = 0; x < c.d; ++x) {
      r.dq[size_t(row * c.d + x)] += dproduct * double(c.k[size_t(key * c.d + x)]);
      r.dk[size_t(key * c.d + x)] += dproduct * double(c.q[size_t(row * c.d + x)]);
    }
  }
}

/// Everything from the equations, with P in full.
template <class T>
AttentionValues<double> reference(const AttentionCase<T>& c) {
  AttentionCase<double> sizes(c.b, c.h, c.nq, c.nk, c.d, c.dv);
  sizes.q.resize(c.q.size()), sizes.k.resize(c.k.size()), sizes.v.resize(c.v.size());
  sizes.bias.resize(c.bias.size()), sizes.slope.resize(c.slope.size());
  sizes.sink.resize(c.sink.size()), sizes.dmass.resize(c.dmass.size());
  AttentionValues<double> r(sizes);
  for (int64_t row = 0; row < c.b * c.h * c.nq; ++row)
    add_reference_row(c, row / c.nq / c.h, row / c.nq % c.h, row % c.nq, r);
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
