#include "timeseries/patch/entropy_network.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "attn/attention.h"
#include "libattn/nn/dropout.h"
#include "libattn/nn/rotary.h"
#include "libattn/train/seed.h"
#include "timeseries/patch/tokeniser.h"

namespace timeseries {
namespace {

/// One pass over one batch of N windows of L tokens, packed (N L, D).
class Pass {
 public:
  Pass(const EntropyModelOptions& options, const attn::train::Parameters& parameters,
       const at::Tensor& ids, double dropout, uint64_t seed)
      : o_(options), w_(parameters), length_(ids.size(1)), dropout_(dropout), seed_(seed) {
    offsets_ = at::arange(ids.size(0) + 1, at::kLong) * length_;
    positions_ = at::arange(length_, at::kLong).repeat({ids.size(0)});
    h_ = at::embedding(w_.at("token"), ids.reshape({-1}));
  }

  at::Tensor features() {
    if (o_.position == EntropyPosition::learned) {
      const at::Tensor position = w_.at("position").narrow(0, 0, length_);
      h_ = (h_.view({-1, length_, o_.width}) + position).view({-1, o_.width});
    }
    h_ = drop(h_);
    for (int64_t i = 0; i < o_.depth; ++i) {
      const std::string name = "block." + std::to_string(i) + ".";
      h_ = h_ + drop(at::linear(attend(norm(name + "norm1"), name), w_.at(name + "out")));
      const at::Tensor hidden = at::gelu(at::linear(norm(name + "norm2"), w_.at(name + "up")));
      h_ = h_ + drop(at::linear(hidden, w_.at(name + "down")));
    }
    return norm("norm");
  }

 private:
  at::Tensor norm(const std::string& name) const {
    return at::layer_norm(h_, {o_.width}, w_.at(name), {}, 1e-5);
  }

  at::Tensor drop(const at::Tensor& x) {
    return attn::nn::dropout(x, dropout_, entropy_dropout_seed(seed_, draw_++));
  }

  at::Tensor attend(const at::Tensor& x, const std::string& name) {
    const int64_t heads = o_.heads, d = o_.width / heads;
    const at::Tensor qkv = at::linear(x, w_.at(name + "qkv")).view({-1, 3 * heads, d});
    at::Tensor qk = qkv.narrow(1, 0, 2 * heads);
    attn::AttentionOptions options;
    options.causal = attn::Causal::top_left;
    options.q_offsets = options.k_offsets = offsets_;
    if (o_.position == EntropyPosition::rotary) {
      qk = attn::nn::rotary(qk, positions_);
      options.window_left = o_.context - 1;
    }
    return attn::attention(qk.narrow(1, 0, heads), qk.narrow(1, heads, heads),
                           qkv.narrow(1, 2 * heads, heads), options)
        .out.reshape({-1, o_.width});
  }

  const EntropyModelOptions& o_;
  const attn::train::Parameters& w_;
  int64_t length_;
  double dropout_;
  uint64_t seed_, draw_ = 0;
  at::Tensor offsets_, positions_, h_;
};

}  // namespace

uint64_t entropy_dropout_seed(uint64_t seed, uint64_t draw) {
  return attn::train::derive_seed(seed, "dropout", draw);
}

at::Tensor entropy_features(const EntropyModelOptions& options,
                            const attn::train::Parameters& parameters, const at::Tensor& ids,
                            double dropout, uint64_t seed) {
  return Pass(options, parameters, ids, dropout, seed).features();
}

at::Tensor blurred(const at::Tensor& token, double sd) {
  if (sd == 0) return token;
  const int64_t bins = token.size(0) - Tokeniser::kFirst;
  const at::Tensor rows = token.narrow(0, Tokeniser::kFirst, bins);
  const auto reach = std::min(static_cast<int64_t>(std::ceil(6 * sd)), bins - 1);
  at::Tensor sum = rows, weight = at::ones({bins, 1}, token.options());
  for (int64_t away = 1; away <= reach; ++away) {
    const double w = std::exp(-0.5 * std::pow(static_cast<double>(away) / sd, 2));
    const auto shifted = [&](const at::Tensor& x) {  // those `away` above and below, 0 outside
      return at::constant_pad_nd(x.narrow(0, away, bins - away), {0, 0, 0, away}) +
             at::constant_pad_nd(x.narrow(0, 0, bins - away), {0, 0, away, 0});
    };
    sum = sum + w * shifted(rows);
    weight = weight + w * shifted(at::ones({bins, 1}, token.options()));
  }
  return at::cat({token.narrow(0, 0, Tokeniser::kFirst), sum / weight});
}

ReadOut entropy_read_out(const at::Tensor& features, const at::Tensor& token) {
  const auto as_head = [](const at::Tensor& x) { return x.unsqueeze(0).unsqueeze(0); };
  attn::AttentionOptions options;
  options.scale = 1;
  const at::Tensor keys = as_head(token);
  const auto r = attn::attention(as_head(features), keys, keys.narrow(3, 0, 0), options);
  return {r.lse.view({-1}), r.entropy.view({-1})};
}

}  // namespace timeseries
