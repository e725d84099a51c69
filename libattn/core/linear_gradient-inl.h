// Per-target: gradients of linear attention within a chunk. Included once per target.
//
// With dn_i = dout_i (times the inverse denominator where normalised, the denominator's own
// gradient then being dd_i = -dn_i.out_i), P_ij = dn_i.v_j + dd_i and M_ij = e^{A_i - A_j}, j <= i:
//   dphi(q_i) = e^{A_i} (S dn_i + z dd_i) + sum_j M_ij P_ij phi(k_j)
//   dphi(k_j) = e^{A_C - A_j} (dS v_j + dz) + sum_i M_ij P_ij phi(q_i)
//   dv_j      = e^{A_C - A_j} phi(k_j) dS + sum_i M_ij (phi(q_i).phi(k_j)) dn_i
// for S before and dS after the chunk. Gradients of features are made transposed, (F, tokens), so
// that neither S nor dS needs to be.
#if defined(ATTN_LINEAR_GRADIENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_LINEAR_GRADIENT_INL_H_
#undef ATTN_LINEAR_GRADIENT_INL_H_
#else
#define ATTN_LINEAR_GRADIENT_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "libattn/core/linear_gradient_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// sum_j M_ij P_ij phi(k_j), transposed; Taylor: over the rows themselves.
template <class T>
HWY_INLINE void add_query_scores(Chunk<T>& c, GradientChunk<T>& g) {
  if (c.kernel) {
    const Rows<const T> q = c.score_q();
    pack_transposed(q.data, q.row, c.n, c.width(), c.score_factor(), c.packed,
                    static_cast<int>(c.tile), static_cast<int>(padded<T>(c.n)));
    causal_tile<true>(c, c.score_k(), c.width(), c.packed, c.scores, [](int, int64_t, int64_t) {});
    std::fill_n(g.sums, c.tile, T(0));
    std::fill_n(g.flipped_rows, c.in->d * c.tile, T(0));
  }
  const Rows<const T>& v = c.head->v;
  causal_tile<true, T>(
      c, {v.data + c.first * v.row, v.row}, c.in->dv, g.packed, g.tile,
      [&](int r, int64_t from, int64_t to) { finish_gradient_row<true>(c, g, r, from, to); });
  if (c.in->decay == Decay::feature) return;
  add_seen_rows<true>(c, c.score_k(), g.tile, c.kernel ? g.flipped_rows : g.flipped);
}

/// dq of a chunk from the state before it, and phi(q).dphi(q) into dlog.
template <class T>
HWY_NOINLINE void query_gradient(Chunk<T>& c, const RunningState<T>& state,
                                 const LinearHeadGradient<T>& head, GradientChunk<T>& g) {
  pack_transposed(g.dn.data, g.dn.row, c.n, c.in->dv, T(1), g.packed, static_cast<int>(c.tile),
                  static_cast<int>(padded<T>(c.n)));
  const int64_t columns = padded<T>(c.n);
  read_state_transposed(g.packed, c.tile, columns, g.dd, state, g.flipped, c.tile);
  if (c.in->decay == Decay::token) scale_columns(c.begin, c.features, columns, g.flipped, c.tile);
  if (c.in->causal) add_query_scores(c, g);
  const Rows<T> dphi = feature_gradient_rows(c, g, head.dq);
  flip(c, g.flipped, c.features, T(1), dphi);
  if (c.in->decay == Decay::feature)
    add_feature_decay_pairs<false>(c, g.tile, int64_t{1}, c.tile, dphi.data);
  for (int r = 0; r < c.n && head.dlog.data != nullptr; ++r) {
    const T *phi = c.q.data + r * c.q.row, *d_phi = dphi.data + r * dphi.row;
    T* to = head.dlog.data + (c.first + r) * head.dlog.row;
    if (c.in->decay == Decay::feature) {
      for (int64_t f = 0; f < c.features; ++f) to[f] = phi[f] * d_phi[f];
    } else {
      *to = dot_product(phi, d_phi, c.features) + (c.kernel ? g.sums[r] : T(0));
    }
  }
  map_gradient(c, g, c.head->q, c.q, dphi, head.dq);
}

