// Per-target: attention of short sequences whose queries lie turned, features along rows and tokens
// along the SIMD lanes: q[feature * ld + token], ld whole vectors, at any place. Queries are
// vectors then as they are, keys and values are single numbers that are spread over a vector, and
// nothing is summed across lanes. Included once per target.
#if defined(ATTN_TURNED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_TURNED_INL_H_
#undef ATTN_TURNED_INL_H_
#else
#define ATTN_TURNED_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <limits>

#include "hwy/highway.h"
#include "libattn/core/simd_math-inl.h"
#include "libattn/core/turned_sight.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Keys or values: feature c of key j is data[j * row + c].
template <class T>
struct Numbers {
  const T* data = nullptr;
  int64_t row = 0;

  HWY_INLINE Vec<T> spread(int64_t j, int64_t c) const {
    return hn::Set(Tag<T>(), data[j * row + c]);
  }
  /// The same, which the compiler does not know: it would rather keep whole vectors on the stack
  /// than read a number twice.
  HWY_INLINE Numbers read_again() const {
    Numbers same = *this;
    asm("" : "+r"(same.data));
    return same;
  }
};

/// Features of a query that stay in registers.
inline constexpr int kTurned = 8;
/// Keys that are worked on side by side: one alone waits for its own results.
inline constexpr int kBeside = 4;

/// A panel of queries, one to a lane, and what it sees.
template <class T>
struct TurnedPanel {
  SightSpan span;
  const T *low = nullptr, *high = nullptr;  // of each lane

  /// Of key + u: the number `key` is converted once for those beside it.
  HWY_INLINE hn::Mask<Tag<T>> sees(int64_t key, int u) const {
    const Tag<T> d;
    const auto at = hn::Add(hn::Set(d, static_cast<T>(key)), hn::Set(d, static_cast<T>(u)));
    return hn::And(hn::Le(hn::LoadU(d, low), at), hn::Lt(at, hn::LoadU(d, high)));
  }
};
template <class T>
HWY_INLINE TurnedPanel<T> panel_of(const TurnedSight<T>& sight, size_t number) {
  const size_t first = number * kLanes<T>;
  return {sight.spans[number], sight.low + first, sight.high + first};
}

/// Calls step.template operator()<N, kAll>(j) for N <= kSide keys from j on: those that some lanes
/// see, those that all do, and the rest.
template <int kSide = kBeside, class Step>
HWY_INLINE void over_keys(const SightSpan& span, const Step& step) {
  int64_t j = span.first;
  for (; j + kSide <= span.all_first; j += kSide) step.template operator()<kSide, false>(j);
  for (; j < span.all_first; ++j) step.template operator()<1, false>(j);
  for (; j + kSide <= span.all_last; j += kSide) step.template operator()<kSide, true>(j);
  for (; j < span.all_last; ++j) step.template operator()<1, true>(j);
  for (; j + kSide <= span.last; j += kSide) step.template operator()<kSide, false>(j);
  for (; j < span.last; ++j) step.template operator()<1, false>(j);
}

/// to += a b in the lanes of `seen`; what is not seen may be NaN.
template <class T>
HWY_INLINE void add_where(hn::Mask<Tag<T>> seen, Vec<T> a, Vec<T> b, Vec<T>& to) {
#if HWY_TARGET <= HWY_AVX3  // one instruction, which GCC does not make of two
  if constexpr (sizeof(T) == 4) {
    to.raw = _mm512_mask3_fmadd_ps(a.raw, b.raw, to.raw, seen.raw);
  } else {
    to.raw = _mm512_mask3_fmadd_pd(a.raw, b.raw, to.raw, seen.raw);
  }
#else
  to = hn::IfThenElse(seen, hn::MulAdd(a, b, to), to);
#endif
}

