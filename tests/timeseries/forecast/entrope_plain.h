// EntroPE for one window in plain fp64, written from its equations (timeseries/forecast/entrope.h).
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "tests/timeseries/forecast/plain.h"
#include "timeseries/forecast/entrope_options.h"

namespace timeseries::plain {

struct OneWindow {
  Vector x;                    // (L), NaN: missing
  std::vector<int64_t> token;  // (L)
  std::vector<int64_t> begin;  // of each patch
  Matrix known, past;          // (L+T,F), (L,P)
  int64_t phase = 0, channel = 0;
};

class PlainEntrope {
 public:
  explicit PlainEntrope(const Entrope& network)
      : o_(nlohmann::json(network.options()).get<EntropeOptions>()),
        w_(network.parameters()),
        share_(o_.linear_path ? vector_of(network.share()) : Vector()),
        blend_(network.blend()),
        head_(static_cast<size_t>(o_.width / o_.heads)),
        d_(static_cast<size_t>(o_.width)) {}

  Vector forecast(const OneWindow& window) {
    const auto length = static_cast<size_t>(o_.lookback);
    enter(window);
    std::vector<size_t> patch(length);
    for (size_t t = 0, p = 0; t < length; ++t) {
      if (p + 1 < window.begin.size() && static_cast<size_t>(window.begin[p + 1]) == t) ++p;
      patch[t] = p;
    }
    Matrix h = tokens(window), patches;
    for (int64_t i = 0; i < o_.encoder_layers; ++i) {
      const std::string name = "encoder." + std::to_string(i) + ".";
      layer(
          h, name, [&](size_t t) { return static_cast<double>(t); },
          [&](size_t t, size_t s) {
            return o_.scope == TokenScope::patch ? patch[t] == patch[s] : s <= t;
          });
      if (patches.empty()) patches = pooled(h, patch, window.begin.size());
      look(patches, h, patch, name + "cross.");
    }
    for (int64_t i = 0; i < o_.global_layers; ++i)
      layer(
          patches, "global." + std::to_string(i) + ".",
          [&](size_t p) {
            return static_cast<double>(o_.patch_time ? window.begin[p] : static_cast<int64_t>(p));
          },
          [](size_t, size_t) { return true; });
    for (int64_t i = 0; i < o_.decoder_layers; ++i) {
      const std::string name = "decoder." + std::to_string(i) + ".";
      hand_down(h, patches, patch, name + "cross.");
      if (o_.decoder_blocks)
        layer(
            h, name, [](size_t t) { return static_cast<double>(t); },
            [](size_t t, size_t s) { return s <= t; });
    }
    return blended(window.x, leave(head(h)));
  }

 private:
  void enter(const OneWindow& window) {
    const size_t length = window.x.size(), all = length + static_cast<size_t>(o_.horizon);
    double sum = 0, squares = 0, known = 0;
    for (const double x : window.x)
      if (!std::isnan(x)) sum += x, ++known;
    mean_ = sum / known;
    for (const double x : window.x)
      if (!std::isnan(x)) squares += (x - mean_) * (x - mean_);
    sd_ = std::sqrt(squares / known + 1e-5);
    const auto row = static_cast<size_t>(o_.frame.channels == 1 ? 0 : window.channel);
    weight_ = o_.frame.affine ? w_.vector("frame.weight")[row] : 1;
    bias_ = o_.frame.affine ? w_.vector("frame.bias")[row] : 0;
    effect_.assign(all, 0.0);
    for (size_t t = 0; t < all; ++t) {
      const int64_t season = o_.frame.season;
      if (season > 0) {
        const int64_t at = window.phase + static_cast<int64_t>(t) - o_.lookback + 1000 * season;
        effect_[t] += w_.matrix("frame.season")[row][static_cast<size_t>(at % season)];
      }
      for (size_t f = 0; f < static_cast<size_t>(o_.frame.known); ++f)
        effect_[t] += w_.matrix("frame.known")[row][f] * window.known[t][f];
    }
    u_.clear();
    bool any = false;
    for (size_t t = 0; t < length; ++t) {
      const double x = window.x[t];
      u_.push_back(std::isnan(x) ? 0 : (x - mean_) / sd_ * weight_ + bias_ - effect_[t]);
      any = any || !std::isnan(x);
      if (!std::isnan(x) || !any || !o_.linear_path) continue;
      const Vector next = w_.matrix("linear.weight")[0];  // one step ahead of what came before
      for (size_t s = 0; s < t; ++s) u_.back() += next[next.size() - t + s] * u_[s];
    }
  }

  Vector leave(const Vector& v) const {
    Vector y;
    for (size_t t = 0; t < v.size(); ++t) {
      const double inner = v[t] + effect_[u_.size() + t] - bias_;
      y.push_back((o_.frame.affine ? inner / (weight_ + 1e-10) : inner) * sd_ + mean_);
    }
    return y;
  }