/// sum_i M_ij P_ij phi(q_i), transposed, and the scores, ready for dv.
template <class T>
HWY_INLINE void add_key_scores(Chunk<T>& c, GradientChunk<T>& g) {
  if (c.kernel) {
    const Rows<const T> k = c.score_k();
    pack_transposed(k.data, k.row, c.n, c.width(), c.score_factor(), c.packed,
                    static_cast<int>(c.tile), static_cast<int>(padded<T>(c.n)));
    causal_tile<false>(c, c.score_q(), c.width(), c.packed, c.scores, [](int, int64_t, int64_t) {});
    std::fill_n(g.sums, c.tile, T(0));
    std::fill_n(g.flipped_rows, c.in->d * c.tile, T(0));
  } else {
    find_scores(c, c.scores);
  }
  causal_tile<false>(c, g.dn, c.in->dv, g.packed, g.tile, [&](int r, int64_t from, int64_t to) {
    finish_gradient_row<false>(c, g, r, from, to);
    if (c.kernel) hide_and_decay<false>(c, r, from, to, c.scores + r * c.tile);
  });
  if (c.in->decay == Decay::feature) return;
  add_seen_rows<false>(c, c.score_q(), g.tile, c.kernel ? g.flipped_rows : g.flipped);
}

/// dv of a chunk from the gradient of the state after it.
template <class T>
HWY_INLINE void value_gradient(const Chunk<T>& c, const RunningState<T>& dstate,
                               const LinearHeadGradient<T>& head, const GradientChunk<T>& g) {
  const Rows<T> dv = {head.dv.data + c.first * head.dv.row, head.dv.row};
  read_state(c.n, c.state_k, dstate, dv);
  if (!c.in->causal) return;
  Product<T> p;
  p.step = c.tile;
  p.ldb = g.dn.row;
  p.ldo = dv.row;
  p.columns = c.in->dv;
  for (int r0 = 0; r0 < c.n; r0 += kScoreRows) {
    p.a = c.scores + r0 * c.tile + r0;
    p.b = g.dn.data + r0 * g.dn.row;
    p.out = dv.data + r0 * dv.row;
    p.depth = c.n - r0;
    product<Start::add, 1, 0>(std::min(kScoreRows, c.n - r0), p);
  }
}

/// The running sum of dlog over a chunk from its end: `sum` is that of the tokens behind it.
template <class T>
HWY_INLINE void sum_log_gradient(const Chunk<T>& c, const GradientChunk<T>& g, const Rows<T>& dphi,
                                 const Rows<T>& dlog, double* sum) {
  for (int r = c.n - 1; r >= 0; --r) {
    const T *phi = c.k.data + r * c.k.row, *d_phi = dphi.data + r * dphi.row;
    T* to = dlog.data + (c.first + r) * dlog.row;
    if (c.in->decay == Decay::feature) {
      for (int64_t f = 0; f < c.features; ++f) {
        sum[f] += static_cast<double>(to[f]) - static_cast<double>(phi[f] * d_phi[f]);
        to[f] = static_cast<T>(sum[f]);
      }
    } else {
      const T of_key = dot_product(phi, d_phi, c.features) + (c.kernel ? g.sums[r] : T(0));
      *sum += static_cast<double>(*to) - static_cast<double>(of_key);
      *to = static_cast<T>(*sum);
    }
  }
}

/// dk, dv and dlog of a chunk from the gradient of the state after it.
template <class T>
HWY_NOINLINE void key_gradient(Chunk<T>& c, const RunningState<T>& dstate,
                               const LinearHeadGradient<T>& head, double* log_sum,
                               GradientChunk<T>& g) {
  const Rows<const T>& v = c.head->v;
  pack_transposed(v.data + c.first * v.row, v.row, c.n, c.in->dv, T(1), g.packed,
                  static_cast<int>(c.tile), static_cast<int>(padded<T>(c.n)));
  const int64_t columns = padded<T>(c.n);
  read_state_transposed<T>(g.packed, c.tile, columns, nullptr, dstate, g.flipped, c.tile);
  if (c.in->decay == Decay::token) scale_columns(c.end, c.features, columns, g.flipped, c.tile);
  if (c.in->causal) add_key_scores(c, g);
  if (head.dv.data != nullptr) value_gradient(c, dstate, head, g);
  const Rows<T> dphi = feature_gradient_rows(c, g, head.dk);
  flip(c, g.flipped, c.features, T(1), dphi);
  if (c.in->decay == Decay::feature)
    add_feature_decay_pairs<true>(c, g.tile, c.tile, int64_t{1}, dphi.data);
  if (head.dlog.data != nullptr) sum_log_gradient(c, g, dphi, head.dlog, log_sum);
  map_gradient(c, g, c.head->k, c.k, dphi, head.dk);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_LINEAR_GRADIENT_INL_H_