/// The same, of all lanes where `kAll`.
template <bool kAll, class T>
HWY_INLINE void add_seen(hn::Mask<Tag<T>> seen, Vec<T> a, Vec<T> b, Vec<T>& to) {
  if constexpr (kAll) {
    to = hn::MulAdd(a, b, to);
  } else {
    add_where<T>(seen, a, b, to);
  }
}

/// s_u = x . (features of key j + u), D features in registers.
template <int N, int D, class T>
HWY_INLINE void turned_products(const Vec<T> (&x)[D], const Numbers<T>& of, int64_t j,
                                Vec<T> (&s)[N]) {
  // Not a product, which the compiler may fuse with what follows: scores that are computed again
  // are to be the same.
#pragma GCC unroll 4
  for (int u = 0; u < N; ++u) s[u] = hn::MulAdd(x[0], of.spread(j + u, 0), hn::Zero(Tag<T>()));
#pragma GCC unroll 8
  for (int c = 1; c < D; ++c) {
#pragma GCC unroll 4
    for (int u = 0; u < N; ++u) s[u] = hn::MulAdd(x[c], of.spread(j + u, c), s[u]);
  }
}

/// Scores of D <= kTurned features of the queries, (D,ld), to the tile, added to what it holds
/// where `added`; keys that a lane does not see: -inf. Returns the greatest of each lane.
template <int D, class T>
HWY_INLINE Vec<T> turned_scores(const T* HWY_RESTRICT queries, int64_t ld, T scale,
                                const Numbers<T>& keys, const TurnedPanel<T>& p, bool added,
                                T* HWY_RESTRICT tile) {
  const Tag<T> d;
  const auto hidden = hn::Set(d, -std::numeric_limits<T>::infinity());
  Vec<T> q[D], m[kBeside];
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c) q[c] = hn::Mul(hn::Set(d, scale), hn::LoadU(d, queries + c * ld));
#pragma GCC unroll 4
  for (auto& each : m) each = hn::Set(d, kLowest<T>);
  over_keys(
      p.span, [&]<int N, bool kAll>(int64_t j) HWY_ATTR __attribute__((always_inline)) {
        T* HWY_RESTRICT at = tile + (j - p.span.first) * kLanes<T>;
        Vec<T> s[N];
        turned_products(q, keys, j, s);
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) {
          if (added) s[u] = hn::Add(s[u], hn::Load(d, at + u * kLanes<T>));
          if constexpr (!kAll) s[u] = hn::IfThenElse(p.sees(j, u), s[u], hidden);
          hn::Store(s[u], d, at + u * kLanes<T>);
          m[u] = hn::Max(m[u], s[u]);
        }
      });
  return hn::Max(hn::Max(m[0], m[1]), hn::Max(m[2], m[3]));
}

/// Softmax statistics of a panel: m the greatest score, l = sum e^{s - m}, t = sum (s - m)
/// e^{s - m} where it is wanted.
template <class T>
struct TurnedTotals {
  Vec<T> m, l, t;
};

/// sum_j e^{s_j - m} v_j of D <= kTurned features, (D,ldo); adds to l and, where `kEntropy`, to t.
/// The tile keeps the weights instead of the scores where `keep`.
template <bool kEntropy, int D, class T>
HWY_INLINE void turned_values(const Numbers<T>& values, const TurnedPanel<T>& p, bool keep,
                              T* HWY_RESTRICT tile, TurnedTotals<T>& totals, T* HWY_RESTRICT out,
                              int64_t ldo) {
  const Tag<T> d;
  Vec<T> sum[D];
  TurnedTotals<T> now = totals;
#pragma GCC unroll 8
  for (auto& each : sum) each = hn::Zero(d);
  over_keys(
      p.span, [&]<int N, bool kAll>(int64_t j) HWY_ATTR __attribute__((always_inline)) {
        T* HWY_RESTRICT at = tile + (j - p.span.first) * kLanes<T>;
        Vec<T> x[N], e[N];
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) e[u] = x[u] = hn::Sub(hn::Load(d, at + u * kLanes<T>), now.m);
        falling_exponentials(e);
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) {
          const auto seen = kAll ? hn::Mask<Tag<T>>() : p.sees(j, u);
          now.l = hn::Add(now.l, e[u]);
          if constexpr (kEntropy)  // not 0 times -inf
            now.t = hn::MulAdd(e[u], clamp_exponent<T>(x[u]), now.t);
          if (keep) hn::Store(e[u], d, at + u * kLanes<T>);
#pragma GCC unroll 8
          for (int c = 0; c < D; ++c)
            add_seen<kAll, T>(seen, values.spread(j + u, c), e[u], sum[c]);
        }
      });
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c) hn::StoreU(sum[c], d, out + c * ldo);
  totals = now;
}

