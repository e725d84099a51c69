// A linear attention to try, and what the kernels make of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "attn/linear_core.h"

namespace attn::test {

/// Inputs, incoming gradients and options of one linear attention, all contiguous.
template <class T>
struct LinearCase {
  int64_t b = 1, h = 1, g = 1, nq = 1, nk = 1, d = 1, dv = 1;  // g: heads of k and v
  core::FeatureMap map = core::FeatureMap::identity;
  core::Decay decay = core::Decay::none;
  bool causal = true, normalise = false;
  double eps = 1e-3;
  int64_t chunk = 0;
  int threads = 1;
  std::vector<T> q, k, v, log, state, norm;  // log, state, norm may be empty
  std::vector<T> dout, dlast, dlast_norm;

  int64_t features() const { return core::feature_count(map, d); }
  int64_t log_columns() const { return decay == core::Decay::feature ? features() : 1; }
};

/// Results and gradients, as far as they exist; dk and dv per query head.
template <class T>
struct LinearValues {
  std::vector<T> out, last, last_norm;
  std::vector<T> dq, dk, dv, dlog, dstate, dnorm;
};

template <class T>
void draw(std::mt19937_64& random, std::vector<T>& x, int64_t n, double factor) {
  std::normal_distribution<double> normal;
  x.resize(static_cast<size_t>(n));
  for (T& value : x) value = static_cast<T>(factor * normal(random));
}

/// Fills a case; `decay_rate`: mean of -log g. `with_state`: S_0, z_0 and gradients of S_N, z_N.
template <class T>
void fill(LinearCase<T>& c, uint64_t seed, double decay_rate = 0.3, bool with_state = true) {
  std::mt19937_64 random(seed);
  draw(random, c.q, c.b * c.h * c.nq * c.d, 0.6);
  draw(random, c.k, c.b * c.g * c.nk * c.d, 0.6);
  draw(random, c.v, c.b * c.g * c.nk * c.dv, 1);
  draw(random, c.dout, c.b * c.h * c.nq * c.dv, 1);
  // Identity normalised: all features positive, or denominators would come near zero.
  if (c.normalise && c.map == core::FeatureMap::identity) {
    for (auto* x : {&c.q, &c.k})
      for (T& value : *x) value = std::abs(value);
  }
  if (c.decay != core::Decay::none) {
    draw(random, c.log, c.b * c.h * c.nk * c.log_columns(), decay_rate);
    for (T& value : c.log) value = -std::abs(value);
  }
  if (!with_state) return;
  draw(random, c.state, c.b * c.h * c.features() * c.dv, 1);
  draw(random, c.dlast, c.b * c.h * c.features() * c.dv, 1);
  if (!c.normalise) return;
  draw(random, c.norm, c.b * c.h * c.features(), 1);
  for (T& value : c.norm) value = std::abs(value);
  draw(random, c.dlast_norm, c.b * c.h * c.features(), 1);
}

/// The kernels' inputs over the arrays of a case.
template <class T>
core::LinearInput<T> linear_input(const LinearCase<T>& c) {
  core::LinearInput<T> in;
  in.batch = c.b, in.heads = c.h, in.kv_heads = c.g;
  in.nq = c.nq, in.nk = c.nk, in.d = c.d, in.dv = c.dv;
  in.map = c.map, in.causal = c.causal, in.normalise = c.normalise, in.eps = c.eps;
  in.decay = c.decay, in.chunk = c.chunk;
  const int64_t f = c.features(), columns = c.log_columns();
  in.q = {c.q.data(), c.h * c.nq * c.d, c.nq * c.d, c.d};
  in.k = {c.k.data(), c.g * c.nk * c.d, c.nk * c.d, c.d};
  in.v = {c.v.data(), c.g * c.nk * c.dv, c.nk * c.dv, c.dv};
  if (!c.log.empty()) in.log_decay = {c.log.data(), c.h * c.nk * columns, c.nk * columns, columns};
  if (!c.state.empty()) in.state = {c.state.data(), c.h * f * c.dv, f * c.dv, c.dv};
  if (!c.norm.empty()) in.norm = {c.norm.data(), c.h * f, f, 0};
  return in;
}

/// What the kernels make of a case; every output starts as NaN, so that what is not written shows.
template <class T>
LinearValues<T> run_linear(const LinearCase<T>& c) {
  LinearValues<T> r;
  const int64_t f = c.features(), heads = c.b * c.h, columns = c.log_columns();
  const auto make = [&](std::vector<T>& x, int64_t per_head, int64_t row) -> core::View<T> {
    x.assign(static_cast<size_t>(heads * per_head), std::numeric_limits<T>::quiet_NaN());
    return {x.data(), c.h * per_head, per_head, row};
  };
  std::vector<T> inverse;
  core::LinearOutput<T> out;
  out.out = make(r.out, c.nq * c.dv, c.dv);
  out.state = make(r.last, f * c.dv, c.dv);
  if (c.normalise) out.inverse = make(inverse, c.nq, 1), out.norm = make(r.last_norm, f, 0);
  core::Parallel parallel;
  parallel.threads = c.threads;
  const auto in = linear_input(c);
  core::linear_forward(in, out, parallel);
  core::LinearGradient<T> g;
  g.dout = {c.dout.data(), c.h * c.nq * c.dv, c.nq * c.dv, c.dv};
  if (!c.dlast.empty()) g.dlast_state = {c.dlast.data(), c.h * f * c.dv, f * c.dv, c.dv};
  if (!c.dlast_norm.empty()) g.dlast_norm = {c.dlast_norm.data(), c.h * f, f, 0};
  g.dq = make(r.dq, c.nq * c.d, c.d);
  g.dk = make(r.dk, c.nk * c.d, c.d);
  g.dv = make(r.dv, c.nk * c.dv, c.dv);
  if (c.decay != core::Decay::none) g.dlog_decay = make(r.dlog, c.nk * columns, columns);
  g.dstate = make(r.dstate, f * c.dv, c.dv);
  if (c.normalise) g.dnorm = make(r.dnorm, f, 0);
  core::linear_backward(in, out, g, parallel);
  return r;
}

/// Largest |a - b|, as a share of the largest |b| (at least 1); infinite where sizes differ or a is
/// not finite.
template <class A, class B>
double share_of_largest(const std::vector<A>& a, const std::vector<B>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 1, worst = 0;
  for (const B x : b) largest = std::max(largest, std::abs(double(x)));
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = std::abs(double(a[i]) - double(b[i]));
    if (!std::isfinite(error)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, error);
  }
  return worst / largest;
}

}  // namespace attn::test
