// Per-target: SwiGLU of rows that would leave half of a vector empty. Rows lie along the SIMD lanes
// here, features and hidden units one after the other, so that a hidden unit never leaves the
// registers. Included once per target.
#if defined(ATTN_SWIGLU_NARROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_SWIGLU_NARROW_INL_H_
#undef ATTN_SWIGLU_NARROW_INL_H_
#else
#define ATTN_SWIGLU_NARROW_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <new>

#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"
#include "libattn/core/parallel.h"
#include "libattn/core/simd_math-inl.h"
#include "libattn/core/swiglu_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Features of a row at most: those of a group of rows, and of what they become, stay in the
/// registers of AVX-512. Where vectors are shorter, nothing would be left empty.
inline constexpr int kNarrow = 8;
template <class T>
inline constexpr bool kHasNarrow = kLanes<T> >= 2 * kNarrow;

/// Hidden units that are worked on side by side: one alone waits for its own results.
inline constexpr int kSide = 4;
/// Rows that go through all hidden units before the next do, and groups of them that one set of
/// hidden units sees at a time: what they need of each other stays in the nearest cache.
inline constexpr int64_t kNarrowRows = 2048, kNarrowGroups = 16;

/// Of hidden unit h: -W1[h,:], W3[h,:], -W2[:,h], each padded with zeros, as is the
/// last side: the signs turn a into the exponent of e^{-a}.
inline constexpr int64_t kUnit = 3 * kNarrow;
template <class T>
hwy::AlignedFreeUniquePtr<T[]> pack_units(const SwigluInput<T>& in) {
  const int64_t size = round_up(in.hidden, kSide) * kUnit;
  auto units = hwy::AllocateAligned<T>(static_cast<size_t>(size));
  if (units == nullptr) throw std::bad_alloc();
  T* to = units.get();
  std::fill_n(to, size, T(0));
  for (int64_t h = 0; h < in.hidden; ++h, to += kUnit) {
    for (int64_t c = 0; c < in.width; ++c) {
      to[c] = -in.w1[h * in.width + c];
      to[kNarrow + c] = in.w3[h * in.width + c];
      to[2 * kNarrow + c] = -in.w2[c * in.hidden + h];
    }
  }
  return units;
}

template <class T>
struct NarrowRows {
  Vec<T> v[kNarrow];
};

template <class T>
HWY_INLINE NarrowRows<T> load_features(const T* HWY_RESTRICT from) {
  NarrowRows<T> x;
#pragma GCC unroll 8
  for (int c = 0; c < kNarrow; ++c) x.v[c] = hn::Load(Tag<T>(), from + c * kLanes<T>);
  return x;
}
template <class T>
HWY_INLINE void store_features(const NarrowRows<T>& x, T* HWY_RESTRICT to) {
#pragma GCC unroll 8
  for (int c = 0; c < kNarrow; ++c) hn::Store(x.v[c], Tag<T>(), to + c * kLanes<T>);
}

/// sum_c w_c x_c of kSide hidden units; x: kNarrow vectors.
template <class T>
HWY_INLINE void weigh(const T* HWY_RESTRICT x, const T* HWY_RESTRICT w, Vec<T> (&sum)[kSide]) {
  const Tag<T> d;
  const auto first = hn::Load(d, x);
#pragma GCC unroll 8
  for (int u = 0; u < kSide; ++u) sum[u] = hn::Mul(first, hn::Set(d, w[u * kUnit]));
#pragma GCC unroll 8
  for (int c = 1; c < kNarrow; ++c) {
    const auto feature = hn::Load(d, x + c * kLanes<T>);
#pragma GCC unroll 8
    for (int u = 0; u < kSide; ++u)
      sum[u] = hn::MulAdd(feature, hn::Set(d, w[u * kUnit + c]), sum[u]);
  }
}
/// x_c += w_c of.
template <class T>
HWY_INLINE void spread(Vec<T> of, const T* HWY_RESTRICT w, NarrowRows<T>& x) {
#pragma GCC unroll 8
  for (int c = 0; c < kNarrow; ++c) x.v[c] = hn::MulAdd(of, hn::Set(Tag<T>(), w[c]), x.v[c]);
}

/// 1 / (1 + e^x) of N at a time, NaN kept; 0 from x = 88 on.
template <class T, int N>
HWY_INLINE void falling_sigmoids(Vec<T> (&x)[N]) {
  const Tag<T> d;
  const auto high = hn::Set(d, -kMinExponent<T>), one = hn::Set(d, T(1));
  hn::Mask<Tag<T>> beyond[N];
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) beyond[i] = hn::Ge(x[i], high);  // where anything may come out
  falling_exponentials(x);
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) x[i] = hn::Add(one, x[i]);
  reciprocals(x);
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) x[i] = hn::IfThenZeroElse(beyond[i], x[i]);
}

