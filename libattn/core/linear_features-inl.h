// Per-target: the feature maps of linear attention on rows, forward and backward. Included once per
// target.
#if defined(ATTN_LINEAR_FEATURES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_LINEAR_FEATURES_INL_H_
#undef ATTN_LINEAR_FEATURES_INL_H_
#else
#define ATTN_LINEAR_FEATURES_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "attn/linear_core.h"
#include "hwy/highway.h"
#include "libattn/core/attention_head.h"
#include "libattn/core/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Above this e^x is taken for infinite (2^127.5, 2^1023.5).
template <class T>
inline constexpr T kMaxExponent = sizeof(T) == 4 ? T(88.37) : T(709.4);

/// e^x of any x, NaN kept.
template <class T>
HWY_INLINE Vec<T> any_exponential(Vec<T> x) {
  const Tag<T> d;
  const auto high = hn::Set(d, kMaxExponent<T>);
  const auto over = hn::Gt(x, high);
  const auto e = exponential(clamp_exponent<T>(hn::IfThenElse(over, high, x)));
  return hn::IfThenElse(over, hn::Set(d, std::numeric_limits<T>::infinity()), e);
}

/// f(column, count) for each vector of n columns; count < lanes in the last.
template <class T, class F>
HWY_INLINE void each_vector(int64_t n, const F& f) {
  constexpr int kN = kLanes<T>;
  int64_t c = 0;
  for (; c + kN <= n; c += kN) f(c, kN);
  if (c < n) f(c, static_cast<int>(n - c));
}
template <class T>
HWY_INLINE Vec<T> load_some(const T* p, int count) {
  return count == kLanes<T> ? hn::LoadU(Tag<T>(), p) : load_partial(p, count);
}
template <class T>
HWY_INLINE void store_some(Vec<T> v, T* p, int count) {
  if (count == kLanes<T>) return hn::StoreU(v, Tag<T>(), p);
  store_partial(v, p, count);
}

/// phi of x elementwise; exponential: of x - shift.
template <FeatureMap kMap, class T>
HWY_INLINE Vec<T> feature(Vec<T> x, Vec<T> shift) {
  const Tag<T> d;
  const auto zero = hn::Zero(d);
  if constexpr (kMap == FeatureMap::exponential) return any_exponential<T>(hn::Sub(x, shift));
  if constexpr (kMap == FeatureMap::relu) return hn::IfThenElse(hn::Lt(x, zero), zero, x);
  if constexpr (kMap == FeatureMap::elu) {
    const auto over = hn::Gt(x, zero);
    const auto e = exponential(clamp_exponent<T>(hn::IfThenElse(over, zero, x)));
    return hn::IfThenElse(over, hn::Add(x, hn::Set(d, T(1))), e);
  }
  return x;
}

/// d phi / d x elementwise.
template <FeatureMap kMap, class T>
HWY_INLINE Vec<T> feature_slope(Vec<T> x, Vec<T> phi) {
  const Tag<T> d;
  const auto one = hn::Set(d, T(1)), zero = hn::Zero(d);
  if constexpr (kMap == FeatureMap::exponential) return phi;
  if constexpr (kMap == FeatureMap::relu) return hn::IfThenElse(hn::Gt(x, zero), one, zero);
  if constexpr (kMap == FeatureMap::elu) return hn::IfThenElse(hn::Gt(x, zero), one, phi);
  return one;
}

template <FeatureMap kMap, class T>
HWY_INLINE void map_row(const T* x, int64_t n, T shift, T sign, T* to) {
  const Tag<T> d;
  const auto s = hn::Set(d, shift), f = hn::Set(d, sign);
  each_vector<T>(n, [&](int64_t c, int count) {
    store_some<T>(feature<kMap, T>(hn::Mul(f, load_some(x + c, count)), s), to + c, count);
  });
}

/// dx = sign dphi phi', added to dx where `add`.
template <FeatureMap kMap, class T>
HWY_INLINE void map_row_backward(const T* x, const T* phi, const T* dphi, int64_t n, T sign,
                                 bool add, T* dx) {
  const Tag<T> d;
  const auto f = hn::Set(d, sign);
  each_vector<T>(n, [&](int64_t c, int count) {
    const auto slope = feature_slope<kMap, T>(load_some(x + c, count), load_some(phi + c, count));
    auto g = hn::Mul(hn::Mul(f, slope), load_some(dphi + c, count));
    if (add) g = hn::Add(g, load_some(dx + c, count));
    store_some<T>(g, dx + c, count);
  });
}

/// The factors of the Taylor features: of x, of x_a x_b, of x_a x_a.
template <class T>
struct TaylorFactors {
  explicit TaylorFactors(int64_t d)
      : one(static_cast<T>(std::pow(static_cast<double>(d), -0.25))),
        two(static_cast<T>(1 / std::sqrt(static_cast<double>(d)))),
        square(static_cast<T>(1 / std::sqrt(2.0 * static_cast<double>(d)))) {}
  T one, two, square;
};

