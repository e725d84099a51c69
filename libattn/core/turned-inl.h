// Per-target: attention of short sequences that lie turned, features along rows and tokens along
// the SIMD lanes: x[feature * ld + token], ld whole vectors. Queries are vectors then as they are,
// keys and values are single numbers that are spread over a vector, and nothing is summed across
// lanes. Included once per target.
#if defined(ATTN_TURNED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_TURNED_INL_H_
#undef ATTN_TURNED_INL_H_
#else
#define ATTN_TURNED_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "hwy/highway.h"
#include "libattn/core/simd_math-inl.h"
#include "libattn/core/turned_sight.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// One head: d features of each token.
template <class T>
struct TurnedHead {
  const T *q = nullptr, *k = nullptr, *v = nullptr;
  T* out = nullptr;
  int64_t ld = 0;
  int d = 0;
  T scale = 1;
};

/// Features of a query that stay in registers.
inline constexpr int kTurned = 8;

/// A panel of queries and what it sees.
template <class T>
struct TurnedPanel {
  int64_t first = 0;  // token of lane 0
  SightSpan span;
  const T *low = nullptr, *high = nullptr;  // of each lane

  HWY_INLINE hn::Mask<Tag<T>> sees(int64_t key) const {
    const Tag<T> d;
    const auto at = hn::Set(d, static_cast<T>(key));
    return hn::And(hn::Le(hn::LoadU(d, low), at), hn::Lt(at, hn::LoadU(d, high)));
  }
};

/// Calls step(first, last, all) for the keys that some lanes see, those that all do, and the rest.
template <class Step>
HWY_INLINE void over_keys(const SightSpan& span, const Step& step) {
  step(span.first, span.all_first, std::false_type());
  step(span.all_first, span.all_last, std::true_type());
  step(span.all_last, span.last, std::false_type());
}

/// q . k of key j, q's features in registers.
template <int D, class T>
HWY_INLINE Vec<T> turned_score(const Vec<T> (&q)[D], const T* HWY_RESTRICT k, int64_t ld) {
  const Tag<T> d;
  auto s = hn::Mul(q[0], hn::Set(d, k[0]));
#pragma GCC unroll 8
  for (int c = 1; c < D; ++c) s = hn::MulAdd(q[c], hn::Set(d, k[c * ld]), s);
  return s;
}

/// Scores of D <= kTurned features [begin, begin + D), added to what the tile holds where `added`;
/// keys that a lane does not see: -inf.
template <int D, class T>
HWY_INLINE void turned_scores(const TurnedHead<T>& h, const TurnedPanel<T>& p, int begin,
                              bool added, T* HWY_RESTRICT tile) {
  const Tag<T> d;
  const auto hidden = hn::Set(d, -std::numeric_limits<T>::infinity());
  Vec<T> q[D];
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c)
    q[c] = hn::Mul(hn::Set(d, h.scale), hn::Load(d, h.q + (begin + c) * h.ld + p.first));
  const T* k = h.k + begin * h.ld;
  over_keys(p.span, [&](int64_t first, int64_t last, auto all) HWY_ATTR {
    for (int64_t j = first; j < last; ++j) {
      T* at = tile + (j - p.span.first) * kLanes<T>;
      auto s = turned_score<D, T>(q, k + j, h.ld);
      if (added) s = hn::Add(s, hn::Load(d, at));
      if constexpr (!all) s = hn::IfThenElse(p.sees(j), s, hidden);
      hn::Store(s, d, at);
    }
  });
}

