// Merging as the dispatcher knows it; arguments in the order of the schemas.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "attn/attention.h"

namespace attn::ops {

/// One entry a part in each list, in the order of the attention operator's results; row_max: or
/// none at all, or the empty tensors that stand for those not asked for.
struct MergeCall {
  std::vector<at::Tensor> out, lse, entropy, row_max, lse_tail;

  bool has_row_max() const {
    return std::any_of(row_max.begin(), row_max.end(),
                       [](const at::Tensor& t) { return t.dim() != 1 || t.size(0) != 0; });
  }
};
/// out, lse, entropy, row_max (empty where no part has it), lse_tail.
using MergeResults = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using MergeSignature = MergeResults(at::TensorList, at::TensorList, at::TensorList, at::TensorList,
                                    at::TensorList);

struct MergeBackwardCall {
  std::optional<at::Tensor> dout, dlse, dentropy;
  at::Tensor merged_out, merged_lse, merged_entropy;
  std::vector<at::Tensor> out, lse, entropy, lse_tail;
};
/// Gradients of out, lse and entropy of every part, one after another.
using MergeGradients = std::vector<at::Tensor>;
using MergeBackwardSignature = MergeGradients(const std::optional<at::Tensor>&,
                                              const std::optional<at::Tensor>&,
                                              const std::optional<at::Tensor>&, const at::Tensor&,
                                              const at::Tensor&, const at::Tensor&, at::TensorList,
                                              at::TensorList, at::TensorList, at::TensorList);

/// Throws attn::Error unless the parts are of one shape, type and device.
void check_parts(const std::vector<AttentionResult>& parts);

MergeResults merge_kernel(const MergeCall& call);
MergeResults merge_shapes(const MergeCall& call);
MergeResults merge_autograd(const MergeCall& call);
MergeGradients merge_backward_kernel(const MergeBackwardCall& call);
MergeGradients merge_backward_shapes(const MergeBackwardCall& call);

}  // namespace attn::ops
