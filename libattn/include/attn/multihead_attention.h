// Multi-head attention (Vaswani et al. 2017, section 3.2.2) as a module, with the entropy of every
// head, and the parameters of torch::nn::MultiheadAttention by name and shape.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>

#include "attn/attention.h"
#include "attn/export.h"

namespace attn::nn {

struct MultiheadAttentionOptions {
  int64_t embed_dim = 0;       ///< E, width of queries and results
  int64_t num_heads = 1;       ///< H, divides E
  double dropout = 0;          ///< of the weights, in training
  bool bias = true;            ///< of all four projections
  int64_t kdim = 0, vdim = 0;  ///< widths of keys and values; 0: E
};

struct MultiheadAttentionOutput {
  at::Tensor out;             ///< (B,Nq,E), packed (Tq,E)
  AttentionResult attention;  ///< what attn::attention gave: (B,H,Nq,E/H), statistics (B,H,Nq)
};

/// out = concat_h(attention(q W_q, k W_k, v W_v)) W_o. Parameters, as LibTorch's C++ and Python
/// modules name them, so that their state dicts load: in_proj_weight (3E,E), or q_proj_weight
/// (E,E), k_proj_weight (E,kdim) and v_proj_weight (E,vdim) where a width differs; in_proj_bias
/// (3E); out_proj.weight (E,E), out_proj.bias (E); initialised as there.
class ATTN_PUBLIC MultiheadAttention : public torch::nn::Module {
 public:
  /// Throws attn::Error where widths, heads or dropout make no sense.
  explicit MultiheadAttention(const MultiheadAttentionOptions& options);

  /// query (B,Nq,E), key (B,Nk,kdim), value (B,Nk,vdim): batch first. With `attention.q_offsets`
  /// and `k_offsets`: packed, (Tq,E), (Tk,kdim), (Tk,vdim). Of `attention` everything may be set;
  /// key_padding_mask is true where a key is visible (the opposite of LibTorch's); the module's
  /// dropout counts in training, with a seed drawn from LibTorch's default generator where
  /// dropout_seed is 0. Differentiable. Throws attn::Error for shapes that do not fit, and as
  /// attn::attention does.
  MultiheadAttentionOutput forward(const at::Tensor& query, const at::Tensor& key,
                                   const at::Tensor& value,
                                   const AttentionOptions& attention = {}) const;

 private:
  struct Projected {
    at::Tensor q, k, v;
  };
  Projected project(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) const;

  MultiheadAttentionOptions options_;
  at::Tensor in_weight_, q_weight_, k_weight_, v_weight_, in_bias_, out_weight_, out_bias_;
};

}  // namespace attn::nn
