// The C face of attention.
#include <cmath>
#include <limits>

#include "libattn/core/c_attention_check.h"

namespace attn::c_api {
namespace {

template <class T>
core::AttentionInput<T> input_of(const attn_attention& c) {
  core::AttentionInput<T> in;
  in.batch = c.batch, in.heads = c.heads, in.kv_heads = c.kv_heads;
  in.nq = c.nq, in.nk = c.nk, in.d = c.d, in.dv = c.dv;
  in.q_offsets = c.q_offsets, in.k_offsets = c.k_offsets;
  in.scale = std::isnan(c.scale) ? 1 / std::sqrt(static_cast<double>(c.d)) : c.scale;
  in.causal = static_cast<core::Causal>(c.causal);
  in.align = static_cast<core::Align>(c.align);
  in.window_left = c.window_left, in.window_right = c.window_right;
  in.q = view<const T>(c.q), in.k = view<const T>(c.k), in.v = view<const T>(c.v);
  in.bias = bias_view<const T>(c.bias);
  in.key_mask = c.key_mask;
  in.key_mask_batch = c.key_mask_batch, in.key_mask_column = c.key_mask_column;
  in.softcap = c.softcap;
  in.slope = head_view<const T>(c.slopes);
  in.sink = head_view<const T>(c.sink);
  in.dropout = c.dropout;
  in.dropout_seed = c.dropout_seed, in.dropout_offset = c.dropout_offset;
  return in;
}

template <class T>
core::AttentionOutput<T> output_of(const attn_attention& c) {
  return {view<T>(c.out),     view<T>(c.lse),     view<T>(c.lse_tail),
          view<T>(c.entropy), view<T>(c.row_max), view<T>(c.column_mass)};
}

template <class T>
core::AttentionGradient<T> gradient_of(const attn_attention_gradient& g) {
  core::AttentionGradient<T> out;
  out.dout = view<const T>(g.dout);
  out.dlse = view<const T>(g.dlse);
  out.dentropy = view<const T>(g.dentropy);
  out.dcolumn_mass = view<const T>(g.dcolumn_mass);
  out.dq = view<T>(g.dq), out.dk = view<T>(g.dk), out.dv = view<T>(g.dv);
  out.dbias = bias_view<T>(g.dbias);
  out.dslope = head_view<T>(g.dslopes);
  out.dsink = head_view<T>(g.dsink);
  return out;
}

void forward(const attn_attention& c) {
  const AttentionExtents n(c);
  // Nothing to write: sizes may then be of any kind.
  bool any = wanted(c.out, n.out) || wanted(c.column_mass, n.key);
  for (const attn_array* a : {&c.lse, &c.lse_tail, &c.entropy, &c.row_max})
    any = any || wanted(*a, n.row);
  if (!any) return;
  if (n.row.empty()) return fill_zero(c.column_mass, n.key, c.type);
  with_type(c.type, [&](auto zero) {
    using T = decltype(zero);
    core::attention_forward(input_of<T>(c), output_of<T>(c), threads_of(c.threads));
  });
}

void backward(const attn_attention& c, const attn_attention_gradient& g) {
  const AttentionExtents n(c);
  if (n.row.empty()) {
    fill_zero(g.dk, n.k, c.type);
    fill_zero(g.dv, n.v, c.type);
    fill_zero(g.dslopes, summed(g.dslopes, n.head), c.type);
    fill_zero(g.dsink, summed(g.dsink, n.head), c.type);
    return;
  }
  if (!wanted(g.dq, n.q) && !wanted(g.dk, n.k) && !wanted(g.dv, n.v) && !wanted(g.dbias, n.bias) &&
      !wanted(g.dslopes, n.head) && !wanted(g.dsink, n.head))
    return;
  with_type(c.type, [&](auto zero) {
    using T = decltype(zero);
    core::attention_backward(input_of<T>(c), output_of<T>(c), gradient_of<T>(g),
                             threads_of(c.threads));
  });
}

}  // namespace
}  // namespace attn::c_api

extern "C" {

attn_attention attn_attention_init(void) {
  attn_attention call{};
  call.version = attn::c_api::kCallVersion;
  call.scale = std::numeric_limits<double>::quiet_NaN();
  call.window_left = call.window_right = -1;
  return call;
}

attn_status attn_attention_forward(const attn_attention* call) {
  return attn::c_api::guarded([&] {
    attn::c_api::check_call(call);
    attn::c_api::check_forward(*call);
    attn::c_api::forward(*call);
  });
}

attn_status attn_attention_backward(const attn_attention* call,
                                    const attn_attention_gradient* gradient) {
  return attn::c_api::guarded([&] {
    attn::c_api::check_call(call);
    attn::c_api::check_gradient(*call, gradient);
    attn::c_api::backward(*call, *gradient);
  });
}

}  // extern "C"
