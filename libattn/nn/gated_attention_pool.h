// Attention pooling of bags (Ilse, Tomczak, Welling, ICML 2018): plain (eq. 8) and gated (eq. 9).
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace attn::nn {

/// Weights of the scoring network, K heads. Plain attention: `u_weight` and `u_bias` undefined.
struct GatedAttentionWeights {
  at::Tensor v_weight, v_bias;  ///< (A,D), (A)
  at::Tensor u_weight, u_bias;  ///< (A,D), (A)
  at::Tensor w_weight, w_bias;  ///< (K,A), (K)
  bool gated() const { return u_weight.defined(); }
};

/// What the backward pass needs of a forward pass.
struct GatedAttentionCache {
  at::Tensor tanh_v;     ///< (T,A) tanh(V h + b_V)
  at::Tensor sigmoid_u;  ///< (T,A) sigmoid(U h + b_U); undefined when plain
  at::Tensor hidden;     ///< (T,A) their product
};

/// Scores s_n = w^T [tanh(V h_n + b_V) * sigmoid(U h_n + b_U)] + b_w of instances h (T,D) -> (T,K).
/// No autograd graph.
at::Tensor gated_attention_forward(const at::Tensor& h, const GatedAttentionWeights& weights,
                                   GatedAttentionCache* cache = nullptr);

/// Gradients of the scores: those of the weights are added to `grad` (same shapes), dh (T,D) to
/// `grad_h` where that is defined.
void gated_attention_backward(const at::Tensor& grad_scores, const at::Tensor& h,
                              const GatedAttentionWeights& weights,
                              const GatedAttentionCache& cache, GatedAttentionWeights& grad,
                              const at::Tensor& grad_h);

/// The same scores with autograd, through the two functions above. Throws attn::Error where h is
/// not (T,D) of the weights' type on the CPU, and when differentiated twice.
at::Tensor gated_attention_scores(const at::Tensor& h, const GatedAttentionWeights& weights);

struct AttentionPoolOutput {
  at::Tensor pooled;   ///< (B,K,D) sum_n a_n h_n
  at::Tensor entropy;  ///< (B,K) nats
  at::Tensor lse;      ///< (B,K) log sum exp of the scores: a_n = exp(s_n - lse)
  at::Tensor scores;   ///< (T,K)
};

struct AttentionPoolOptions {
  int64_t input = 0;        ///< D
  int64_t attention = 128;  ///< A
  int64_t heads = 1;        ///< K
  bool gated = true;
};

/// The scoring network and attn::attention_pool as one module; weights initialised as torch's
/// Linear.
class AttentionPool : public torch::nn::Module {
 public:
  explicit AttentionPool(const AttentionPoolOptions& options);
  /// h (T,D) the instances of all bags one after the other; offsets (B+1) int64 or int32 on the
  /// CPU, from 0 to T. Differentiable. Throws attn::Error as gated_attention_scores and
  /// attn::attention_pool do.
  AttentionPoolOutput forward(const at::Tensor& h, const at::Tensor& offsets) const;
  const GatedAttentionWeights& weights() const { return weights_; }

 private:
  GatedAttentionWeights weights_;
};

}  // namespace attn::nn