  Vector blended(const Vector& x, Vector y) const {
    for (size_t i = 0; i < blend_.seasons.size(); ++i) {
      const auto season = static_cast<size_t>(blend_.seasons[i]);
      y = blend(x, y, repeat(x, season, y.size()), matrix_of(blend_.weight)[i], season);
    }
    return y;
  }

  Matrix tokens(const OneWindow& window) const {
    Matrix h(u_.size(), Vector(d_, 0.0));
    for (size_t t = 0; t < h.size(); ++t) {
      if (o_.values) {
        const Matrix value = w_.matrix("token.value");
        h[t] = h[t] + times(u_[t], value[0]) + w_.vector("token.bias");
        if (std::isnan(window.x[t])) h[t] = h[t] + value[1];
      }
      if (o_.vocabulary > 0)
        h[t] = h[t] + w_.matrix("token.embedding")[static_cast<size_t>(window.token[t])];
      if (o_.past > 0) h[t] = h[t] + product(w_.matrix("token.past"), window.past[t]);
    }
    return h;
  }

  void layer(Matrix& h, const std::string& name, const std::function<double(size_t)>& position,
             const std::function<bool(size_t, size_t)>& sees) const {
    Matrix q, k, v;
    for (size_t t = 0; t < h.size(); ++t) {
      const Vector all =
          product(w_.matrix(name + "qkv"), rms_norm(h[t], w_.vector(name + "norm1")));
      q.push_back(rotated(part(all, 0, d_), head_, position(t)));
      k.push_back(rotated(part(all, d_, d_), head_, position(t)));
      v.push_back(part(all, 2 * d_, d_));
    }
    for (size_t t = 0; t < h.size(); ++t) {
      Matrix keys, values;
      for (size_t s = 0; s < k.size(); ++s)
        if (sees(t, s)) keys.push_back(k[s]), values.push_back(v[s]);
      h[t] = h[t] + product(w_.matrix(name + "out"), attend(q[t], keys, values, head_));
      h[t] = h[t] + swiglu(rms_norm(h[t], w_.vector(name + "norm2")), w_.matrix(name + "w1"),
                           w_.matrix(name + "w3"), w_.matrix(name + "w2"));
    }
  }

  Matrix pooled(const Matrix& h, const std::vector<size_t>& patch, size_t patches) const {
    Matrix out(patches, Vector(d_, -1e300));
    for (size_t t = 0; t < h.size(); ++t)
      for (size_t i = 0; i < d_; ++i) out[patch[t]][i] = std::max(out[patch[t]][i], h[t][i]);
    return out;
  }

  Vector joined(const Vector& x, const Vector& a, const std::string& norm) const {
    switch (o_.residual) {
      case Residual::doubled:
        return times(2, x) + a;
      case Residual::doubled_normed:
        return x + rms_norm(x, w_.vector(norm)) + a;
      default:
        return x + a;
    }
  }

  void look(Matrix& patches, const Matrix& h, const std::vector<size_t>& patch,
            const std::string& name) const {
    for (size_t p = 0; p < patches.size(); ++p) {
      Matrix keys, values;
      for (size_t t = 0; t < h.size(); ++t) {
        if (patch[t] != p) continue;
        const Vector both =
            product(w_.matrix(name + "key_value"), rms_norm(h[t], w_.vector(name + "norm_key")));
        keys.push_back(part(both, 0, d_));
        values.push_back(part(both, d_, d_));
      }
      const Vector q =
          product(w_.matrix(name + "query"), rms_norm(patches[p], w_.vector(name + "norm_query")));
      const Vector a = product(w_.matrix(name + "out"), attend(q, keys, values, head_));
      patches[p] = joined(patches[p], a, name + "norm_query");
    }
  }

  /// Attention to one key, by its softmax all the same.
  void hand_down(Matrix& h, const Matrix& patches, const std::vector<size_t>& patch,
                 const std::string& name) const {
    for (size_t t = 0; t < h.size(); ++t) {
      const Vector key = rms_norm(patches[patch[t]], w_.vector(name + "norm_key"));
      const Vector value = product(w_.matrix(name + "value"), key);
      const Vector a = product(w_.matrix(name + "out"), attend(h[t], {key}, {value}, head_));
      h[t] = joined(h[t], a, name + "norm_query");
    }
  }

  Vector head(const Matrix& h) const {
    Vector flat;
    for (const Vector& token : h) {
      Vector last = rms_norm(token, w_.vector("norm"));
      if (o_.head_width > 0) last = product(w_.matrix("head.reduce"), last);
      flat.insert(flat.end(), last.begin(), last.end());
    }
    Vector v = product(w_.matrix("head.weight"), flat) + w_.vector("head.bias");
    if (!o_.linear_path) return v;
    for (size_t t = 0; t < v.size(); ++t) v[t] *= share_[t];
    return v + product(w_.matrix("linear.weight"), u_);
  }

  EntropeOptions o_;
  Weights w_;
  Vector share_;
  NaiveBlend blend_;
  size_t head_, d_;
  double mean_ = 0, sd_ = 1, weight_ = 1, bias_ = 0;
  Vector effect_, u_;
};

}  // namespace timeseries::plain
