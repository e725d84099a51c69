#include "libattn/core/attention_head.h"

#include <limits>

namespace attn::core {
namespace {

template <class T>
int64_t window_side(int64_t keys) {
  return keys < 0 ? Head<T>::kUnlimited : std::min(keys, Head<T>::kUnlimited);
}

}  // namespace

template <class T>
Head<T> head_of(const AttentionInput<T>& in, int64_t batch, int64_t head) {
  Head<T> h;
  h.batch = batch, h.head = head;
  h.kv_head = head / (in.heads / kv_heads(in));
  h.nq = queries_of(in, batch), h.nk = keys_of(in, batch), h.d = in.d, h.dv = in.dv;
  if (in.q_offsets != nullptr) h.query0 = in.q_offsets[batch], h.key0 = in.k_offsets[batch];
  const bool top_left =
      in.causal == Causal::top_left || (in.causal == Causal::none && in.align == Align::top_left);
  h.diagonal = top_left ? 0 : h.nk - h.nq;
  h.left = window_side<T>(in.window_left);
  h.right = window_side<T>(in.window_right);
  if (in.causal != Causal::none) h.right = 0;
  h.scale = static_cast<T>(in.scale);
  h.softcap = static_cast<T>(in.softcap);
  h.has_slope = in.slope.data != nullptr;
  if (h.has_slope) h.slope = in.slope.data[batch * in.slope.batch + head * in.slope.head];
  if (in.sink.data != nullptr) h.sink = in.sink.data[batch * in.sink.batch + head * in.sink.head];
  h.has_sink = in.sink.data != nullptr && h.sink != -std::numeric_limits<T>::infinity();
  h.has_dropout = in.dropout > 0;
  h.q = rows_of(in, in.q, batch, head, h.query0);
  h.k = rows_of(in, in.k, batch, h.kv_head, h.key0);
  h.v = rows_of(in, in.v, batch, h.kv_head, h.key0);
  if (in.bias.data != nullptr) {
    h.bias = {in.bias.data + batch * in.bias.batch + head * in.bias.head, in.bias.row};
    h.bias_column = in.bias.column;
  }
  if (in.key_mask != nullptr) h.mask = in.key_mask + batch * in.key_mask_batch;
  h.mask_column = in.key_mask_column;
  return h;
}

template Head<float> head_of(const AttentionInput<float>&, int64_t, int64_t);
template Head<double> head_of(const AttentionInput<double>&, int64_t, int64_t);

}  // namespace attn::core
