// Attention entropy maximisation (AEM; Zhang et al., MICCAI 2025): one weighted term on the
// attention, no extra module.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace attn::nn {

enum class WeightSchedule { constant, cosine, linear };

/// Loss term lambda_t R with R = sum_n a_n ln a_n = -H(a) (natural logarithm, not divided by ln N),
/// averaged over heads.
struct EntropyRegulariser {
  double weight = 0;  ///< lambda; 0 switches the term off altogether, not merely to zero
  WeightSchedule schedule = WeightSchedule::constant;

  /// lambda_t at t = progress in [0, 1]: constant lambda; cosine lambda/2 (1 + cos(pi t)); linear
  /// lambda (1 - t).
  double weight_at(double progress) const;
  /// lambda_t R of `entropy` (B,K) as attn::attention_pool returns it: mean over heads, sum over
  /// bags. Differentiable, scalar; a lambda_t of 0 gives 0 without a graph, whatever the entropy
  /// is.
  at::Tensor term(const at::Tensor& entropy, double progress) const;
};

/// "constant", "cosine", "linear"; throws UsageError on another word.
WeightSchedule parse_weight_schedule(std::string_view word);
std::string to_string(WeightSchedule schedule);

}  // namespace attn::nn