/// `groups` of lanes rows, features along rows: (groups, kNarrow, lanes); rows that are not there
/// are 0.
template <class T>
HWY_INLINE void turn_rows(const T* HWY_RESTRICT from, int64_t rows, int64_t width,
                          T* HWY_RESTRICT to) {
  constexpr int kN = kLanes<T>;
  for (int64_t r = 0; r < rows; r += kN, to += kNarrow * kN) {
    std::fill_n(to + width * kN, (kNarrow - width) * kN, T(0));
    pack_transposed(from + r * width, width, static_cast<int>(std::min<int64_t>(kN, rows - r)),
                    width, T(1), to, kN, kN);
  }
}
template <class T>
HWY_INLINE void turn_rows_back(const T* HWY_RESTRICT from, int64_t rows, int64_t width,
                               T* HWY_RESTRICT to) {
  constexpr int kN = kLanes<T>;
  for (int64_t r = 0; r < rows; r += kN, from += kNarrow * kN)
    pack_transposed(from, kN, static_cast<int>(width), std::min<int64_t>(kN, rows - r), T(1),
                    to + r * width, width, static_cast<int>(width));
}

/// y of one group of rows; `hidden` in whole sides.
template <class T>
HWY_NOINLINE void forward_group(int64_t hidden, const T* HWY_RESTRICT units,
                                const T* HWY_RESTRICT x, T* HWY_RESTRICT to) {
  NarrowRows<T> y;
  for (auto& v : y.v) v = hn::Zero(Tag<T>());
  for (int64_t h = 0; h < hidden; h += kSide, units += kSide * kUnit) {
    Vec<T> s[kSide], g[kSide];
    weigh(x, units, s);  // -a
    weigh(x, units + kNarrow, g);
#pragma GCC unroll 8
    for (int u = 0; u < kSide; ++u) g[u] = hn::Mul(g[u], s[u]);
    falling_sigmoids<T>(s);
#pragma GCC unroll 8
    for (int u = 0; u < kSide; ++u) spread(hn::Mul(g[u], s[u]), units + u * kUnit + 2 * kNarrow, y);
  }
  store_features(y, to);
}

template <class T>
HWY_NOINLINE void forward_narrow(const SwigluInput<T>& in, const T* units, int64_t first,
                                 int64_t last, T* y) {
  constexpr int kN = kLanes<T>;
  HWY_ALIGN T x[kNarrow * kN], out[kNarrow * kN];
  for (int64_t r = first; r < last; r += kN) {
    const int64_t rows = std::min<int64_t>(kN, last - r);
    turn_rows(in.x + r * in.width, rows, in.width, x);
    forward_group(in.hidden, units, x, out);
    turn_rows_back(out, rows, in.width, y + r * in.width);
  }
}

/// What the weights' gradients of one side of hidden units are made of, for each group of rows
/// (kSide, lanes) of each: -da, db, -g.
template <class T>
struct SideGradient {
  static constexpr int64_t kSize = int64_t{kSide} * kLanes<T>;
  T *da, *db, *g;
};

/// One group of rows and one side of hidden units: adds to dx.
template <class T>
HWY_INLINE void backward_side(const T* HWY_RESTRICT units, const T* HWY_RESTRICT x,
                              const T* HWY_RESTRICT dy, T* HWY_RESTRICT dxs,
                              const SideGradient<T>& to) {
  const Tag<T> d;
  const auto one = hn::Set(d, T(1));
  Vec<T> a[kSide], s[kSide], b[kSide], dg[kSide];
  weigh(x, units, a);  // -a
#pragma GCC unroll 8
  for (int u = 0; u < kSide; ++u) s[u] = a[u];
  falling_sigmoids<T>(s);
  weigh(x, units + kNarrow, b);
  weigh(dy, units + 2 * kNarrow, dg);  // -dg
  NarrowRows<T> dx = load_features(dxs);
#pragma GCC unroll 8
  for (int u = 0; u < kSide; ++u) {
    const auto silu = hn::Mul(a[u], s[u]);  // -silu
    const auto slope = hn::NegMulAdd(silu, hn::Sub(one, s[u]), s[u]);
    const auto da = hn::Mul(hn::Mul(dg[u], b[u]), slope), db = hn::Mul(dg[u], silu);
    hn::Store(da, d, to.da + u * kLanes<T>);
    hn::Store(db, d, to.db + u * kLanes<T>);
    hn::Store(hn::Mul(silu, b[u]), d, to.g + u * kLanes<T>);
    spread(da, units + u * kUnit, dx);
    spread(db, units + u * kUnit + kNarrow, dx);
  }
  store_features(dx, dxs);
}

/// Of one hidden unit: adds to dW1 (with the other sign), dW3 and dW2 (likewise), each kNarrow
/// vectors, still apart by lanes.
template <class T>
HWY_INLINE void add_products(int64_t groups, const T* HWY_RESTRICT x, const T* HWY_RESTRICT dy,
                             const SideGradient<T>& of, T* HWY_RESTRICT sums) {
  constexpr int64_t kGroup = int64_t{kNarrow} * kLanes<T>;
  const Tag<T> d;
  NarrowRows<T> w1 = load_features(sums), w3 = load_features(sums + kGroup),
                w2 = load_features(sums + 2 * kGroup);
  for (int64_t i = 0; i < groups; ++i, x += kGroup, dy += kGroup) {
    const int64_t at = i * SideGradient<T>::kSize;
    const auto da = hn::Load(d, of.da + at), db = hn::Load(d, of.db + at),
               g = hn::Load(d, of.g + at);
#pragma GCC unroll 8
    for (int c = 0; c < kNarrow; ++c) {
      const auto feature = hn::Load(d, x + c * kLanes<T>);
      w1.v[c] = hn::MulAdd(da, feature, w1.v[c]);
      w3.v[c] = hn::MulAdd(db, feature, w3.v[c]);
      w2.v[c] = hn::MulAdd(g, hn::Load(d, dy + c * kLanes<T>), w2.v[c]);
    }
  }
  store_features(w1, sums);
  store_features(w3, sums + kGroup);
  store_features(w2, sums + 2 * kGroup);
}

