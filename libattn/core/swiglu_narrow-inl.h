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

/// Hidden units whose weights' gradients are summed up at a time: 3 x 8 x 8 vectors in the nearest
/// cache.
inline constexpr int kNarrowUnits = 8;
/// Rows that go through all hidden units before the next do.
inline constexpr int64_t kNarrowRows = 1024;

/// Of hidden unit h: -W1[h,:], W3[h,:], -W2[:,h], each padded with zeros: the signs turn a into the
/// exponent of e^{-a}.
inline constexpr int64_t kUnit = 3 * kNarrow;
template <class T>
hwy::AlignedFreeUniquePtr<T[]> pack_units(const SwigluInput<T>& in) {
  auto units = hwy::AllocateAligned<T>(static_cast<size_t>(in.hidden * kUnit));
  if (units == nullptr) throw std::bad_alloc();
  T* to = units.get();
  std::fill_n(to, in.hidden * kUnit, T(0));
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

/// sum_c w_c x_c.
template <class T>
HWY_INLINE Vec<T> weighed(const NarrowRows<T>& x, const T* HWY_RESTRICT w) {
  const Tag<T> d;
  auto sum = hn::Mul(x.v[0], hn::Set(d, w[0]));
#pragma GCC unroll 8
  for (int c = 1; c < kNarrow; ++c) sum = hn::MulAdd(x.v[c], hn::Set(d, w[c]), sum);
  return sum;
}
/// x_c += w_c of.
template <class T>
HWY_INLINE void spread(Vec<T> of, const T* HWY_RESTRICT w, NarrowRows<T>& x) {
#pragma GCC unroll 8
  for (int c = 0; c < kNarrow; ++c) x.v[c] = hn::MulAdd(of, hn::Set(Tag<T>(), w[c]), x.v[c]);
}

/// 1 / (1 + e^x), NaN kept; 0 from x = 88 on.
template <class T>
HWY_INLINE Vec<T> falling_sigmoid(Vec<T> x) {
  const Tag<T> d;
  const auto high = hn::Set(d, -kMinExponent<T>);
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  const auto capped = hn::Min(high, x);  // MINPS returns its second operand when either is NaN
#else
  const auto capped = hn::IfThenElse(hn::Gt(x, high), high, x);
#endif
  const auto one = hn::Set(d, T(1));
  const auto falling = reciprocal(hn::Add(one, exponential(clamp_exponent<T>(capped))));
  return hn::IfThenZeroElse(hn::Ge(x, high), falling);
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

/// y of one group of rows.
template <class T>
HWY_NOINLINE void forward_group(int64_t hidden, const T* HWY_RESTRICT units,
                                const T* HWY_RESTRICT from, T* HWY_RESTRICT to) {
  const NarrowRows<T> x = load_features(from);
  NarrowRows<T> y;
  for (auto& v : y.v) v = hn::Zero(Tag<T>());
  for (int64_t h = 0; h < hidden; ++h, units += kUnit) {
    const auto a = weighed(x, units), b = weighed(x, units + kNarrow);  // a: -a
    const auto g = hn::Mul(hn::Mul(a, b), falling_sigmoid<T>(a));
    spread(g, units + 2 * kNarrow, y);
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

/// Sums over rows of the gradients of a few hidden units, still apart by lanes: dW1 (with the other
/// sign), dW3, dW2 (likewise), each (units, kNarrow, lanes).
template <class T>
HWY_INLINE void add_products(Vec<T> of, const NarrowRows<T>& x, T* HWY_RESTRICT sums) {
  const Tag<T> d;
#pragma GCC unroll 8
  for (int c = 0; c < kNarrow; ++c)
    hn::Store(hn::MulAdd(of, x.v[c], hn::Load(d, sums + c * kLanes<T>)), d, sums + c * kLanes<T>);
}

/// One group of rows and the units [0, count): adds to dx and to the sums.
template <class T>
HWY_NOINLINE void backward_group(int count, const T* HWY_RESTRICT units, const T* HWY_RESTRICT xs,
                                 const T* HWY_RESTRICT dys, T* HWY_RESTRICT dxs,
                                 T* HWY_RESTRICT sums) {
  constexpr int64_t kSums = int64_t{kNarrow} * kLanes<T>, kPart = kNarrowUnits * kSums;
  const auto one = hn::Set(Tag<T>(), T(1));
  const NarrowRows<T> x = load_features(xs), dy = load_features(dys);
  NarrowRows<T> dx = load_features(dxs);
  for (int u = 0; u < count; ++u, units += kUnit, sums += kSums) {
    const auto a = weighed(x, units), b = weighed(x, units + kNarrow);  // a: -a
    const auto dg = weighed(dy, units + 2 * kNarrow);                   // -dg
    const auto s = falling_sigmoid<T>(a), silu = hn::Mul(a, s);         // -silu
    const auto slope = hn::NegMulAdd(silu, hn::Sub(one, s), s);
    const auto da = hn::Mul(hn::Mul(dg, b), slope), db = hn::Mul(dg, silu);  // -da, db
    spread(da, units, dx);
    spread(db, units + kNarrow, dx);
    add_products(da, x, sums);
    add_products(db, x, sums + kPart);
    add_products(hn::Mul(silu, b), dy, sums + 2 * kPart);
  }
  store_features(dx, dxs);
}

/// to(c, h) += the sum over lanes of what is summed up for hidden unit h and feature c.
template <class T>
HWY_INLINE void add_lanes(int count, int64_t width, int64_t hidden, T sign,
                          const T* HWY_RESTRICT sums, T* HWY_RESTRICT to) {
  const Tag<T> d;
  for (int u = 0; u < count; ++u) {
    for (int64_t c = 0; c < width; ++c) {
      const auto sum = hn::SumOfLanes(d, hn::Load(d, sums + (u * kNarrow + c) * kLanes<T>));
      to[c * hidden + u] += sign * hn::GetLane(sum);
    }
  }
}

/// `sums`: dW1^T, dW3^T, dW2, each (D, hidden) with rows of `hidden`; dx may be null.
template <class T>
HWY_NOINLINE void backward_narrow(const SwigluInput<T>& in, const T* units, const T* dy,
                                  int64_t first, int64_t last, int64_t hidden,
                                  const SwigluGradient<T>& sums, T* dx) {
  constexpr int64_t kGroup = int64_t{kNarrow} * kLanes<T>;
  constexpr int64_t kPart = kNarrowUnits * kGroup, kAll = kNarrowRows / kLanes<T> * kGroup;
  Scratch scratch(3 * Scratch::size<T>(kAll) + Scratch::size<T>(3 * kPart));
  T *x = scratch.take<T>(kAll), *g = scratch.take<T>(kAll), *out = scratch.take<T>(kAll);
  T* parts = scratch.take<T>(3 * kPart);
  for (int64_t r = first; r < last; r += kNarrowRows) {
    const int64_t rows = std::min(kNarrowRows, last - r);
    const int64_t end = (rows + kLanes<T> - 1) / kLanes<T> * kGroup;
    turn_rows(in.x + r * in.width, rows, in.width, x);
    turn_rows(dy + r * in.width, rows, in.width, g);
    std::fill_n(out, end, T(0));
    for (int64_t h = 0; h < in.hidden; h += kNarrowUnits) {
      const int count = static_cast<int>(std::min<int64_t>(kNarrowUnits, in.hidden - h));
      std::fill_n(parts, 3 * kPart, T(0));
      for (int64_t i = 0; i < end; i += kGroup)
        backward_group(count, units + h * kUnit, x + i, g + i, out + i, parts);
      if (sums.w1 != nullptr) add_lanes(count, in.width, hidden, T(-1), parts, sums.w1 + h);
      if (sums.w3 != nullptr) add_lanes(count, in.width, hidden, T(1), parts + kPart, sums.w3 + h);
      if (sums.w2 != nullptr)
        add_lanes(count, in.width, hidden, T(-1), parts + 2 * kPart, sums.w2 + h);
    }
    if (dx != nullptr) turn_rows_back(out, rows, in.width, dx + r * in.width);
  }
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_SWIGLU_NARROW_INL_H_
