// Per-target building blocks: exponential, reciprocal, partial loads, transposed packing. Included
// once per target.
#if defined(ATTN_SIMD_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_SIMD_MATH_INL_H_
#undef ATTN_SIMD_MATH_INL_H_
#else
#define ATTN_SIMD_MATH_INL_H_
#endif

#include <cstdint>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vec = hn::Vec<Tag<T>>;
template <class T>
inline constexpr int kLanes = HWY_LANES(T);

/// The value that stands for "no key seen yet": finite, so that (-inf) - kLowest is -inf and never
/// NaN.
template <class T>
inline constexpr T kLowest = std::numeric_limits<T>::lowest();

/// Logits further below the maximum than this have e^x = 0 (below 2^-126, 2^-1022).
template <class T>
inline constexpr T kMinExponent = sizeof(T) == 4 ? T(-88.02) : T(-708.9);

/// max(x, kMinExponent), NaN kept.
template <class T>
HWY_INLINE Vec<T> clamp_exponent(Vec<T> x) {
  const Tag<T> d;
  const auto low = hn::Set(d, kMinExponent<T>);
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Max(low, x);  // MAXPS returns its second operand when either is NaN
#else
  return hn::IfThenElse(hn::Lt(x, low), low, x);
#endif
}

/// e^x for kMinExponent <= x <= a few, NaN kept; exactly 0 at the lower end and exactly 1 at 0.
/// Relative error 1.5e-7 (fp32) and 3e-16 (fp64): x = n log 2 + r, a minimax polynomial in r
/// (fitted by Lawson iteration), and 2^n from the bits that adding 1.5 * 2^(mantissa bits) + bias
/// left in the low end of the sum; n = -bias gives the factor 0. Of N at a time, step by step side
/// by side: one alone waits for its own results.
template <int N>
HWY_INLINE void exponentials(Vec<float> (&x)[N]) {
  const Tag<float> d;
  const hn::RebindToUnsigned<Tag<float>> bits;
  constexpr float kC[] = {0.04189816489815712f, 0.1666763871908188f, 0.4999914765357971f,
                          0.9999997019767761f, 1.0f};
  const auto magic = hn::Set(d, 12582912.0f + 127.0f);
  Vec<float> shifted[N], p[N];
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) shifted[i] = hn::MulAdd(x[i], hn::Set(d, 1.44269504f), magic);
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) {
    const auto n = hn::Sub(shifted[i], magic);
#if HWY_NATIVE_FMA
    // With FMA the product is exact; the float nearest log 2 is off by 1.9e-9, an error of n *
    // 1.9e-9 where e^x ~ 2^n.
    x[i] = hn::NegMulAdd(n, hn::Set(d, 0.693147182f), x[i]);
#else
    x[i] = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f),
                         hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x[i]));
#endif
  }
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) p[i] = hn::Set(d, 0.008290263824164867f);
#pragma GCC unroll 5
  for (const float c : kC) {
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) p[i] = hn::MulAdd(p[i], x[i], hn::Set(d, c));
  }
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i)
    x[i] = hn::Mul(p[i], hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(bits, shifted[i]))));
}

HWY_INLINE Vec<float> exponential(Vec<float> x) {
  Vec<float> one[1] = {x};
  exponentials(one);
  return one[0];
}

HWY_INLINE Vec<double> exponential(Vec<double> x) {
  const Tag<double> d;
  const hn::RebindToUnsigned<Tag<double>> bits;
  const auto magic = hn::Set(d, 6755399441055744.0 + 1023.0);
  const auto shifted = hn::MulAdd(x, hn::Set(d, 1.4426950408889634), magic);
  const auto n = hn::Sub(shifted, magic);
  auto r = hn::NegMulAdd(n, hn::Set(d, 0.693147180369123816490), x);
  r = hn::NegMulAdd(n, hn::Set(d, 1.90821492927058770002e-10), r);
  constexpr double kC[] = {2.510040482431801e-08,
                           2.762011358004812e-07,
                           2.7557268419352836e-06,
                           2.480152124310193e-05,
                           0.0001984126986307978,
                           0.001388888891724774,
                           0.008333333333330056,
                           0.04166666666662406,
                           0.16666666666666669,
                           0.5000000000000001,
                           1.0,
                           1.0};
  auto p = hn::Set(d, kC[0]);
#pragma GCC unroll 12
  for (int i = 1; i < 12; ++i) p = hn::MulAdd(p, r, hn::Set(d, kC[i]));
  return hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<52>(hn::BitCast(bits, shifted))));
}
template <int N>
HWY_INLINE void exponentials(Vec<double> (&x)[N]) {
  for (auto& each : x) each = exponential(each);
}

