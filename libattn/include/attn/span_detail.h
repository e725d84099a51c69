// How the spans of attn/span.h become calls of attn/attn.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "attn/attn.h"
#include "attn/error.h"
#include "attn/span_types.h"

namespace attn::spans::detail {

/// The product of sizes; an error where it is no number of elements.
inline int64_t count_of(const char* name, std::initializer_list<int64_t> sizes) {
  int64_t count = 1;
  for (const int64_t n : sizes) {
    if (n < 0)
      throw Error(std::string(name) + ": a size is " + std::to_string(n) + "; expected 0 or more");
    if (n > 0 && count > std::numeric_limits<int64_t>::max() / n)
      throw Error(std::string(name) + ": its sizes are larger than any array");
    count *= n;
  }
  return count;
}

inline void check(attn_status status) {
  if (status == ATTN_OK) return;
  if (status == ATTN_OUT_OF_MEMORY) throw std::bad_alloc();
  if (status == ATTN_INVALID) throw Error(attn_error_message());
  throw std::runtime_error(attn_error_message());
}

template <class T>
constexpr int32_t type_of() {
  return std::is_same_v<std::remove_const_t<T>, float> ? ATTN_FLOAT32 : ATTN_FLOAT64;
}

[[noreturn]] inline void refuse(const char* name, size_t found, const std::string& expected) {
  throw Error(std::string(name) + " has " + std::to_string(found) + " elements; expected " +
              expected);
}

inline void check_there(const char* wanted, bool not_wanted, const char* of, bool absent) {
  if (!not_wanted && absent)
    throw Error(std::string(wanted) + " is wanted and " + of + " is empty; expected both");
}

/// A span of (batch, heads, rows, columns) elements, or empty.
template <class T>
attn_array optional_array(const char* name, std::span<T> x, int64_t batch, int64_t heads,
                          int64_t rows, int64_t columns) {
  if (x.empty()) return {};
  const int64_t n = count_of(name, {batch, heads, rows, columns});
  if (x.size() != static_cast<uint64_t>(n)) refuse(name, x.size(), std::to_string(n));
  return attn_contiguous(const_cast<std::remove_const_t<T>*>(x.data()), heads, rows, columns);
}

/// The same that must be there.
template <class T>
attn_array array(const char* name, std::span<T> x, int64_t batch, int64_t heads, int64_t rows,
                 int64_t columns) {
  const int64_t n = count_of(name, {batch, heads, rows, columns});
  if (x.empty() && n > 0) refuse(name, 0, std::to_string(n));
  return optional_array(name, x, batch, heads, rows, columns);
}

/// (outer, inner) elements, or the inner alone for all the outer. `outer` dimensions get stride 0.
template <class T>
attn_array shared_array(const char* name, std::span<T> x, attn_array whole, int64_t outer,
                        int64_t inner, bool heads_shared) {
  if (x.empty()) return {};
  const int64_t n = count_of(name, {outer, inner});
  whole.data = const_cast<std::remove_const_t<T>*>(x.data());
  if (x.size() == static_cast<uint64_t>(n)) return whole;
  if (x.size() != static_cast<uint64_t>(inner))
    refuse(name, x.size(), std::to_string(n) + " or " + std::to_string(inner));
  whole.batch = 0;
  if (heads_shared) whole.head = 0;
  return whole;
}

template <class T>
attn_array bias_array(const char* name, std::span<T> x, const Sizes& n) {
  return shared_array(name, x, attn_contiguous(nullptr, n.heads, n.nq, n.nk),
                      count_of(name, {n.batch, n.heads}), count_of(name, {n.nq, n.nk}), true);
}

template <class T>
attn_array head_array(const char* name, std::span<T> x, const Sizes& n) {
  return shared_array(name, x, {nullptr, n.heads, 1, 0, 0}, n.batch, n.heads, false);
}

inline const int64_t* offsets_of(const char* name, std::span<const int64_t> x, int64_t batch) {
  if (x.empty()) return nullptr;
  if (batch < 0 || x.size() != static_cast<uint64_t>(batch) + 1)
    refuse(name, x.size(), "batch + 1 = " + std::to_string(batch + 1));
  return x.data();
}

/// Sizes, inputs and options as a call.
template <class T>
attn_attention call_of(const Sizes& n, const Inputs<T>& in, const Options& o) {
  attn_attention c = attn_attention_init();
  c.type = type_of<T>();
  c.batch = n.batch, c.heads = n.heads, c.kv_heads = n.kv_heads;
  c.nq = n.nq, c.nk = n.nk, c.d = n.d, c.dv = n.dv;
  c.q_offsets = offsets_of("q_offsets", in.q_offsets, n.batch);
  c.k_offsets = offsets_of("k_offsets", in.k_offsets, n.batch);
  const int64_t batch = c.q_offsets == nullptr ? n.batch : 1;
  const int64_t g = n.kv_heads == 0 ? n.heads : n.kv_heads;
  c.q = array("q", in.q, batch, n.heads, n.nq, n.d);
  c.k = array("k", in.k, batch, g, n.nk, n.d);
  c.v = optional_array("v", in.v, batch, g, n.nk, n.dv);
  c.bias = bias_array("bias", in.bias, n);
  c.slopes = head_array("slopes", in.slopes, n);
  c.sink = head_array("sink", in.sink, n);
  if (!in.key_mask.empty()) {
    const int64_t keys = count_of("key_mask", {n.batch, n.nk});
    if (in.key_mask.size() != static_cast<uint64_t>(keys))
      refuse("key_mask", in.key_mask.size(), std::to_string(keys));
    c.key_mask = in.key_mask.data(), c.key_mask_batch = n.nk, c.key_mask_column = 1;
  }
  if (o.scale && *o.scale != *o.scale) throw Error("scale is nan; expected a number");
  if (o.scale) c.scale = *o.scale;
  c.causal = static_cast<int32_t>(o.causal), c.align = static_cast<int32_t>(o.align);
  c.window_left = o.window_left, c.window_right = o.window_right;
  c.softcap = o.softcap, c.dropout = o.dropout;
  c.dropout_seed = o.dropout_seed, c.dropout_offset = o.dropout_offset;
  c.threads = o.threads;
  return c;
}

template <class T>
attn_part part_of(const Part<T>& p, const MergeSizes& n) {
  return {optional_array("out", p.out, n.batch, n.heads, n.nq, n.dv),
          optional_array("lse", p.lse, n.batch, n.heads, n.nq, 1),
          optional_array("lse_tail", p.lse_tail, n.batch, n.heads, n.nq, 1),
          optional_array("entropy", p.entropy, n.batch, n.heads, n.nq, 1),
          optional_array("row_max", p.row_max, n.batch, n.heads, n.nq, 1)};
}

template <class T>
std::vector<attn_part> parts_of(std::span<const Part<T>> parts, const MergeSizes& n) {
  std::vector<attn_part> all;
  all.reserve(parts.size());
  for (const Part<T>& part : parts) all.push_back(part_of(part, n));
  return all;
}

template <class T>
attn_merge merge_of(const MergeSizes& n, const std::vector<attn_part>& parts, const Part<T>& merged,
                    int threads) {
  attn_merge c = attn_merge_init();
  c.type = type_of<T>();
  c.batch = n.batch, c.heads = n.heads, c.nq = n.nq, c.dv = n.dv;
  c.parts_count = static_cast<int64_t>(parts.size()), c.parts = parts.data();
  c.merged = part_of(merged, n);
  c.threads = threads;
  return c;
}

/// The data of `n` elements, or NULL.
template <class T>
auto* data_of(const char* name, std::span<T> x, int64_t n) {
  if (!x.empty() && x.size() != static_cast<uint64_t>(n)) refuse(name, x.size(), std::to_string(n));
  return const_cast<std::remove_const_t<T>*>(x.empty() ? nullptr : x.data());
}

template <class T>
attn_pool pool_of(const Bags<T>& in, const Pooled<T>& out, int threads) {
  if (in.offsets.empty()) refuse("offsets", 0, "bags + 1");
  attn_pool c = attn_pool_init();
  c.type = type_of<T>();
  c.bags = static_cast<int64_t>(in.offsets.size()) - 1,
  c.rows = std::max<int64_t>(in.offsets.back(), 0);
  c.heads = in.heads, c.d = in.d, c.offsets = in.offsets.data();
  const int64_t row = count_of("lse", {c.bags, in.heads});
  c.scores = data_of("scores", in.scores, count_of("scores", {c.rows, in.heads}));
  c.values = data_of("values", in.values, count_of("values", {c.rows, in.d}));
  c.out = data_of("out", out.out, count_of("out", {c.bags, in.heads, in.d}));
  c.lse = data_of("lse", out.lse, row);
  c.lse_tail = data_of("lse_tail", out.lse_tail, row);
  c.entropy = data_of("entropy", out.entropy, row);
  c.threads = threads;
  return c;
}

}  // namespace attn::spans::detail
