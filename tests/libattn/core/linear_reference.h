// Linear attention written out in fp64 token by token from its equations, with its gradient: the
// oracle of the kernel tests. Slow and plain.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/libattn/core/linear_case.h"

namespace attn::test {

using Row = std::vector<double>;

/// phi(x).
inline Row phi(core::FeatureMap map, const Row& x) {
  const double d = static_cast<double>(x.size());
  Row f;
  switch (map) {
    case core::FeatureMap::identity:
      return x;
    case core::FeatureMap::elu:
      for (const double a : x) f.push_back(a > 0 ? a + 1 : std::exp(a));
      return f;
    case core::FeatureMap::relu:
      for (const double a : x) f.push_back(a > 0 ? a : 0);
      return f;
    case core::FeatureMap::exponential:
      for (const double a : x) f.push_back(std::exp(a));
      return f;
    case core::FeatureMap::hedgehog:
      for (const double sign : {1.0, -1.0})
        for (const double a : x) f.push_back(std::exp(sign * a));
      return f;
    case core::FeatureMap::taylor:
      f.push_back(1);
      for (const double a : x) f.push_back(a / std::pow(d, 0.25));
      for (size_t i = 0; i < x.size(); ++i)
        for (size_t j = i; j < x.size(); ++j)
          f.push_back(x[i] * x[j] / std::sqrt(d) / (i == j ? std::sqrt(2.0) : 1.0));
  }
  return f;
}

/// phi'(x)^T g.
inline Row phi_backward(core::FeatureMap map, const Row& x, const Row& g) {
  const size_t n = x.size();
  const double d = static_cast<double>(n);
  Row dx(n, 0.0);
  size_t at = 1 + n;
  for (size_t i = 0; i < n; ++i) {
    switch (map) {
      case core::FeatureMap::identity:
        dx[i] = g[i];
        break;
      case core::FeatureMap::elu:
        dx[i] = g[i] * (x[i] > 0 ? 1 : std::exp(x[i]));
        break;
      case core::FeatureMap::relu:
        dx[i] = x[i] > 0 ? g[i] : 0;
        break;
      case core::FeatureMap::exponential:
        dx[i] = g[i] * std::exp(x[i]);
        break;
      case core::FeatureMap::hedgehog:
        dx[i] = g[i] * std::exp(x[i]) - g[n + i] * std::exp(-x[i]);
        break;
      case core::FeatureMap::taylor:
        dx[i] += g[1 + i] / std::pow(d, 0.25);
        for (size_t j = i; j < n; ++j, ++at) {
          const double f = g[at] / std::sqrt(d) / (i == j ? std::sqrt(2.0) : 1.0);
          dx[i] += f * x[j];
          dx[j] += f * x[i];
        }
    }
  }
  return dx;
}

/// One head of a case in fp64: S_t and z_t of all t kept.
template <class T>
class LinearHeadReference {
 public:
  LinearHeadReference(const LinearCase<T>& c, int64_t batch, int64_t head)
      : c_(c), number_(batch * c.h + head), kv_(batch * c.g + head / (c.h / c.g)) {
    for (int64_t i = 0; i < c.nq; ++i) q_.push_back(row(c.q, number_ * c.nq + i, c.d));
    for (int64_t i = 0; i < c.nk; ++i) k_.push_back(row(c.k, kv_ * c.nk + i, c.d));
    for (const Row& x : q_) fq_.push_back(phi(c.map, x));
    for (const Row& x : k_) fk_.push_back(phi(c.map, x));
  }

  void forward(LinearValues<double>& to) {
    const int64_t f_count = c_.features();
    Row s = state_or_zero(c_.state, f_count * c_.dv), z = state_or_zero(c_.norm, f_count);
    states_ = {s}, norms_ = {z};
    for (int64_t t = 0; t < c_.nk; ++t) {
      const Row v = row(c_.v, kv_ * c_.nk + t, c_.dv);
      for (int64_t f = 0; f < f_count; ++f) {
        const double g = decay(t, f), key = fk_[size_t(t)][size_t(f)];
        z[size_t(f)] = g * z[size_t(f)] + key;
        for (int64_t j = 0; j < c_.dv; ++j) {
          double& x = s[size_t(f * c_.dv + j)];
          x = g * x + key * v[size_t(j)];
        }
      }
      states_.push_back(s), norms_.push_back(z);
    }
    for (int64_t i = 0; i < c_.nq; ++i) {
      for (int64_t j = 0; j < c_.dv; ++j) {
        double sum = 0;
        for (int64_t f = 0; f < f_count; ++f)
          sum += fq_[size_t(i)][size_t(f)] * seen(i)[size_t(f * c_.dv + j)];
        to.out.push_back(c_.normalise ? sum / denominator(i) : sum);
      }
    }
    to.last.insert(to.last.end(), s.begin(), s.end());
    if (c_.normalise) to.last_norm.insert(to.last_norm.end(), z.begin(), z.end());
  }

