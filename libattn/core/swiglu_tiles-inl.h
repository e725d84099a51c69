// Per-target: what SwiGLU does with a tile of kBlock rows by kTile hidden units, which stays in the
// nearest cache. Hidden units lie along the SIMD lanes. Included once per target.
#if defined(ATTN_SWIGLU_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_SWIGLU_TILES_INL_H_
#undef ATTN_SWIGLU_TILES_INL_H_
#else
#define ATTN_SWIGLU_TILES_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <new>

#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"
#include "libattn/core/simd_math-inl.h"
#include "libattn/core/swiglu.h"
#include "libattn/core/tile_products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

inline constexpr int kBlock = 48, kTile = 64;

/// 1 / (1 + e^{-a}): with e = e^{-|a|}, 1 / (1 + e) or e / (1 + e).
template <class T>
HWY_INLINE Vec<T> sigmoid(Vec<T> a) {
  const Tag<T> d;
  const auto e = exponential(clamp_exponent<T>(hn::Neg(hn::Abs(a))));
  const auto high = reciprocal(hn::Add(hn::Set(d, T(1)), e));
  return hn::IfThenElse(hn::Lt(a, hn::Zero(d)), hn::Mul(e, high), high);
}

/// Sizes and the weights as the products want them, padded with zeros.
template <class T>
struct Packed {
  int64_t hidden = 0, width = 0;                         // padded: whole tiles, whole vectors
  const T *w1t = nullptr, *w3t = nullptr;                // (D, hidden)
  const T* w2 = nullptr;                                 // (D, hidden)
  const T *w1 = nullptr, *w3 = nullptr, *w2t = nullptr;  // (H, width)
  hwy::AlignedFreeUniquePtr<T[]> memory;
};

inline int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

template <class T>
T* pack(const T* from, int64_t rows, int64_t columns, int64_t stride, T*& next) {
  T* to = next;
  for (int64_t r = 0; r < rows; ++r) {
    std::copy_n(from + r * columns, columns, to + r * stride);
    std::fill_n(to + r * stride + columns, stride - columns, T(0));
  }
  next += rows * stride;
  return to;
}

/// (rows, columns) -> (columns, stride).
template <class T>
T* pack_turned(const T* from, int64_t rows, int64_t columns, int64_t stride, T*& next) {
  T* to = next;
  pack_transposed(from, columns, static_cast<int>(rows), columns, T(1), to,
                  static_cast<int>(stride), static_cast<int>(stride));
  next += columns * stride;
  return to;
}

template <class T>
Packed<T> pack_weights(const SwigluInput<T>& in, bool backward) {
  Packed<T> p;
  p.hidden = round_up(in.hidden, kTile);
  p.width = round_up(in.width, kLanes<T>);
  const int64_t across = in.width * p.hidden, along = in.hidden * p.width;
  p.memory = hwy::AllocateAligned<T>(
      static_cast<size_t>(backward ? 3 * across + 2 * along : 2 * across + along));
  if (p.memory == nullptr) throw std::bad_alloc();
  T* next = p.memory.get();
  p.w1t = pack_turned(in.w1, in.hidden, in.width, p.hidden, next);
  p.w3t = pack_turned(in.w3, in.hidden, in.width, p.hidden, next);
  if (backward) {
    p.w2 = pack(in.w2, in.width, in.hidden, p.hidden, next);
    p.w1 = pack(in.w1, in.hidden, in.width, p.width, next);
    p.w3 = pack(in.w3, in.hidden, in.width, p.width, next);
  } else {
    p.w2t = pack_turned(in.w2, in.width, in.hidden, p.width, next);
  }
  return p;
}

/// tile (n, kTile) = rows (n, D) w (D, hidden), columns [h, h + kTile).
template <class T>
HWY_INLINE void into_hidden(const SwigluInput<T>& in, const Packed<T>& packed, const T* rows, int n,
                            const T* w, int64_t h, T* tile) {
  Product<T> p;
  p.a = rows, p.row = in.width, p.step = 1, p.depth = in.width;
  p.b = w + h, p.ldb = packed.hidden;
  p.out = tile, p.ldo = kTile, p.columns = kTile;
  product<Start::zero, 0, 1>(n, p);
}

/// out (n, width) += tile (n, kTile) w (H, width), rows from h on.
template <class T>
HWY_INLINE void out_of_hidden(const SwigluInput<T>& in, const Packed<T>& packed, const T* tile,
                              int n, const T* w, int64_t h, T* out) {
  Product<T> p;
  p.a = tile, p.row = kTile, p.step = 1, p.depth = std::min<int64_t>(kTile, in.hidden - h);
  p.b = w + h * packed.width, p.ldb = packed.width;
  p.out = out, p.ldo = packed.width, p.columns = packed.width;
  if (packed.width == kLanes<T>) {  // one vector: more rows at a time hide the latency of an FMA
    product_columns<Start::add, 2 * kRows, 1, false, 0, 1>(n, p, 0, 0);
  } else {
    product<Start::add, 0, 1>(n, p);
  }
}

/// out (D, hidden) += rows^T (D, n) tile (n, kTile), columns [h, h + kTile).
template <class T>
HWY_INLINE void into_weights(const SwigluInput<T>& in, const Packed<T>& packed, const T* rows,
                             int n, const T* tile, int64_t h, T* out) {
  Product<T> p;
  p.a = rows, p.row = 1, p.step = in.width, p.depth = n;
  p.b = tile, p.ldb = kTile;
  p.out = out + h, p.ldo = packed.hidden, p.columns = kTile;
  product<Start::add, 1, 0>(static_cast<int>(in.width), p);
}

/// a <- silu(a) b.
template <class T>
HWY_INLINE void gate(int n, T* HWY_RESTRICT a, const T* HWY_RESTRICT b) {
  const Tag<T> d;
  for (int i = 0; i < n * kTile; i += kLanes<T>) {
    const auto av = hn::Load(d, a + i);
    hn::Store(hn::Mul(hn::Mul(av, sigmoid<T>(av)), hn::Load(d, b + i)), d, a + i);
  }
}

/// (a, b, dg) <- (da, db, g).
template <class T>
HWY_INLINE void gate_gradient(int n, T* HWY_RESTRICT a, T* HWY_RESTRICT b, T* HWY_RESTRICT dg) {
  const Tag<T> d;
  const auto one = hn::Set(d, T(1));
  for (int i = 0; i < n * kTile; i += kLanes<T>) {
    const auto av = hn::Load(d, a + i), bv = hn::Load(d, b + i), gv = hn::Load(d, dg + i);
    const auto s = sigmoid<T>(av), silu = hn::Mul(av, s);
    // s (1 + a (1 - s)) = s + silu (1 - s)
    const auto slope = hn::MulAdd(silu, hn::Sub(one, s), s);
    hn::Store(hn::Mul(hn::Mul(gv, bv), slope), d, a + i);
    hn::Store(hn::Mul(gv, silu), d, b + i);
    hn::Store(hn::Mul(silu, bv), d, dg + i);
  }
}

/// The first `width` columns of (n, padded) to (n, width).
template <class T>
HWY_INLINE void unpad(const T* HWY_RESTRICT from, int64_t padded, int n, int64_t width,
                      T* HWY_RESTRICT to) {
  for (int r = 0; r < n; ++r) std::copy_n(from + r * padded, width, to + r * width);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_SWIGLU_TILES_INL_H_
