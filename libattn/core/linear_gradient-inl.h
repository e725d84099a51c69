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
#include "libattn/core/linear_sweep-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Gradients of one head, and the outputs of its forward pass.
template <class T>
struct LinearHeadGradient {
  Rows<const T> out, inverse, dout, dlast_state, dlast_norm;
  Rows<T> dq, dk, dv, dlog, dstate, dnorm;
};

/// Scratch of the gradients of a chunk.
template <class T>
struct GradientChunk {
  Rows<const T> dn;  // (n, dv)
  T* dd = nullptr;   // (n)
  T *own_dn = nullptr, *inverse = nullptr;
  T *packed = nullptr, *tile = nullptr;           // dn or v transposed; P
  T *flipped = nullptr, *flipped_rows = nullptr;  // (F, tokens); Taylor's scores: (d, tokens)
  T* rows = nullptr;                              // (tokens, F)
  T* sums = nullptr;  // Taylor's scores: per token, sum of M P (1 + s + s^2 / 2)
};

template <class T>
HWY_INLINE void add_gradient(const LinearPlan& plan, const Chunk<T>& c, GradientChunk<T>& g,
                             Pieces<T>& pieces) {
  const int64_t dv = c.in->dv;
  for (T** piece : {&g.dd, &g.inverse, &g.sums}) pieces.add(piece, c.tile);
  pieces.add(&g.own_dn, plan.chunk * padded<T>(dv));
  pieces.add(&g.packed, dv * c.tile);
  pieces.add(&g.flipped, c.features * c.tile);
  pieces.add(&g.rows, plan.chunk * c.ld);
  if (c.in->causal) pieces.add(&g.tile, plan.chunk * c.tile);
  if (c.kernel) pieces.add(&g.flipped_rows, c.in->d * c.tile);
}

/// dn and dd of a chunk.
template <class T>
HWY_NOINLINE void find_gradients(const Chunk<T>& c, const LinearHeadGradient<T>& head,
                                 GradientChunk<T>& g) {
  const Rows<const T>& dout = head.dout;
  const int64_t ld = padded<T>(c.in->dv);
  g.dn = {g.own_dn, ld};
  if (dout.data == nullptr) return;  // zeros
  const Rows<const T> here = {dout.data + c.first * dout.row, dout.row};
  if (!c.in->normalise) {
    g.dn = here;
    return;
  }
  for (int r = 0; r < c.n; ++r) g.inverse[r] = head.inverse.data[(c.first + r) * head.inverse.row];
  scale_rows<T>(here, c.n, c.in->dv, g.inverse, {g.own_dn, ld});
  for (int r = 0; r < c.n; ++r)
    g.dd[r] =
        -dot_product(g.own_dn + r * ld, head.out.data + (c.first + r) * head.out.row, c.in->dv);
}

/// (F, tokens) times a number per token.
template <class T>
HWY_INLINE void scale_columns(const T* by, int64_t rows, int64_t columns, T* x, int64_t ld) {
  const Tag<T> d;
  for (int64_t r = 0; r < rows; ++r, x += ld) {
    for (int64_t at = 0; at < columns; at += kLanes<T>)
      hn::Store(hn::Mul(hn::Load(d, by + at), hn::Load(d, x + at)), d, x + at);
  }
}

/// Of a row of M P, `row`, and of the raw s of Taylor's scores: sums += row (1 + s + s^2 / 2),
/// row *= 1 + s, and s becomes 1 + s + s^2 / 2.
template <class T>
HWY_INLINE void taylor_slopes(int64_t from, int64_t to, T* row, T* s_row, T* sums) {
  const Tag<T> d;
  const auto one = hn::Set(d, T(1)), half = hn::Set(d, T(0.5));
  for (int64_t at = from; at < to; at += kLanes<T>) {
    const auto s = hn::Load(d, s_row + at), x = hn::Load(d, row + at);
    const auto kernel = hn::MulAdd(s, hn::MulAdd(half, s, one), one);
    hn::Store(hn::MulAdd(x, kernel, hn::Load(d, sums + at)), d, sums + at);
    hn::Store(hn::Mul(x, hn::Add(one, s)), d, row + at);
    hn::Store(kernel, d, s_row + at);
  }
}

/// Row r of M P from that of dn v^T (rows are queries; kKeyRows: keys).
template <bool kKeyRows, class T>
HWY_INLINE void finish_gradient_row(const Chunk<T>& c, const GradientChunk<T>& g, int r,
                                    int64_t from, int64_t to) {
  const Tag<T> d;
  T* row = g.tile + r * c.tile;
  if (c.in->normalise) {
    for (int64_t at = from; at < to; at += kLanes<T>) {
      const auto dd = kKeyRows ? hn::Load(d, g.dd + at) : hn::Set(d, g.dd[r]);
      hn::Store(hn::Add(hn::Load(d, row + at), dd), d, row + at);
    }
  }
  hide_and_decay<kKeyRows>(c, r, from, to, row);
  if (c.kernel) taylor_slopes(from, to, row, c.scores + r * c.tile, g.sums);
}

