// Test cases as calls of the C face.
#pragma once

#include <type_traits>

#include "attn/attn.h"
#include "tests/libattn/core/reference.h"

namespace attn::test {

template <class T>
constexpr int32_t kType = std::is_same_v<T, float> ? ATTN_FLOAT32 : ATTN_FLOAT64;

/// A contiguous array of the C face; NULL where `x` is empty.
template <class T>
attn_array c_array(const std::vector<T>& x, int64_t heads, int64_t rows, int64_t columns) {
  void* data = x.empty() ? nullptr : const_cast<T*>(x.data());
  return attn_contiguous(data, heads, rows, columns);
}

/// A case, its results in `r`.
template <class T>
attn_attention c_call(const AttentionCase<T>& c, const AttentionValues<T>& r) {
  attn_attention call = attn_attention_init();
  call.type = kType<T>;
  call.batch = c.b, call.heads = c.h, call.kv_heads = c.g;
  call.nq = c.nq, call.nk = c.nk, call.d = c.d, call.dv = c.dv;
  call.q = c_array(c.q, c.h, c.nq, c.d);
  call.k = c_array(c.k, c.g, c.nk, c.d);
  call.v = c_array(c.v, c.g, c.nk, c.dv);
  call.bias = c_array(c.bias, c.h, c.nq, c.nk);
  if (!c.mask.empty())
    call.key_mask = c.mask.data(), call.key_mask_batch = c.nk, call.key_mask_column = 1;
  call.slopes = c_array(c.slope, c.h, 1, 1);
  call.sink = c_array(c.sink, 0, 1, 1);  // shared by the batches
  call.scale = c.scale;
  call.causal = static_cast<int32_t>(c.causal), call.align = static_cast<int32_t>(c.align);
  call.window_left = c.window_left, call.window_right = c.window_right;
  call.softcap = c.softcap, call.dropout = c.dropout, call.dropout_seed = c.seed;
  call.threads = 2;
  call.out = c_array(r.out, c.h, c.nq, c.dv);
  call.lse = c_array(r.lse, c.h, c.nq, 1);
  call.lse_tail = c_array(r.lse_tail, c.h, c.nq, 1);
  call.entropy = c_array(r.entropy, c.h, c.nq, 1);
  call.row_max = c_array(r.row_max, c.h, c.nq, 1);
  call.column_mass = c_array(r.mass, c.h, c.nk, 1);
  return call;
}

template <class T>
attn_attention_gradient c_gradient(const AttentionCase<T>& c, const AttentionValues<T>& r) {
  attn_attention_gradient g{};
  g.dout = c_array(c.dout, c.h, c.nq, c.dv);
  g.dlse = c_array(c.dlse, c.h, c.nq, 1);
  g.dentropy = c_array(c.dentropy, c.h, c.nq, 1);
  g.dcolumn_mass = c_array(c.dmass, c.h, c.nk, 1);
  g.dq = c_array(r.dq, c.h, c.nq, c.d);
  g.dk = c_array(r.dk, c.g, c.nk, c.d);
  g.dv = c_array(r.dv, c.g, c.nk, c.dv);
  g.dbias = c_array(r.dbias, c.h, c.nq, c.nk);
  g.dslopes = c_array(r.dslope, c.h, 1, 1);
  g.dsink = c_array(r.dsink, 0, 1, 1);
  return g;
}

}  // namespace attn::test
