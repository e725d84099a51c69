// The entropy model in plain fp64 loops, written from its equations; and windows to try it on.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libattn/train/seed.h"
#include "timeseries/patch/entropy_model.h"

namespace timeseries::test {

/// (rows, columns) of fp64.
struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<double> data;

  Matrix() = default;
  Matrix(int64_t r, int64_t c) : rows(r), columns(c), data(static_cast<size_t>(r * c)) {}
  explicit Matrix(const at::Tensor& t)
      : Matrix(t.dim() == 1 ? 1 : t.size(0), t.dim() == 1 ? t.size(0) : t.size(1)) {
    const at::Tensor from = t.detach().to(at::kDouble).contiguous();
    std::copy_n(from.const_data_ptr<double>(), from.numel(), data.begin());
  }
  double& at(int64_t r, int64_t c) { return data[static_cast<size_t>(r * columns + c)]; }
  double at(int64_t r, int64_t c) const { return data[static_cast<size_t>(r * columns + c)]; }
};

/// x W^T.
inline Matrix times(const Matrix& x, const Matrix& w) {
  Matrix y(x.rows, w.rows);
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t j = 0; j < w.rows; ++j)
      for (int64_t k = 0; k < x.columns; ++k) y.at(i, j) += x.at(i, k) * w.at(j, k);
  return y;
}

inline Matrix normed(const Matrix& x, const Matrix& w) {
  Matrix y(x.rows, x.columns);
  const auto n = static_cast<double>(x.columns);
  for (int64_t i = 0; i < x.rows; ++i) {
    double mean = 0, variance = 0;
    for (int64_t j = 0; j < x.columns; ++j) mean += x.at(i, j) / n;
    for (int64_t j = 0; j < x.columns; ++j) variance += std::pow(x.at(i, j) - mean, 2) / n;
    for (int64_t j = 0; j < x.columns; ++j)
      y.at(i, j) = (x.at(i, j) - mean) / std::sqrt(variance + 1e-5) * w.at(0, j);
  }
  return y;
}

inline void add_to(Matrix& x, const Matrix& y) {
  for (size_t i = 0; i < x.data.size(); ++i) x.data[i] += y.data[i];
}

/// Features [first, first + d) of each row rotated by the row's number.
inline void rotate(Matrix& x, int64_t first, int64_t d) {
  for (int64_t t = 0; t < x.rows; ++t) {
    for (int64_t i = 0; i < d / 2; ++i) {
      const double angle = static_cast<double>(t) *
                           std::pow(1e4, -2.0 * static_cast<double>(i) / static_cast<double>(d));
      double &a = x.at(t, first + 2 * i), &b = x.at(t, first + 2 * i + 1);
      const double c = std::cos(angle), s = std::sin(angle), a0 = a;
      a = c * a0 - s * b;
      b = s * a0 + c * b;
    }
  }
}

inline std::vector<double> softmax(const std::vector<double>& z) {
  const double top = *std::max_element(z.begin(), z.end());
  double sum = 0;
  std::vector<double> p;
  for (const double x : z) p.push_back(std::exp(x - top)), sum += p.back();
  for (double& x : p) x /= sum;
  return p;
}

inline Matrix attention(const EntropyModelOptions& o, Matrix qkv) {
  const int64_t d = o.width / o.heads, length = qkv.rows;
  const bool rotary = o.position == EntropyPosition::rotary;
  Matrix out(length, o.width);
  for (int64_t h = 0; h < o.heads; ++h) {
    const int64_t q = h * d, k = o.width + h * d, v = 2 * o.width + h * d;
    if (rotary) rotate(qkv, q, d), rotate(qkv, k, d);
    for (int64_t i = 0; i < length; ++i) {
      const int64_t first = rotary ? std::max<int64_t>(0, i - o.context + 1) : 0;
      std::vector<double> z;
      for (int64_t j = first; j <= i; ++j) {
        double dot = 0;
        for (int64_t c = 0; c < d; ++c) dot += qkv.at(i, q + c) * qkv.at(j, k + c);
        z.push_back(dot / std::sqrt(static_cast<double>(d)));
      }
      const std::vector<double> p = softmax(z);
      for (int64_t j = first; j <= i; ++j)
        for (int64_t c = 0; c < d; ++c)
          out.at(i, h * d + c) += p[static_cast<size_t>(j - first)] * qkv.at(j, v + c);
    }
  }
  return out;
}

