// Plain fp64 pieces of networks, one number after the other, to compare with.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "libattn/train/parameters.h"

namespace timeseries::plain {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;  // rows

inline Vector vector_of(const at::Tensor& t) {
  const at::Tensor x = t.detach().to(at::kDouble).contiguous().view({-1});
  return {x.const_data_ptr<double>(), x.const_data_ptr<double>() + x.numel()};
}

inline Matrix matrix_of(const at::Tensor& t) {
  Matrix out;
  for (int64_t r = 0; r < t.size(0); ++r) out.push_back(vector_of(t[r]));
  return out;
}

/// Weights by name.
class Weights {
 public:
  explicit Weights(const attn::train::Parameters& parameters) : parameters_(parameters) {}
  Vector vector(const std::string& name) const { return vector_of(parameters_.at(name)); }
  Matrix matrix(const std::string& name) const { return matrix_of(parameters_.at(name)); }

 private:
  const attn::train::Parameters& parameters_;
};

inline Vector operator+(Vector a, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

inline Vector times(double c, Vector a) {
  for (double& x : a) x *= c;
  return a;
}

inline Vector product(const Matrix& w, const Vector& x) {
  Vector y;
  for (const Vector& row : w) {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += row[i] * x[i];
    y.push_back(sum);
  }
  return y;
}

inline Vector rms_norm(const Vector& x, const Vector& w) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  const double r = std::sqrt(squares / static_cast<double>(x.size()) + 1e-5);
  Vector y = x;
  for (size_t i = 0; i < x.size(); ++i) y[i] = w[i] * x[i] / r;
  return y;
}

/// Heads of width `head` one after the other, each rotated to `position`.
inline Vector rotated(Vector x, size_t head, double position) {
  for (size_t h = 0; h < x.size(); h += head) {
    for (size_t i = 0; i < head; i += 2) {
      const double angle =
          position * std::pow(1e4, -static_cast<double>(i) / static_cast<double>(head));
      const double a = x[h + i], b = x[h + i + 1];
      x[h + i] = a * std::cos(angle) - b * std::sin(angle);
      x[h + i + 1] = a * std::sin(angle) + b * std::cos(angle);
    }
  }
  return x;
}

/// Softmax attention of one query over some keys, head by head; `extra` (head, key) is added to the
/// logits.
inline Vector attend(const Vector& q, const Matrix& k, const Matrix& v, size_t head,
                     const std::function<double(size_t, size_t)>& extra = {}) {
  Vector out(q.size(), 0.0);
  for (size_t h = 0; h < q.size() / head; ++h) {
    Vector p;
    for (size_t j = 0; j < k.size(); ++j) {
      double s = 0;
      for (size_t i = h * head; i < (h + 1) * head; ++i) s += q[i] * k[j][i];
      p.push_back(s / std::sqrt(static_cast<double>(head)) + (extra ? extra(h, j) : 0));
    }
    const double top = *std::max_element(p.begin(), p.end());
    double sum = 0;
    for (double& x : p) sum += x = std::exp(x - top);
    for (size_t j = 0; j < k.size(); ++j)
      for (size_t i = h * head; i < (h + 1) * head; ++i) out[i] += p[j] / sum * v[j][i];
  }
  return out;
}

inline Vector swiglu(const Vector& x, const Matrix& w1, const Matrix& w3, const Matrix& w2) {
  Vector a = product(w1, x);
  const Vector b = product(w3, x);
  for (size_t i = 0; i < a.size(); ++i) a[i] = a[i] / (1 + std::exp(-a[i])) * b[i];
  return product(w2, a);
}

inline Vector part(const Vector& x, size_t begin, size_t count) {
  return {x.begin() + static_cast<std::ptrdiff_t>(begin),
          x.begin() + static_cast<std::ptrdiff_t>(begin + count)};
}

/// The seasonal naive forecast of a window x with NaN.
inline Vector repeat(const Vector& x, size_t season, size_t horizon) {
  const auto newest = [&](size_t from, size_t step) {
    for (size_t t = from + step; t >= step; t -= step)
      if (!std::isnan(x[t - step])) return x[t - step];
    return std::nan("");
  };
  Vector y;
  for (size_t h = 0; h < horizon; ++h) {
    const double own = newest(x.size() - season + h % season, season);
    y.push_back(std::isnan(own) ? newest(x.size() - 1, 1) : own);
  }
  return y;
}

/// NaiveBlend of one season for one window x with NaN, forecast f and naive forecast n: `knots`
/// are g at d / s = 2^-7, ..., 2.
inline Vector blend(const Vector& x, Vector f, const Vector& naive, const Vector& knots,
                    size_t season) {
  double sum = 0, squares = 0, differences = 0, count = 0, pairs = 0;
  for (size_t t = 0; t < x.size(); ++t) {
    if (std::isnan(x[t])) continue;
    sum += x[t], squares += x[t] * x[t], ++count;
    if (t >= season && !std::isnan(x[t - season]))
      differences += std::pow(x[t] - x[t - season], 2), ++pairs;
  }
  const double mean = sum / count, s = std::sqrt(squares / count - mean * mean),
               place = std::clamp(std::log2(std::sqrt(differences / pairs) / s) + 7, 0.0, 7.999999);
  const auto below = static_cast<size_t>(place);
  const double up = place - std::floor(place), g = (1 - up) * knots[below] + up * knots[below + 1];
  for (size_t h = 0; h < f.size(); ++h) f[h] = naive[h] + g * (f[h] - naive[h]);
  return f;
}

}  // namespace timeseries::plain