/// e^x of N numbers x <= a few, -inf among them, NaN kept; exactly 1 at 0, 0 from -104 (fp32) and
/// -709 (fp64) down. As above, but with AVX-512 a relative error of 1.5e-7 + 6e-8 |x|, which is
/// 1.7e-7 of the greatest of a sum of such: 2^t = 2^(t - floor t) 2^(floor t), t = x / log 2, both
/// in one instruction.
template <int N>
HWY_INLINE void falling_exponentials(Vec<float> (&x)[N]) {
#if HWY_TARGET <= HWY_AVX3
  const Tag<float> d;
  constexpr float kC[] = {0.009017030708491802f, 0.05579991266131401f, 0.24016444385051727f,
                          0.6931512951850891f, 1.0f};
  Vec<float> r[N], p[N];
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) x[i] = hn::Mul(x[i], hn::Set(d, 1.44269504f));
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) {
    r[i].raw = _mm512_reduce_ps(x[i].raw, 9);  // x - floor x
    p[i] = hn::Set(d, 0.001867129816673696f);
  }
#pragma GCC unroll 5
  for (const float c : kC) {
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) p[i] = hn::MulAdd(p[i], r[i], hn::Set(d, c));
  }
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) x[i].raw = _mm512_scalef_ps(p[i].raw, x[i].raw);
#else
#pragma GCC unroll 8
  for (auto& each : x) each = clamp_exponent<float>(each);
  exponentials(x);
#endif
}
template <int N>
HWY_INLINE void falling_exponentials(Vec<double> (&x)[N]) {
  for (auto& each : x) each = exponential(clamp_exponent<double>(each));
}

/// 1 / x for x >= 1, NaN kept; from 2^126 on it may be 0. Of N at a time, as above.
template <int N>
HWY_INLINE void reciprocals(Vec<float> (&x)[N]) {
  const Tag<float> d;
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  for (auto& each : x) each = hn::Div(hn::Set(d, 1.0f), each);
#else
  Vec<float> r[N];
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) r[i] = hn::ApproximateReciprocal(x[i]);  // at least 8 bits (NEON)
#if HWY_TARGET > HWY_AVX3
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) r[i] = hn::Mul(r[i], hn::NegMulAdd(x[i], r[i], hn::Set(d, 2.0f)));
#endif
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) x[i] = hn::NegMulAdd(x[i], r[i], hn::Set(d, 1.0f));
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) x[i] = hn::MulAdd(r[i], x[i], r[i]);  // Newton
#endif
}
HWY_INLINE Vec<float> reciprocal(Vec<float> x) {
  Vec<float> one[1] = {x};
  reciprocals(one);
  return one[0];
}
HWY_INLINE Vec<double> reciprocal(Vec<double> x) {
  return hn::Div(hn::Set(Tag<double>(), 1.0), x);
}

/// The first `count` < lanes elements of p, zeros above; reads nothing beyond them.
template <class T>
HWY_INLINE Vec<T> load_partial(const T* HWY_RESTRICT p, int count) {
  const Tag<T> d;
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN T buffer[kLanes<T>] = {};
  for (int i = 0; i < count; ++i) buffer[i] = p[i];
  return hn::Load(d, buffer);
#else
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(count)), d, p);
#endif
}