template <class T>
HWY_NOINLINE void taylor_row(const T* x, int64_t n, T* to) {
  const Tag<T> d;
  const TaylorFactors<T> factors(n);
  to[0] = T(1);
  for (int64_t a = 0; a < n; ++a) to[1 + a] = factors.one * x[a];
  T* pairs = to + 1 + n;
  for (int64_t a = 0; a < n; pairs += n - a, ++a) {
    const auto f = hn::Set(d, factors.two * x[a]);
    each_vector<T>(n - a, [&](int64_t c, int count) {
      store_some<T>(hn::Mul(f, load_some(x + a + c, count)), pairs + c, count);
    });
    pairs[0] = factors.square * x[a] * x[a];
  }
}

/// dx += dphi phi'.
template <class T>
HWY_NOINLINE void taylor_row_backward(const T* x, const T* dphi, int64_t n, T* dx) {
  const Tag<T> d;
  const TaylorFactors<T> factors(n);
  for (int64_t a = 0; a < n; ++a) dx[a] += factors.one * dphi[1 + a];
  const T* pairs = dphi + 1 + n;
  for (int64_t a = 0; a < n; pairs += n - a, ++a) {
    dx[a] += 2 * factors.square * pairs[0] * x[a];
    const int64_t rest = n - a - 1;
    const auto f = hn::Set(d, factors.two * x[a]);
    each_vector<T>(rest, [&](int64_t c, int count) {
      T* to = dx + a + 1 + c;
      store_some<T>(hn::MulAdd(f, load_some(pairs + 1 + c, count), load_some(to, count)), to,
                    count);
    });
    dx[a] += factors.two * dot_product(pairs + 1, x + a + 1, rest);
  }
}

/// What is taken out of the exponents of a query row: max x, max |x|; 0 for the other maps.
template <class T>
HWY_INLINE T row_shift(FeatureMap map, const T* x, int64_t n) {
  if (map != FeatureMap::exponential && map != FeatureMap::hedgehog) return T(0);
  T top = map == FeatureMap::hedgehog ? T(0) : x[0];
  for (int64_t c = 0; c < n; ++c)
    top = std::max(top, map == FeatureMap::hedgehog ? std::abs(x[c]) : x[c]);
  return std::isfinite(top) ? top : T(0);
}

/// phi of `rows` rows of width d; shift: a number per row, taken out of exponents.
template <class T>
HWY_NOINLINE void map_rows(FeatureMap map, const Rows<const T>& x, int rows, int64_t d,
                           const T* shift, T* to, int64_t ld) {
  for (int r = 0; r < rows; ++r, to += ld) {
    const T* from = x.data + r * x.row;
    switch (map) {
      case FeatureMap::identity:
        std::copy_n(from, d, to);
        break;
      case FeatureMap::elu:
        map_row<FeatureMap::elu, T>(from, d, T(0), T(1), to);
        break;
      case FeatureMap::relu:
        map_row<FeatureMap::relu, T>(from, d, T(0), T(1), to);
        break;
      case FeatureMap::exponential:
        map_row<FeatureMap::exponential, T>(from, d, shift[r], T(1), to);
        break;
      case FeatureMap::hedgehog:
        map_row<FeatureMap::exponential, T>(from, d, shift[r], T(1), to);
        map_row<FeatureMap::exponential, T>(from, d, shift[r], T(-1), to + d);
        break;
      case FeatureMap::taylor:
        taylor_row(from, d, to);
        break;
    }
  }
}

/// dx = dphi phi' of rows; Taylor: added to dx.
template <class T>
HWY_NOINLINE void map_rows_backward(FeatureMap map, const Rows<const T>& x, int rows, int64_t d,
                                    const Rows<const T>& phi, const Rows<const T>& dphi,
                                    const Rows<T>& dx) {
  for (int r = 0; r < rows; ++r) {
    const T *from = x.data + r * x.row, *f = phi.data + r * phi.row, *g = dphi.data + r * dphi.row;
    T* to = dx.data + r * dx.row;
    switch (map) {
      case FeatureMap::identity:
        std::copy_n(g, d, to);
        break;
      case FeatureMap::elu:
        map_row_backward<FeatureMap::elu, T>(from, f, g, d, T(1), false, to);
        break;
      case FeatureMap::relu:
        map_row_backward<FeatureMap::relu, T>(from, f, g, d, T(1), false, to);
        break;
      case FeatureMap::exponential:
        map_row_backward<FeatureMap::exponential, T>(from, f, g, d, T(1), false, to);
        break;
      case FeatureMap::hedgehog:
        map_row_backward<FeatureMap::exponential, T>(from, f, g, d, T(1), false, to);
        map_row_backward<FeatureMap::exponential, T>(from, f + d, g + d, d, T(-1), true, to);
        break;
      case FeatureMap::taylor:
        taylor_row_backward(from, g, d, to);
        break;
    }
  }
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_LINEAR_FEATURES_INL_H_
