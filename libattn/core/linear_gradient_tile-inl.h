// Per-target: the pieces that gradients of linear attention within a chunk are made of. Equations:
// linear_gradient-inl.h. Included once per target.
#if defined(ATTN_LINEAR_GRADIENT_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_LINEAR_GRADIENT_TILE_INL_H_
#undef ATTN_LINEAR_GRADIENT_TILE_INL_H_
#else
#define ATTN_LINEAR_GRADIENT_TILE_INL_H_
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

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_LINEAR_GRADIENT_TILE_INL_H_
