// Per-target: what pooling does with rows of values, which come from memory once. Included once per
// target.
#if defined(ATTN_POOLING_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_POOLING_ROWS_INL_H_
#undef ATTN_POOLING_ROWS_INL_H_
#else
#define ATTN_POOLING_ROWS_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "attn/core.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "libattn/core/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Instances worked on at a time: their weights stay in the nearest cache.
inline constexpr int64_t kInstances = 256;

/// row *= factor.
template <class T>
HWY_INLINE void scale_row(T* HWY_RESTRICT row, int64_t columns, T factor) {
  if (factor == T(1)) return;
  for (int64_t c = 0; c < columns; ++c) row[c] *= factor;
}

/// out(c) += sum_r w[r] values[r * row + c] for R instances: their rows are read as streams, once
/// from memory.
template <int R, class T>
HWY_INLINE void add_rows(const T* HWY_RESTRICT values, int64_t row, const T* HWY_RESTRICT w,
                         int64_t columns, T* HWY_RESTRICT out) {
  constexpr int64_t kN = kLanes<T>;
  const Tag<T> d;
  int64_t c = 0;
  for (; c + 2 * kN <= columns; c += 2 * kN) {
    auto a = hn::LoadU(d, out + c), b = hn::LoadU(d, out + c + kN);
    // The rows that come next: the hardware's own prefetch ends at each page.
    for (int r = 0; r < R; ++r) hwy::Prefetch(values + (r + R) * row + c);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto weight = hn::Set(d, w[r]);
      a = hn::MulAdd(weight, hn::LoadU(d, values + r * row + c), a);
      b = hn::MulAdd(weight, hn::LoadU(d, values + r * row + c + kN), b);
    }
    hn::StoreU(a, d, out + c);
    hn::StoreU(b, d, out + c + kN);
  }
  for (; c < columns; ++c) {
    for (int r = 0; r < R; ++r) out[c] += w[r] * values[r * row + c];
  }
}

/// out (K, d) += weights (K, n) values (n, d), the instances from `first` on. Rows outermost: with
/// columns outermost, as a matrix product has them, 10^6 x 512 came at a third of the bandwidth.
template <class T>
HWY_INLINE void add_instances(const PoolInput<T>& in, int64_t first, int64_t n, const T* weights,
                              T* out) {
  constexpr int kTogether = 4;
  const T* values = in.values + first * in.values_row;
  int64_t i = 0;
  for (; i + kTogether <= n; i += kTogether) {
    for (int64_t k = 0; k < in.heads; ++k)
      add_rows<kTogether>(values + i * in.values_row, in.values_row, weights + k * kInstances + i,
                          in.d, out + k * in.d);
  }
  for (; i < n; ++i) {
    for (int64_t k = 0; k < in.heads; ++k)
      add_rows<1>(values + i * in.values_row, in.values_row, weights + k * kInstances + i, in.d,
                  out + k * in.d);
  }
}

/// dv = sum_k p_k dO_k of one instance. kPastCache: written past the caches, whole vectors aligned.
template <bool kPastCache, class T>
HWY_INLINE void value_gradient(const PoolInput<T>& in, const T* HWY_RESTRICT p,
                               const T* HWY_RESTRICT dout, T* HWY_RESTRICT to) {
  constexpr int64_t kN = kLanes<T>;
  const Tag<T> d;
  int64_t c = 0;
  for (; c + kN <= in.d; c += kN) {
    auto sum = hn::Zero(d);
    for (int64_t k = 0; k < in.heads; ++k)
      sum = hn::MulAdd(hn::Set(d, p[k * kInstances]), hn::LoadU(d, dout + k * in.d + c), sum);
    if constexpr (kPastCache) {
      hn::Stream(sum, d, to + c);
    } else {
      hn::StoreU(sum, d, to + c);
    }
  }
  for (; c < in.d; ++c) {
    to[c] = 0;
    for (int64_t k = 0; k < in.heads; ++k) to[c] += p[k * kInstances] * dout[k * in.d + c];
  }
}

/// Whether dvalues are better written past the caches: there is more of them than a cache holds, so
/// that each line would be read before it is written, for nothing. Every row must begin a vector.
template <class T>
HWY_INLINE bool writes_past_cache(const PoolInput<T>& in, const T* dvalues) {
  constexpr int64_t kEnough = int64_t{1} << 25;
  const int64_t bytes = in.offsets[in.bags] * in.d * static_cast<int64_t>(sizeof(T));
  return bytes >= kEnough && in.d % kLanes<T> == 0 &&
         reinterpret_cast<uintptr_t>(dvalues) % (kLanes<T> * sizeof(T)) == 0;
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_POOLING_ROWS_INL_H_
