// Attention with entropy for C++ over std::span: contiguous arrays, every size checked. Header-only
// over the C interface (attn/attn.h), so it needs libattn_core alone and shares no C++ ABI with it.
//
//   std::vector<float> q(8 * 128 * 64), k(q), v(q), out(q.size()), entropy(8 * 128);
//   const attn::spans::Sizes sizes{.heads = 8, .nq = 128, .nk = 128, .d = 64, .dv = 64};
//   attn::spans::forward<float>(sizes, {.q = q, .k = k, .v = v}, {.out = out, .entropy = entropy},
//                               {.causal = attn::spans::Causal::bottom_right});
//
// Equations and sources: attn/core.h. An empty span is absent: an input of its default, an output
// not wanted, a gradient coming in of zero. Throws attn::Error that names the argument, what was
// found and what was expected (nothing is written then); std::bad_alloc; std::runtime_error for
// any other failure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "attn/attn.h"
#include "attn/error.h"
#include "attn/span_detail.h"
#include "attn/span_types.h"

namespace attn::spans {

/// Attention of the equations in attn/core.h.
template <Number T>
void forward(const Sizes& n, const Inputs<T>& in, const Outputs<T>& out, const Options& o = {}) {
  attn_attention c = detail::call_of(n, in, o);
  const int64_t batch = c.q_offsets == nullptr ? n.batch : 1;
  c.out = detail::optional_array("out", out.out, batch, n.heads, n.nq, n.dv);
  c.lse = detail::optional_array("lse", out.lse, batch, n.heads, n.nq, 1);
  c.lse_tail = detail::optional_array("lse_tail", out.lse_tail, batch, n.heads, n.nq, 1);
  c.entropy = detail::optional_array("entropy", out.entropy, batch, n.heads, n.nq, 1);
  c.row_max = detail::optional_array("row_max", out.row_max, batch, n.heads, n.nq, 1);
  c.column_mass = detail::optional_array("column_mass", out.column_mass, batch, n.heads, n.nk, 1);
  detail::check(attn_attention_forward(&c));
}

/// The gradient of `forward` with the same sizes, inputs and options.
template <Number T>
void backward(const Sizes& n, const Inputs<T>& in, const Saved<T>& saved, const Incoming<T>& from,
              const Gradients<T>& to, const Options& o = {}) {
  attn_attention c = detail::call_of(n, in, o);
  const int64_t batch = c.q_offsets == nullptr ? n.batch : 1;
  const int64_t g = n.kv_heads == 0 ? n.heads : n.kv_heads;
  c.out = detail::optional_array("out", saved.out, batch, n.heads, n.nq, n.dv);
  c.lse = detail::optional_array("lse", saved.lse, batch, n.heads, n.nq, 1);
  c.lse_tail = detail::optional_array("lse_tail", saved.lse_tail, batch, n.heads, n.nq, 1);
  c.entropy = detail::optional_array("entropy", saved.entropy, batch, n.heads, n.nq, 1);
  attn_attention_gradient x{};
  x.dout = detail::optional_array("dout", from.dout, batch, n.heads, n.nq, n.dv);
  x.dlse = detail::optional_array("dlse", from.dlse, batch, n.heads, n.nq, 1);
  x.dentropy = detail::optional_array("dentropy", from.dentropy, batch, n.heads, n.nq, 1);
  x.dcolumn_mass =
      detail::optional_array("dcolumn_mass", from.dcolumn_mass, batch, n.heads, n.nk, 1);
  x.dq = detail::optional_array("dq", to.dq, batch, n.heads, n.nq, n.d);
  x.dk = detail::optional_array("dk", to.dk, batch, g, n.nk, n.d);
  x.dv = detail::optional_array("dv", to.dv, batch, g, n.nk, n.dv);
  detail::check_there("dbias", to.dbias.empty(), "bias", in.bias.empty());
  detail::check_there("dslopes", to.dslopes.empty(), "slopes", in.slopes.empty());
  detail::check_there("dsink", to.dsink.empty(), "sink", in.sink.empty());
  x.dbias = detail::bias_array("dbias", to.dbias, n);
  x.dslopes = detail::head_array("dslopes", to.dslopes, n);
  x.dsink = detail::head_array("dsink", to.dsink, n);
  if (x.dbias.data != nullptr) {
    // Zeroed once all else is known to fit: asked for nothing, backward only checks.
    attn_attention_gradient none = x;
    none.dq = none.dk = none.dv = none.dbias = none.dslopes = none.dsink = attn_array{};
    detail::check(attn_attention_backward(&c, &none));
    std::fill(to.dbias.begin(), to.dbias.end(), T(0));
  }
  detail::check(attn_attention_backward(&c, &x));
}

/// Results of the same queries over disjoint keys to those over all of them.
template <Number T>
void merge(const MergeSizes& n, std::span<const Part<T>> parts, const Part<T>& merged,
           int threads = 0) {
  const std::vector<attn_part> all = detail::parts_of(parts, n);
  const attn_merge c = detail::merge_of(n, all, merged, threads);
  detail::check(attn_merge_forward(&c));
}

/// Its gradient: `to` (of each part out, lse and entropy) from that of the merged results.
template <Number T>
void merge_backward(const MergeSizes& n, std::span<const Part<T>> parts, const Part<T>& merged,
                    const Incoming<T>& from, std::span<const Part<T>> to, int threads = 0) {
  if (to.size() != parts.size())
    detail::refuse("to", to.size(), std::to_string(parts.size()) + ", one for each part");
  const std::vector<attn_part> all = detail::parts_of(parts, n), wanted = detail::parts_of(to, n);
  const attn_merge c = detail::merge_of(n, all, merged, threads);
  attn_merge_gradient g{};
  g.dout = detail::optional_array("dout", from.dout, n.batch, n.heads, n.nq, n.dv);
  g.dlse = detail::optional_array("dlse", from.dlse, n.batch, n.heads, n.nq, 1);
  g.dentropy = detail::optional_array("dentropy", from.dentropy, n.batch, n.heads, n.nq, 1);
  g.parts = wanted.data();
  detail::check(attn_merge_backward(&c, &g));
}

/// Attention pooling of packed bags.
template <Number T>
void pool(const Bags<T>& in, const Pooled<T>& out, int threads = 0) {
  const attn_pool c = detail::pool_of(in, out, threads);
  detail::check(attn_pool_forward(&c));
}

/// Its gradient: dscores (T,K), dvalues (T,D).
template <Number T>
void pool_backward(const Bags<T>& in, const Pooled<T>& saved, const Incoming<T>& from,
                   std::span<T> dscores, std::span<T> dvalues, int threads = 0) {
  const attn_pool c = detail::pool_of(in, saved, threads);
  const int64_t row = detail::count_of("dlse", {c.bags, in.heads});
  attn_pool_gradient g{};
  g.dout = detail::data_of("dout", from.dout, detail::count_of("dout", {row, in.d}));
  g.dlse = detail::data_of("dlse", from.dlse, row);
  g.dentropy = detail::data_of("dentropy", from.dentropy, row);
  g.dscores = detail::data_of("dscores", dscores, detail::count_of("dscores", {c.rows, in.heads}));
  g.dvalues = detail::data_of("dvalues", dvalues, detail::count_of("dvalues", {c.rows, in.d}));
  detail::check(attn_pool_backward(&c, &g));
}

}  // namespace attn::spans
