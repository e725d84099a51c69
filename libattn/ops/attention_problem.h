// One call of the attention operator: what was asked, checked, and its run through the kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "attn/attention.h"

namespace attn::ops {

/// What the gradients are of, in the order of `AttentionProblem::inputs`.
enum AttentionArgument : size_t { kQ, kK, kV, kBias, kSlopes, kSink, kArguments };

/// A checked call.
struct AttentionProblem {
  std::array<at::Tensor, kArguments> inputs;  ///< undefined where not given
  at::Tensor mask, q_offsets, k_offsets;
  AttentionOptions options;  ///< its tensors are empty: they are above
  double scale = 1;

  bool packed() const { return q_offsets.defined(); }
};

/// Results as the caller sees them, and what backward needs besides; undefined where not wanted.
struct AttentionSaved {
  at::Tensor out, lse, entropy, row_max, column_mass, lse_tail;
};

/// Throws attn::Error, one sentence that names the argument, what was found and what was expected.
AttentionProblem check_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const AttentionOptions& options);

AttentionSaved attention_forward(const AttentionProblem& problem);

/// Gradients coming in; undefined: zero.
struct AttentionIncoming {
  at::Tensor out, lse, entropy, column_mass;
};
/// Gradients of the inputs; undefined where not `wanted`.
std::array<at::Tensor, kArguments> attention_backward(const AttentionProblem& problem,
                                                      const AttentionSaved& saved,
                                                      const AttentionIncoming& incoming,
                                                      const std::array<bool, kArguments>& wanted);

}  // namespace attn::ops