/// One side of hidden units and `groups` groups of rows: adds to dx and to the sums (kSide, 3,
/// kNarrow, lanes). `room`: 3 kNarrowGroups SideGradient<T>::kSize.
template <class T>
HWY_NOINLINE void backward_groups(int64_t groups, const T* HWY_RESTRICT units,
                                  const T* HWY_RESTRICT x, const T* HWY_RESTRICT dy,
                                  T* HWY_RESTRICT dx, T* HWY_RESTRICT room, T* HWY_RESTRICT sums) {
  constexpr int64_t kGroup = int64_t{kNarrow} * kLanes<T>, kSize = SideGradient<T>::kSize;
  const SideGradient<T> all{room, room + kNarrowGroups * kSize, room + 2 * kNarrowGroups * kSize};
  for (int64_t i = 0; i < groups; ++i)
    backward_side(units, x + i * kGroup, dy + i * kGroup, dx + i * kGroup,
                  {all.da + i * kSize, all.db + i * kSize, all.g + i * kSize});
  for (int u = 0; u < kSide; ++u) {
    const int64_t at = u * kLanes<T>;
    add_products<T>(groups, x, dy, {all.da + at, all.db + at, all.g + at}, sums + 3 * u * kGroup);
  }
}

/// to(c, h) += the sum over lanes of what is summed up for `count` hidden units h and feature c.
template <class T>
HWY_INLINE void add_lanes(int count, int64_t width, int64_t hidden, T sign,
                          const T* HWY_RESTRICT sums, T* HWY_RESTRICT to) {
  const Tag<T> d;
  if (to == nullptr) return;
  for (int u = 0; u < count; ++u) {
    for (int64_t c = 0; c < width; ++c) {
      const auto sum = hn::SumOfLanes(d, hn::Load(d, sums + (3 * u * kNarrow + c) * kLanes<T>));
      to[c * hidden + u] += sign * hn::GetLane(sum);
    }
  }
}

/// `sums`: dW1^T, dW3^T, dW2, each (D, hidden) with rows of `hidden`; dx may be null.
template <class T>
HWY_NOINLINE void backward_narrow(const SwigluInput<T>& in, const T* units, const T* dy,
                                  int64_t first, int64_t last, int64_t hidden,
                                  const SwigluGradient<T>& sums, T* dx) {
  constexpr int64_t kGroup = int64_t{kNarrow} * kLanes<T>, kSums = 3 * kSide * kGroup;
  constexpr int64_t kAll = kNarrowRows / kLanes<T> * kGroup;
  constexpr int64_t kRoom = 3 * kNarrowGroups * SideGradient<T>::kSize;
  Scratch scratch(3 * Scratch::size<T>(kAll) + Scratch::size<T>(kSums) + Scratch::size<T>(kRoom));
  T *x = scratch.take<T>(kAll), *g = scratch.take<T>(kAll), *out = scratch.take<T>(kAll);
  T *side = scratch.take<T>(kSums), *room = scratch.take<T>(kRoom);
  const auto at = [](T* to, int64_t h) { return to == nullptr ? nullptr : to + h; };
  for (int64_t r = first; r < last; r += kNarrowRows) {
    const int64_t rows = std::min(kNarrowRows, last - r);
    const int64_t groups = (rows + kLanes<T> - 1) / kLanes<T>;
    turn_rows(in.x + r * in.width, rows, in.width, x);
    turn_rows(dy + r * in.width, rows, in.width, g);
    std::fill_n(out, groups * kGroup, T(0));
    for (int64_t h = 0; h < in.hidden; h += kSide) {
      const int count = static_cast<int>(std::min<int64_t>(kSide, in.hidden - h));
      std::fill_n(side, kSums, T(0));
      for (int64_t i = 0; i < groups; i += kNarrowGroups)
        backward_groups(std::min(kNarrowGroups, groups - i), units + h * kUnit, x + i * kGroup,
                        g + i * kGroup, out + i * kGroup, room, side);
      add_lanes(count, in.width, hidden, T(-1), side, at(sums.w1, h));
      add_lanes(count, in.width, hidden, T(1), side + kGroup, at(sums.w3, h));
      add_lanes(count, in.width, hidden, T(-1), side + 2 * kGroup, at(sums.w2, h));
    }
    if (dx != nullptr) turn_rows_back(out, rows, in.width, dx + r * in.width);
  }
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_SWIGLU_NARROW_INL_H_