/// sum_j e_j v_j of D <= kTurned more features, of the weights that the tile keeps.
template <int D, class T>
HWY_INLINE void turned_more_values(const Numbers<T>& values, const TurnedPanel<T>& p,
                                   const T* HWY_RESTRICT tile, T* HWY_RESTRICT out, int64_t ldo) {
  const Tag<T> d;
  Vec<T> sum[D];
#pragma GCC unroll 8
  for (auto& each : sum) each = hn::Zero(d);
  over_keys(
      p.span, [&]<int N, bool kAll>(int64_t j) HWY_ATTR __attribute__((always_inline)) {
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) {
          const auto e = hn::Load(d, tile + (j + u - p.span.first) * kLanes<T>);
          const auto seen = kAll ? hn::Mask<Tag<T>>() : p.sees(j, u);
#pragma GCC unroll 8
          for (int c = 0; c < D; ++c) add_seen<kAll, T>(seen, values.spread(j + u, c), e, sum[c]);
        }
      });
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c) hn::StoreU(sum[c], d, out + c * ldo);
}

/// Calls step.template operator()<D>() of D = d <= kMost.
template <int kMost, class Step>
HWY_INLINE void with_features(int d, const Step& step) {
  if constexpr (kMost > 1) {
    if (d < kMost) return with_features<kMost - 1>(d, step);
  }
  step.template operator()<kMost>();
}

/// One head of a panel: queries (d,ld), `out` (dv,ldo) the values summed by weights that add up to
/// totals.l.
template <class T>
struct TurnedHead {
  const T* q = nullptr;
  int64_t ld = 0;
  T scale = 1;
  Numbers<T> k, v;
  int d = 0, dv = 0;
  T* out = nullptr;
  int64_t ldo = 0;
};

/// `tile`: room for a vector for each key of the span. kMost >= d, dv: no more than kTurned, or a
/// multiple of it.
template <bool kEntropy, int kMost, class T>
HWY_INLINE TurnedTotals<T> turned_panel(const TurnedHead<T>& h, const TurnedPanel<T>& p,
                                        T* HWY_RESTRICT tile) {
  constexpr int kPiece = std::min(kMost, kTurned);
  const Tag<T> d;
  TurnedTotals<T> totals{hn::Set(d, kLowest<T>), hn::Zero(d), hn::Zero(d)};
  for (int c = 0; c < h.d; c += kPiece) {
    with_features<kPiece>(std::min(kPiece, h.d - c), [&]<int D>() HWY_ATTR {
      totals.m = turned_scores<D, T>(h.q + c * h.ld, h.ld, h.scale, {h.k.data + c, h.k.row}, p,
                                     c > 0, tile);
    });
  }
  for (int c = 0; c < h.dv; c += kPiece) {
    with_features<kPiece>(std::min(kPiece, h.dv - c), [&]<int D>() HWY_ATTR {
      T* out = h.out + c * h.ldo;
      if (c == 0) {
        turned_values<kEntropy, D, T>(h.v, p, h.dv > kPiece, tile, totals, out, h.ldo);
      } else {
        turned_more_values<D, T>({h.v.data + c, h.v.row}, p, tile, out, h.ldo);
      }
    });
  }
  return totals;
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_TURNED_INL_H_
