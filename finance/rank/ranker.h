// Ranking networks: scores of the traders of lists.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "finance/rank/ranker_options.h"
#include "libattn/train/parameters.h"

namespace finance {

/// Lists of T traders, packed: list l is traders offsets[l] ... offsets[l+1] - 1.
struct RankBatch {
  at::Tensor features;  ///< (T,F) fp32
  at::Tensor codes;     ///< (T,C) int64
  at::Tensor offsets;   ///< (L+1) int64
};

struct RankPass {
  bool training = false;  ///< with dropout
  uint64_t seed = 0;      ///< of dropout
};

/// One network by RankerOptions::model. With x the numbers and e = sum_c E_c[code_c] of a trader:
///   embedding   h = W2 gelu(W1 x + e + b1) + b2
///   cross       attn::nn::encoder over the traders of a list, without positions
///   mlp         h <- h + W2 gelu(W1 n(h)) each layer
///   tokens      t_f = x_f w_f + b_f, E_c[code_c], and one learned token first; attn::nn::encoder
///               over the tokens of one trader; its first token is the trader (Gorishniy et al.
///               2021, FT-Transformer; PA-RiskRanker's stage 1)
///   head        s = w2 . gelu(W1 n(h) + b1) + b2 ; rankformer: s = w . n(h) + b ; bounded: tanh s
/// n: layer normalisation; that of the head has no weight, which its matrix has. Permuting the
/// traders of a list permutes their scores. Where nothing is to be differentiated cross and
/// rankformer go through one fused pass (cross_kernel.h), whose last digits may differ.
class Ranker {
 public:
  Ranker(const RankerOptions& options, uint64_t seed);
  Ranker(const RankerOptions& options, attn::train::Parameters parameters);
  static std::vector<attn::train::ParameterSpec> specs(const RankerOptions& options);

  /// (T). Not training: a list's scores depend on that list alone and on no number of threads.
  at::Tensor forward(const RankBatch& batch, const RankPass& pass = {}) const;

  /// Of a batch of one list: how much each trader looks at each, (layers, heads, n, n); undefined
  /// where the model does not look across traders.
  at::Tensor attention(const RankBatch& list) const;

  const RankerOptions& options() const { return options_; }
  const attn::train::Parameters& parameters() const { return parameters_; }
  /// Takes the parameters that both have, tokens and attention among features, from a network of
  /// model `self` (std::logic_error on others).
  void take_self_stage(const Ranker& pretrained) const;

 private:
  at::Tensor by_operators(const RankBatch& batch, const RankPass& pass) const;
  at::Tensor fused(const RankBatch& batch) const;  ///< the same of cross and rankformer
  at::Tensor category_sum(const RankBatch& batch) const;
  at::Tensor embedded(const RankBatch& batch) const;
  at::Tensor tokens(const RankBatch& batch, const RankPass& pass) const;
  at::Tensor hidden_layers(at::Tensor h, const RankPass& pass) const;
  at::Tensor head(at::Tensor x) const;  ///< of n(h)

  RankerOptions options_;
  attn::train::Parameters parameters_;
};

}  // namespace finance