/// e^{s - max s} in place of the scores; returns their sum.
template <class T>
HWY_INLINE Vec<T> turned_softmax(int64_t keys, T* HWY_RESTRICT tile) {
  const Tag<T> d;
  constexpr int kN = kLanes<T>;
  auto m0 = hn::Set(d, kLowest<T>), m1 = m0, l0 = hn::Zero(d), l1 = l0;
  int64_t j = 0;
  for (; j + 2 <= keys; j += 2) {
    m0 = hn::Max(m0, hn::Load(d, tile + j * kN));
    m1 = hn::Max(m1, hn::Load(d, tile + (j + 1) * kN));
  }
  if (j < keys) m0 = hn::Max(m0, hn::Load(d, tile + j * kN));
  const auto m = hn::Max(m0, m1);
  const auto weigh = [&](int64_t key) HWY_ATTR {
    const auto x = clamp_exponent<T>(hn::Sub(hn::Load(d, tile + key * kN), m));
    const auto e = exponential(x);
    hn::Store(e, d, tile + key * kN);
    return e;
  };
  for (j = 0; j + 2 <= keys; j += 2) {
    const auto e0 = weigh(j), e1 = weigh(j + 1);
    l0 = hn::Add(l0, e0);
    l1 = hn::Add(l1, e1);
  }
  if (j < keys) l0 = hn::Add(l0, weigh(j));
  return hn::Add(l0, l1);
}

/// D <= kTurned features of the output from `begin` on.
template <int D, class T>
HWY_INLINE void turned_values(const TurnedHead<T>& h, const TurnedPanel<T>& p, int begin,
                              Vec<T> inverse, const T* HWY_RESTRICT tile) {
  const Tag<T> d;
  Vec<T> sum[D];
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c) sum[c] = hn::Zero(d);
  over_keys(p.span, [&](int64_t first, int64_t last, auto all) HWY_ATTR {
    for (int64_t j = first; j < last; ++j) {
      const T* v = h.v + begin * h.ld + j;
      const auto e = hn::Load(d, tile + (j - p.span.first) * kLanes<T>);
#pragma GCC unroll 8
      for (int c = 0; c < D; ++c) {
        const auto next = hn::MulAdd(hn::Set(d, v[c * h.ld]), e, sum[c]);
        if constexpr (all) {
          sum[c] = next;
        } else {  // a value that is not seen may be NaN
          sum[c] = hn::IfThenElse(p.sees(j), next, sum[c]);
        }
      }
    }
  });
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c)
    hn::Store(hn::Mul(inverse, sum[c]), d, h.out + (begin + c) * h.ld + p.first);
}

/// Calls step.template operator()<D>(begin) for the features in pieces of D <= kTurned.
template <int D, class Step>
HWY_INLINE void piece_of(int d, int begin, const Step& step) {
  if constexpr (D > 1) {
    if (d < D) return piece_of<D - 1>(d, begin, step);
  }
  step.template operator()<D>(begin);
}
template <class Step>
HWY_INLINE void over_features(int d, const Step& step) {
  for (int begin = 0; begin < d; begin += kTurned)
    piece_of<kTurned>(std::min(kTurned, d - begin), begin, step);
}

/// out = softmax(scale q . k) v over the keys that each query sees; 0 where it sees none, anything
/// behind the last token. `tile`: room for `sight.most()` vectors.
template <class T>
HWY_NOINLINE void turned_attention(const TurnedHead<T>& h, const TurnedSight<T>& sight,
                                   T* HWY_RESTRICT tile) {
  const Tag<T> d;
  constexpr int kN = kLanes<T>;
  for (size_t i = 0; i < sight.spans.size(); ++i) {
    const int64_t first = static_cast<int64_t>(i) * kN;
    const TurnedPanel<T> p{first, sight.spans[i], sight.low + first, sight.high + first};
    over_features(
        h.d, [&]<int D>(int begin) HWY_ATTR { turned_scores<D, T>(h, p, begin, begin > 0, tile); });
    const auto sum = turned_softmax<T>(p.span.last - p.span.first, tile);
    const auto none = hn::Eq(sum, hn::Zero(d));
    const auto inverse = hn::IfThenElse(none, hn::Zero(d), hn::Div(hn::Set(d, T(1)), sum));
    over_features(
        h.d, [&]<int D>(int begin) HWY_ATTR { turned_values<D, T>(h, p, begin, inverse, tile); });
  }
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_TURNED_INL_H_