/// acc (width, tokens) += sum over rows r of a(r, :) tile(r, :), a strip of columns at a time, only
/// over the rows that see it: those before its end (rows are keys), from its beginning (queries).
template <bool kKeyRows, class T>
HWY_INLINE void add_seen_rows(const Chunk<T>& c, const Rows<const T>& a, const T* tile, T* acc) {
  constexpr int64_t kStrip = kCols * kLanes<T>;
  Product<T> p;
  p.step = a.row;
  p.ldb = p.ldo = c.tile;
  const int64_t end = padded<T>(c.n);
  for (int64_t at = 0; at < end; at += kStrip) {
    const int64_t first = kKeyRows ? 0 : at;
    p.a = a.data + first * a.row;
    p.b = tile + first * c.tile + at;
    p.out = acc + at;
    p.columns = std::min(kStrip, end - at);
    p.depth = kKeyRows ? std::min<int64_t>(c.n, at + kStrip) : c.n - at;
    product<Start::add, 1, 0>(static_cast<int>(c.width()), p);
  }
}

/// Decay per feature: rows times its products from the chunk's beginning (to its end, kKeys), and
/// the sum over pairs, M_ij,f = prod_{j < t <= i} g_tf. P(i, j) = tile[i * di + j * dj].
template <bool kKeys, class T>
HWY_NOINLINE void add_feature_decay_pairs(const Chunk<T>& c, const T* tile, int64_t di, int64_t dj,
                                          T* rows) {
  const Tag<T> d;
  for (int64_t f = 0; f < c.ld; f += kLanes<T>) {
    auto product = hn::Set(d, T(1));
    for (int s = 0; s < c.n; ++s) {
      const int t = kKeys ? c.n - 1 - s : s;
      const auto g = hn::Load(d, c.step + t * c.ld + f);
      T* to = rows + t * c.ld + f;
      if (!kKeys) product = hn::Mul(product, g);
      hn::Store(hn::Mul(product, hn::Load(d, to)), d, to);
      if (kKeys) product = hn::Mul(product, g);
    }
    for (int j = 0; j < c.n; ++j) {
      auto way = hn::Set(d, T(1)), sum = hn::Zero(d);
      const auto key = hn::Load(d, c.k.data + j * c.ld + f);
      for (int i = j; i < c.n; ++i) {
        if (i > j) way = hn::Mul(way, hn::Load(d, c.step + i * c.ld + f));
        const auto weight = hn::Mul(hn::Set(d, tile[i * di + j * dj]), way);
        T* to = rows + i * c.ld + f;
        if (kKeys) {
          sum = hn::MulAdd(weight, hn::Load(d, c.q.data + i * c.ld + f), sum);
        } else {
          hn::Store(hn::MulAdd(weight, key, hn::Load(d, to)), d, to);
        }
      }
      T* at = rows + j * c.ld + f;
      if (kKeys) hn::Store(hn::Add(sum, hn::Load(d, at)), d, at);
    }
  }
}

/// Where the gradient of a chunk's features goes: into the gradient of the rows itself where they
/// are the features.
template <class T>
HWY_INLINE Rows<T> feature_gradient_rows(const Chunk<T>& c, const GradientChunk<T>& g,
                                         const Rows<T>& to) {
  const bool direct = c.own_q == nullptr && to.data != nullptr;
  return direct ? Rows<T>{to.data + c.first * to.row, to.row} : Rows<T>{g.rows, c.ld};
}

/// From (columns, tokens) to rows, times factor.
template <class T>
HWY_INLINE void flip(const Chunk<T>& c, const T* from, int64_t columns, T factor,
                     const Rows<T>& to) {
  pack_transposed(from, c.tile, static_cast<int>(columns), c.n, factor, to.data,
                  static_cast<int>(to.row), static_cast<int>(columns));
}

/// Gradient of the rows of queries (keys) from that of their features.
template <class T>
HWY_INLINE void map_gradient(const Chunk<T>& c, const GradientChunk<T>& g, const Rows<const T>& x,
                             const Rows<const T>& phi, const Rows<T>& dphi, const Rows<T>& to) {
  if (to.data == nullptr) return;
  const Rows<T> here = {to.data + c.first * to.row, to.row};
  if (here.data == dphi.data) return;
  if (c.in->map == FeatureMap::taylor) {  // adds to what the scores give
    for (int r = 0; r < c.n && !c.kernel; ++r) std::fill_n(here.data + r * here.row, c.in->d, T(0));
    if (c.kernel) flip(c, g.flipped_rows, c.in->d, c.score_factor(), here);
  }
  map_rows_backward<T>(c.in->map, {x.data + c.first * x.row, x.row}, c.n, c.in->d, phi,
                       {dphi.data, dphi.row}, here);
}

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