/// Writes the first `count` < lanes elements of v.
template <class T>
HWY_INLINE void store_partial(Vec<T> v, T* HWY_RESTRICT p, int count) {
  const Tag<T> d;
  HWY_ALIGN T buffer[kLanes<T>];
  hn::Store(v, d, buffer);
  for (int i = 0; i < count; ++i) p[i] = buffer[i];
}

/// sum_i a[i] b[i], in four sums at once: one would wait for its own additions.
template <class T>
HWY_INLINE T dot_product(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, int64_t n) {
  constexpr int64_t kN = kLanes<T>;
  const Tag<T> d;
  const auto add = [&](int64_t at, Vec<T> sum) HWY_ATTR {
    return hn::MulAdd(hn::LoadU(d, a + at), hn::LoadU(d, b + at), sum);
  };
  auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 4 * kN <= n; i += 4 * kN) {
    s0 = add(i, s0);
    s1 = add(i + kN, s1);
    s2 = add(i + 2 * kN, s2);
    s3 = add(i + 3 * kN, s3);
  }
  for (; i + kN <= n; i += kN) s0 = add(i, s0);
  T total = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

/// to[c * width + r] = factor * from[r * stride + c] for r < rows, 0 for rows <= r < padded_rows; c
/// < columns.
template <class T>
HWY_INLINE void pack_transposed(const T* HWY_RESTRICT from, int64_t stride, int rows,
                                int64_t columns, T factor, T* HWY_RESTRICT to, int64_t width,
                                int padded_rows) {
  int r = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::CappedTag<T, 16 / sizeof(T)> d;
  const auto scale = hn::Set(d, factor);
  if constexpr (sizeof(T) == 4) {
    const hn::RepartitionToWide<decltype(d)> wide;
    for (; r + 4 <= rows; r += 4) {
      const T* row = from + r * stride;
      int64_t c = 0;
      for (; c + 4 <= columns; c += 4) {
        const auto a0 = hn::Mul(scale, hn::LoadU(d, row + c)),
                   a1 = hn::Mul(scale, hn::LoadU(d, row + stride + c));
        const auto a2 = hn::Mul(scale, hn::LoadU(d, row + 2 * stride + c));
        const auto a3 = hn::Mul(scale, hn::LoadU(d, row + 3 * stride + c));
        const auto b0 = hn::BitCast(wide, hn::InterleaveLower(d, a0, a1));
        const auto b1 = hn::BitCast(wide, hn::InterleaveLower(d, a2, a3));
        const auto b2 = hn::BitCast(wide, hn::InterleaveUpper(d, a0, a1));
        const auto b3 = hn::BitCast(wide, hn::InterleaveUpper(d, a2, a3));
        T* out = to + c * width + r;
        hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, b0, b1)), d, out);
        hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, b0, b1)), d, out + width);
        hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, b2, b3)), d, out + 2 * width);
        hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, b2, b3)), d, out + 3 * width);
      }
      for (; c < columns; ++c) {
        for (int i = 0; i < 4; ++i) to[c * width + r + i] = factor * row[i * stride + c];
      }
    }
  } else {
    for (; r + 2 <= rows; r += 2) {
      const T* row = from + r * stride;
      int64_t c = 0;
      for (; c + 2 <= columns; c += 2) {
        const auto a0 = hn::Mul(scale, hn::LoadU(d, row + c)),
                   a1 = hn::Mul(scale, hn::LoadU(d, row + stride + c));
        hn::StoreU(hn::InterleaveLower(d, a0, a1), d, to + c * width + r);
        hn::StoreU(hn::InterleaveUpper(d, a0, a1), d, to + (c + 1) * width + r);
      }
      for (; c < columns; ++c) {
        for (int i = 0; i < 2; ++i) to[c * width + r + i] = factor * row[i * stride + c];
      }
    }
  }
#endif
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) to[c * width + r] = factor * from[r * stride + c];
  }
  for (; r < padded_rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) to[c * width + r] = T(0);
  }
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_SIMD_MATH_INL_H_
