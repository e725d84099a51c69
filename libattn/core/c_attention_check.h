// What the C face asks of an attention call.
#pragma once

#include "libattn/core/c_api.h"

namespace attn::c_api {

/// Extents of the arrays of a call by what they hold; of packed sequences without their batch.
struct AttentionExtents {
  explicit AttentionExtents(const attn_attention& c);
  Extent q, k, v, out, row, bias, key, head;
};

/// How many heads keys and values have.
int64_t kv_heads(const attn_attention& c);

void check_call(const attn_attention* call);
/// What forward asks besides.
void check_forward(const attn_attention& call);
/// What backward asks besides.
void check_gradient(const attn_attention& call, const attn_attention_gradient* gradient);

}  // namespace attn::c_api
