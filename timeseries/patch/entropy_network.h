// The entropy model's forward pass by differentiable operators.
#pragma once

#include <ATen/core/Tensor.h>

#include "libattn/train/parameters.h"
#include "timeseries/patch/entropy_model.h"

namespace timeseries {

/// x of ids (N,L), as EntropyModel has it: (N L, D).
at::Tensor entropy_features(const EntropyModelOptions& options,
                            const attn::train::Parameters& parameters, const at::Tensor& ids,
                            double dropout, uint64_t seed);

/// Seed of dropout number `draw` of a pass: 0 of the embedding, then two of each block.
uint64_t entropy_dropout_seed(uint64_t seed, uint64_t draw);

/// The embedding (V,D) with the row of each bin replaced by the mean of those around it, weighted
/// by a Gaussian of `sd` bins: x . blurred_v is the mean logit of a target v spread like this.
/// Differentiable.
at::Tensor blurred(const at::Tensor& token, double sd);

/// Log-sum-exp and entropy of the logits of features (T,D): (T) each. Differentiable.
struct ReadOut {
  at::Tensor lse, entropy;
};
ReadOut entropy_read_out(const at::Tensor& features, const at::Tensor& token);

}  // namespace timeseries
