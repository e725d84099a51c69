// Per-target: scores within a chunk of linear attention. Included once per target.
#if defined(ATTN_LINEAR_SCORES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_LINEAR_SCORES_INL_H_
#undef ATTN_LINEAR_SCORES_INL_H_
#else
#define ATTN_LINEAR_SCORES_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "libattn/core/linear_chunk-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Rows of scores worked on at a time under causality.
inline constexpr int kScoreRows = 2 * kRows;

/// Row r of a tile of scores, columns [from, to): times e^{A_i - A_j}, and 0 where query i comes
/// before key j. Rows are queries and columns keys, kKeyRows: the other way about.
template <bool kKeyRows, class T>
HWY_INLINE void hide_and_decay(const Chunk<T>& c, int r, int64_t from, int64_t to, T* row) {
  const Tag<T> d;
  const bool decays = c.in->decay == Decay::token;
  const auto high = hn::Set(d, c.high[r]), low = hn::Set(d, c.low[r]);
  const auto edge = hn::Set(d, static_cast<T>(r)), end = hn::Set(d, static_cast<T>(c.n));
  for (int64_t at = from; at < to; at += kLanes<T>) {
    auto x = hn::Load(d, row + at);
    if (decays) {
      auto a =
          hn::Add(hn::Sub(high, hn::Load(d, c.high + at)), hn::Sub(low, hn::Load(d, c.low + at)));
      if constexpr (kKeyRows) a = hn::Neg(a);
      const auto over = hn::Gt(a, hn::Zero(d));
      x = hn::Mul(x, exponential(clamp_exponent<T>(hn::IfThenElse(over, hn::Zero(d), a))));
    }
    const auto column = hn::Iota(d, static_cast<T>(at));
    const auto seen =
        kKeyRows ? hn::And(hn::Ge(column, edge), hn::Lt(column, end)) : hn::Le(column, edge);
    hn::Store(hn::IfThenElseZero(seen, x), d, row + at);
  }
}

/// A tile of products under causality, in rows of c.tile: tile(r, :) = a(r, :) b for b (depth,
/// c.tile) packed, the columns of a row block only where some are seen; then finish(r, from, to)
/// for each row. Columns that are not computed are 0.
template <bool kKeyRows, class T, class Finish>
HWY_INLINE void causal_tile(const Chunk<T>& c, const Rows<const T>& a, int64_t depth, const T* b,
                            T* tile, const Finish& finish) {
  Product<T> p;
  p.row = a.row;
  p.depth = depth;
  p.ldb = p.ldo = c.tile;
  for (int r0 = 0; r0 < c.n; r0 += kScoreRows) {
    const int rows = std::min(kScoreRows, c.n - r0);
    const int64_t from = kKeyRows ? r0 / kLanes<T> * kLanes<T> : 0;
    const int64_t to = padded<T>(kKeyRows ? c.n : r0 + rows);
    p.a = a.data + r0 * a.row;
    p.b = b + from;
    p.out = tile + r0 * c.tile + from;
    p.columns = to - from;
    product<Start::zero, 0, 1>(rows, p);
    for (int r = r0; r < r0 + rows; ++r) {
      std::fill_n(tile + r * c.tile, from, T(0));
      std::fill_n(tile + r * c.tile + to, c.tile - to, T(0));
      finish(r, from, to);
    }
  }
}

/// 1 + s + s^2 / 2 of columns [from, to).
template <class T>
HWY_INLINE void taylor_scores(T* row, int64_t from, int64_t to) {
  const Tag<T> d;
  for (int64_t at = from; at < to; at += kLanes<T>) {
    const auto s = hn::Load(d, row + at),
               half = hn::MulAdd(hn::Set(d, T(0.5)), s, hn::Set(d, T(1)));
    hn::Store(hn::MulAdd(s, half, hn::Set(d, T(1))), d, row + at);
  }
}

/// Decay per feature: tile(i, j) = sum_f q_if k_jf prod_{j < t <= i} g_tf for j <= i, else 0.
template <class T>
HWY_NOINLINE void feature_decay_scores(const Chunk<T>& c, T* tile) {
  const Tag<T> d;
  std::fill_n(tile, c.n * c.tile, T(0));
  for (int j = 0; j < c.n; ++j) {
    for (int i0 = j; i0 < c.n; i0 += 4) {  // four queries at once: sums stay in registers
      const int rows = std::min(4, c.n - i0);
      Vec<T> sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
      for (int64_t f = 0; f < c.ld; f += kLanes<T>) {
        auto key = i0 == j ? hn::Load(d, c.k.data + j * c.ld + f) : hn::Load(d, c.running + f);
        for (int r = 0; r < rows; ++r) {
          const int64_t at = (i0 + r) * c.ld + f;
          if (i0 + r > j) key = hn::Mul(key, hn::Load(d, c.step + at));
          sum[r] = hn::MulAdd(key, hn::Load(d, c.q.data + at), sum[r]);
        }
        hn::Store(key, d, c.running + f);
      }
      for (int r = 0; r < rows; ++r)
        tile[(i0 + r) * c.tile + j] = hn::GetLane(hn::SumOfLanes(d, sum[r]));
    }
  }
}

/// Scores (queries, keys) of a chunk, hidden and decayed; rows of c.tile, zeros behind the
/// diagonal up to the vector's end.
template <class T>
HWY_NOINLINE void find_scores(Chunk<T>& c, T* tile) {
  if (c.in->decay == Decay::feature) return feature_decay_scores(c, tile);
  const Rows<const T> q = c.score_q(), k = c.score_k();
  pack_transposed(k.data, k.row, c.n, c.width(), c.score_factor(), c.packed,
                  static_cast<int>(c.tile), static_cast<int>(padded<T>(c.n)));
  causal_tile<false>(c, q, c.width(), c.packed, tile, [&](int r, int64_t from, int64_t to) {
    T* row = tile + r * c.tile;
    if (c.kernel) taylor_scores(row, from, to);
    hide_and_decay<false>(c, r, from, to, row);
  });
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_LINEAR_SCORES_INL_H_
