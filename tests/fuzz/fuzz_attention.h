// One attention call of the fuzz target.
#pragma once

#include <memory>
#include <vector>

#include "tests/fuzz/fuzz_input.h"

namespace attn::fuzz {

using Slot = std::unique_ptr<Array>;

/// A call, valid unless `sabotage` has been at it, and all it points to.
struct AttentionCall {
  attn_attention call = attn_attention_init();
  attn_attention_gradient gradient{};
  Level level = Level::moderate;
  Slot q, k, v, bias, slopes, sink;
  Slot out, lse, lse_tail, entropy, row_max, column_mass;
  Slot dout, dlse, dentropy, dcolumn_mass, dq, dk, dv, dbias, dslopes, dsink;
  std::unique_ptr<Block> mask, q_offsets, k_offsets;

  bool packed() const { return call.q_offsets != nullptr; }
  std::vector<Array*> written();
  std::vector<Array*> gradients();
};

void draw_attention(Bytes& bytes, AttentionCall& c);
void draw_gradient(Bytes& bytes, AttentionCall& c);

/// Makes the call one that must be refused; false where the fault drawn does not apply.
bool sabotage_call(Bytes& bytes, AttentionCall& c);
bool sabotage_gradient(Bytes& bytes, AttentionCall& c);

/// What must hold after forward, and after backward.
void check_forward(const AttentionCall& c);
void check_backward(const AttentionCall& c);

}  // namespace attn::fuzz
