#include "attn/multihead_attention.h"

#include <ATen/ATen.h>
#include <torch/nn/init.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "attn/error.h"
#include "libattn/ops/check.h"

namespace attn::nn {
namespace {

void demand(bool holds, const std::string& what) {
  if (!holds) throw Error("MultiheadAttention: " + what);
}

void check_options(const MultiheadAttentionOptions& o) {
  demand(o.embed_dim > 0, "embed_dim is " + std::to_string(o.embed_dim) + "; expected at least 1");
  demand(o.num_heads > 0 && o.embed_dim % o.num_heads == 0,
         "num_heads is " + std::to_string(o.num_heads) + "; expected a divisor of embed_dim, " +
             std::to_string(o.embed_dim));
  demand(o.dropout >= 0 && o.dropout < 1,
         "dropout is " + std::to_string(o.dropout) + "; expected a number in [0, 1)");
  demand(o.kdim >= 0 && o.vdim >= 0, "kdim is " + std::to_string(o.kdim) + " and vdim " +
                                         std::to_string(o.vdim) +
                                         "; expected a width, or 0 for embed_dim");
}

void check_input(const char* name, const at::Tensor& x, int64_t dim, int64_t width) {
  demand(x.defined(), std::string(name) + " is undefined");
  demand(x.dim() == dim && x.size(-1) == width,
         std::string(name) + " has shape " + ops::shape_text(x) + "; expected " +
             (dim == 3 ? "(B, N, " : "packed (T, ") + std::to_string(width) + ")");
}

/// (B,N,E) -> (B,H,N,E/H), packed (T,E) -> (T,H,E/H): views.
at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  const at::Tensor apart = x.unflatten(-1, {heads, x.size(-1) / heads});
  return x.dim() == 3 ? apart.transpose(1, 2) : apart;
}

at::Tensor merge_heads(const at::Tensor& x) {
  return (x.dim() == 4 ? x.transpose(1, 2) : x).flatten(-2);
}

uint64_t draw_seed() {
  return static_cast<uint64_t>(
      at::randint(1, std::numeric_limits<int64_t>::max(), {1}, at::kLong).item<int64_t>());
}

}  // namespace

MultiheadAttention::MultiheadAttention(const MultiheadAttentionOptions& options)
    : options_(options) {
  check_options(options);
  const int64_t e = options.embed_dim;
  if (options_.kdim == 0) options_.kdim = e;
  if (options_.vdim == 0) options_.vdim = e;
  const auto projection = [&](const char* name, int64_t rows, int64_t columns) {
    return torch::nn::init::xavier_uniform_(register_parameter(name, at::empty({rows, columns})));
  };
  if (options_.kdim == e && options_.vdim == e) {
    in_weight_ = projection("in_proj_weight", 3 * e, e);
  } else {
    q_weight_ = projection("q_proj_weight", e, e);
    k_weight_ = projection("k_proj_weight", e, options_.kdim);
    v_weight_ = projection("v_proj_weight", e, options_.vdim);
  }
  if (options.bias) in_bias_ = register_parameter("in_proj_bias", at::zeros({3 * e}));
  const auto out = register_module("out_proj", std::make_shared<torch::nn::Module>("out_proj"));
  out_weight_ = torch::nn::init::kaiming_uniform_(
      out->register_parameter("weight", at::empty({e, e})), std::sqrt(5.0));
  if (options.bias) out_bias_ = out->register_parameter("bias", at::zeros({e}));
}

MultiheadAttention::Projected MultiheadAttention::project(const at::Tensor& query,
                                                          const at::Tensor& key,
                                                          const at::Tensor& value) const {
  const int64_t e = options_.embed_dim;
  const auto bias = [&](int64_t part) {
    return in_bias_.defined() ? in_bias_.narrow(0, part * e, e) : at::Tensor();
  };
  if (in_weight_.defined() && query.is_same(key) && key.is_same(value)) {
    const at::Tensor all = at::linear(query, in_weight_, in_bias_);
    return {all.narrow(-1, 0, e), all.narrow(-1, e, e), all.narrow(-1, 2 * e, e)};
  }
  const auto weight = [&](int64_t part, const at::Tensor& own) {
    return in_weight_.defined() ? in_weight_.narrow(0, part * e, e) : own;
  };
  return {at::linear(query, weight(0, q_weight_), bias(0)),
          at::linear(key, weight(1, k_weight_), bias(1)),
          at::linear(value, weight(2, v_weight_), bias(2))};
}

MultiheadAttentionOutput MultiheadAttention::forward(const at::Tensor& query, const at::Tensor& key,
                                                     const at::Tensor& value,
                                                     const AttentionOptions& attention) const {
  const int64_t dim = attention.q_offsets.defined() || attention.k_offsets.defined() ? 2 : 3;
  check_input("query", query, dim, options_.embed_dim);
  check_input("key", key, dim, options_.kdim);
  check_input("value", value, dim, options_.vdim);
  AttentionOptions settings = attention;
  if (is_training() && options_.dropout > 0) {
    settings.dropout = options_.dropout;
    if (settings.dropout_seed == 0) settings.dropout_seed = draw_seed();
  }
  const Projected p = project(query, key, value);
  MultiheadAttentionOutput result;
  result.attention =
      attn::attention(split_heads(p.q, options_.num_heads), split_heads(p.k, options_.num_heads),
                      split_heads(p.v, options_.num_heads), settings);
  result.out = at::linear(merge_heads(result.attention.out), out_weight_, out_bias_);
  return result;
}

}  // namespace attn::nn