  void backward(const LinearValues<double>& values, LinearValues<double>& to) {
    const int64_t f_count = c_.features(), dv = c_.dv;
    Row ds = state_or_zero(c_.dlast, f_count * dv), dz = state_or_zero(c_.dlast_norm, f_count);
    Row dq, dk(size_t(c_.nk * c_.d)), dvalue(size_t(c_.nk * dv)),
        dlog(size_t(c_.nk * c_.log_columns()));
    std::vector<Row> dqs(static_cast<size_t>(c_.nq));
    const auto query = [&](int64_t i) {
      Row g(static_cast<size_t>(f_count), 0.0);
      double dden = 0;
      Row dn = row(c_.dout, number_ * c_.nq + i, dv);
      if (c_.normalise) {
        for (int64_t j = 0; j < dv; ++j) {
          dn[size_t(j)] /= denominator(i);
          dden -= dn[size_t(j)] * values.out[size_t((number_ * c_.nq + i) * dv + j)];
        }
      }
      for (int64_t f = 0; f < f_count; ++f) {
        const double x = fq_[size_t(i)][size_t(f)];
        g[size_t(f)] = dden * seen_norm(i)[size_t(f)];
        dz[size_t(f)] += x * dden;
        for (int64_t j = 0; j < dv; ++j) {
          g[size_t(f)] += seen(i)[size_t(f * dv + j)] * dn[size_t(j)];
          ds[size_t(f * dv + j)] += x * dn[size_t(j)];
        }
      }
      dqs[size_t(i)] = phi_backward(c_.map, q_[size_t(i)], g);
    };
    for (int64_t i = 0; i < c_.nq && !c_.causal; ++i) query(i);
    for (int64_t t = c_.nk - 1; t >= 0; --t) {
      if (c_.causal) query(t);
      const Row v = row(c_.v, kv_ * c_.nk + t, dv);
      Row g(static_cast<size_t>(f_count), 0.0);
      for (int64_t f = 0; f < f_count; ++f) {
        const double decayed = decay(t, f);
        double log_part = dz[size_t(f)] * norms_[size_t(t)][size_t(f)];
        g[size_t(f)] = c_.normalise ? dz[size_t(f)] : 0;
        for (int64_t j = 0; j < dv; ++j) {
          double& x = ds[size_t(f * dv + j)];
          g[size_t(f)] += x * v[size_t(j)];
          dvalue[size_t(t * dv + j)] += x * fk_[size_t(t)][size_t(f)];
          log_part += x * states_[size_t(t)][size_t(f * dv + j)];
          x *= decayed;
        }
        dz[size_t(f)] *= decayed;
        const bool each = c_.decay == core::Decay::feature;
        dlog[size_t(each ? t * f_count + f : t)] += decayed * log_part;
      }
      const Row x = phi_backward(c_.map, k_[size_t(t)], g);
      for (int64_t a = 0; a < c_.d; ++a) dk[size_t(t * c_.d + a)] = x[size_t(a)];
    }
    for (const Row& x : dqs) to.dq.insert(to.dq.end(), x.begin(), x.end());
    to.dk.insert(to.dk.end(), dk.begin(), dk.end());
    to.dv.insert(to.dv.end(), dvalue.begin(), dvalue.end());
    if (c_.decay != core::Decay::none) to.dlog.insert(to.dlog.end(), dlog.begin(), dlog.end());
    to.dstate.insert(to.dstate.end(), ds.begin(), ds.end());
    if (c_.normalise) to.dnorm.insert(to.dnorm.end(), dz.begin(), dz.end());
  }

 private:
  static Row row(const std::vector<T>& x, int64_t number, int64_t n) {
    return Row(x.begin() + number * n, x.begin() + (number + 1) * n);
  }
  Row state_or_zero(const std::vector<T>& x, int64_t n) const {
    return x.empty() ? Row(static_cast<size_t>(n), 0.0) : row(x, number_, n);
  }
  double decay(int64_t t, int64_t f) const {
    if (c_.decay == core::Decay::none) return 1;
    const int64_t columns = c_.log_columns();
    return std::exp(
        double(c_.log[size_t((number_ * c_.nk + t) * columns + (columns == 1 ? 0 : f))]));
  }
  const Row& seen(int64_t i) const { return states_[size_t(c_.causal ? i + 1 : c_.nk)]; }
  const Row& seen_norm(int64_t i) const { return norms_[size_t(c_.causal ? i + 1 : c_.nk)]; }
  double denominator(int64_t i) const {
    double sum = c_.eps;
    for (size_t f = 0; f < fq_[size_t(i)].size(); ++f) sum += fq_[size_t(i)][f] * seen_norm(i)[f];
    return sum;
  }

  const LinearCase<T>& c_;
  int64_t number_, kv_;
  std::vector<Row> q_, k_, fq_, fk_, states_, norms_;
};

/// All of a case in fp64.
template <class T>
LinearValues<double> linear_reference(const LinearCase<T>& c) {
  LinearValues<double> values;
  std::vector<LinearHeadReference<T>> heads;
  for (int64_t b = 0; b < c.b; ++b)
    for (int64_t h = 0; h < c.h; ++h) heads.emplace_back(c, b, h).forward(values);
  for (auto& head : heads) head.backward(values, values);
  return values;
}

}  // namespace attn::test