/// Logits (L,V) of one window.
inline Matrix reference_logits(const EntropyModel& model, const std::vector<int64_t>& ids) {
  const EntropyModelOptions& o = model.options();
  const auto weight = [&](const std::string& name) { return Matrix(model.parameters().at(name)); };
  const Matrix token = weight("token");
  Matrix h(static_cast<int64_t>(ids.size()), o.width);
  for (int64_t t = 0; t < h.rows; ++t)
    for (int64_t c = 0; c < o.width; ++c) {
      h.at(t, c) = token.at(ids[static_cast<size_t>(t)], c);
      if (o.position == EntropyPosition::learned) h.at(t, c) += weight("position").at(t, c);
    }
  for (int64_t i = 0; i < o.depth; ++i) {
    const std::string b = "block." + std::to_string(i) + ".";
    const Matrix qkv = times(normed(h, weight(b + "norm1")), weight(b + "qkv"));
    add_to(h, times(attention(o, qkv), weight(b + "out")));
    Matrix hidden = times(normed(h, weight(b + "norm2")), weight(b + "up"));
    for (double& x : hidden.data) x *= 0.5 * (1 + std::erf(x / std::sqrt(2.0)));
    add_to(h, times(hidden, weight(b + "down")));
  }
  return times(normed(h, weight("norm")), token);
}

struct Reference {
  at::Tensor entropy, loss;  // (N,L) fp64; loss NaN where the target is 0
};

inline Reference reference(const EntropyModel& model, const at::Tensor& ids,
                           const at::Tensor& targets = {}) {
  Reference r{at::empty(ids.sizes(), at::kDouble), at::full(ids.sizes(), NAN, at::kDouble)};
  for (int64_t n = 0; n < ids.size(0); ++n) {
    const auto* from = ids.const_data_ptr<int64_t>() + n * ids.size(1);
    const Matrix z = reference_logits(model, std::vector<int64_t>(from, from + ids.size(1)));
    for (int64_t t = 0; t < z.rows; ++t) {
      const auto line = z.data.begin() + t * z.columns;
      const std::vector<double> p = softmax(std::vector<double>(line, line + z.columns));
      double entropy = 0;
      for (const double x : p) entropy -= x > 0 ? x * std::log(x) : 0;
      r.entropy[n][t] = entropy;
      if (!targets.defined()) continue;
      const auto target = targets[n][t].item<int64_t>();
      if (target != 0) r.loss[n][t] = -std::log(p[static_cast<size_t>(target)]);
    }
  }
  return r;
}

/// A model whose weights are as large as training makes them, so that entropies differ.
inline EntropyModel lively_model(const EntropyModelOptions& options, uint64_t seed) {
  EntropyModel model(options, seed);
  at::Generator generator = attn::train::make_generator(seed);
  for (const auto& [name, tensor] : model.parameters().named()) {
    const bool vector = tensor.dim() == 1;
    const double sd = name == "token" ? 0.5
                      : vector        ? 0.2
                                      : 0.4 / std::sqrt(0.1 * static_cast<double>(tensor.size(1)));
    tensor.detach().normal_(vector ? 1 : 0, sd, generator);
  }
  return model;
}

/// Random walks with jumps, (N,L) fp32.
inline at::Tensor walks(int64_t rows, int64_t length, uint64_t seed) {
  at::Generator generator = attn::train::make_generator(seed);
  const at::Tensor step = at::randn({rows, length}, generator, at::kFloat);
  return at::cumsum(0.2 * step * step * step, 1) + at::randn({rows, 1}, generator, at::kFloat);
}

/// Random tokens, every one of the vocabulary.
inline at::Tensor random_ids(const EntropyModelOptions& options, int64_t rows, int64_t length,
                             uint64_t seed) {
  return at::randint(0, options.vocabulary, {rows, length}, attn::train::make_generator(seed),
                     at::kLong);
}

}  // namespace timeseries::test
