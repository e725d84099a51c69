// Per-target: GELU, x Phi(x), and its derivative. Included once per target.
#if defined(ATTN_GELU_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_GELU_INL_H_
#undef ATTN_GELU_INL_H_
#else
#define ATTN_GELU_INL_H_
#endif

#include <cmath>
#include <cstdint>
#include <numbers>

#include "hwy/highway.h"
#include "libattn/core/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Of N numbers side by side: e^{-x^2/2}, and Q(|x|) = 1 - Phi(|x|) = e^{-x^2/2} P(1 / (1 +
/// |x|/2)), P of degree 5 fitted to the smallest error of |x| Q(|x|), 3e-8 (by Lawson iteration).
template <int N>
struct Tails {
  Vec<float> bell[N], tail[N];
};
template <int N>
HWY_INLINE Tails<N> tails_of(const Vec<float> (&x)[N]) {
  const Tag<float> d;
  constexpr float kC[] = {-0.33931985489667427F, 0.4742523280628854F, 0.06378659135882549F,
                          0.22856663224942209F, -0.0025543071237208053F};
  Tails<N> of;
  Vec<float> t[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) {
    const auto z = hn::Abs(x[i]), half = hn::Set(d, 0.5F);
    of.bell[i] = hn::Mul(hn::Mul(z, hn::Set(d, -0.5F)), z);
    t[i] = hn::MulAdd(half, z, hn::Set(d, 1.0F));
    of.tail[i] = hn::Set(d, 0.07527066049400849F);
  }
  falling_exponentials(of.bell);
  reciprocals(t);
#pragma GCC unroll 5
  for (const float c : kC) {
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) of.tail[i] = hn::MulAdd(of.tail[i], t[i], hn::Set(d, c));
  }
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) of.tail[i] = hn::Mul(of.tail[i], of.bell[i]);
  return of;
}

/// x Phi(x) = max(x, 0) - |x| Q(|x|).
HWY_INLINE Vec<float> gelu(Vec<float> x, Vec<float> tail) {
  const Tag<float> d;
  return hn::NegMulAdd(hn::Abs(x), tail, hn::Max(x, hn::Zero(d)));
}

#if HWY_TARGET <= HWY_AVX3
/// Q(z) of 16 pieces of 0 <= z <= kLast, each a polynomial of u = z / piece - number, |u| <= 1/2,
/// that meets Q at Chebyshev's nodes; |z| Q(z) is within 2e-7. Behind kLast z Q(z) stays what it is
/// there, 2e-7, so that infinity times 0 does not come up.
struct GeluPieces {
  static constexpr int kPieces = 16, kTerms = 5;
  static constexpr float kLast = 5.4F, kPerUnit = (kPieces - 0.52F) / kLast;  // no tie at the end
  alignas(64) float terms[kTerms][kPieces];

  GeluPieces() {
    for (int k = 0; k < kPieces; ++k) {
      double node[kTerms], f[kTerms], c[kTerms] = {};
      for (int i = 0; i < kTerms; ++i) {
        node[i] = 0.5 * std::cos((2 * i + 1) * std::numbers::pi / (2 * kTerms));
        f[i] = 0.5 * std::erfc((k + node[i]) / kPerUnit / std::numbers::sqrt2);
      }
      for (int order = 1; order < kTerms; ++order)  // divided differences
        for (int i = kTerms - 1; i >= order; --i)
          f[i] = (f[i] - f[i - 1]) / (node[i] - node[i - order]);
      for (int i = kTerms - 1; i >= 0; --i) {  // c <- c (u - node) + f
        for (int power = kTerms - 1; power > 0; --power)
          c[power] = c[power - 1] - node[i] * c[power];
        c[0] = f[i] - node[i] * c[0];
      }
      for (int power = 0; power < kTerms; ++power) terms[power][k] = static_cast<float>(c[power]);
    }
  }
};

/// x Phi(x) = max(x, 0) - |x| Q(|x|), Q from its pieces.
template <int N>
HWY_INLINE void gelu_beside(const GeluPieces& pieces, float* HWY_RESTRICT x) {
  const Tag<float> d;
  const auto rounding = hn::Set(d, 12582912.0F);  // 1.5 2^23: a sum's last bits are its integer
  Vec<float> v[N], z[N], u[N], q[N];
  __m512i number[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) {
    v[i] = hn::Load(d, x + i * kLanes<float>);
    z[i] = hn::Min(hn::Set(d, GeluPieces::kLast), hn::Abs(v[i]));  // the second where it is NaN
    const auto sum = hn::MulAdd(z[i], hn::Set(d, GeluPieces::kPerUnit), rounding);
    number[i] = _mm512_castps_si512(sum.raw);
    u[i] = hn::MulSub(z[i], hn::Set(d, GeluPieces::kPerUnit), hn::Sub(sum, rounding));
    q[i].raw =
        _mm512_permutexvar_ps(number[i], _mm512_load_ps(pieces.terms[GeluPieces::kTerms - 1]));
  }
#pragma GCC unroll 4
  for (int power = GeluPieces::kTerms - 2; power >= 0; --power) {
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      Vec<float> term;
      term.raw = _mm512_permutexvar_ps(number[i], _mm512_load_ps(pieces.terms[power]));
      q[i] = hn::MulAdd(q[i], u[i], term);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i)
    hn::Store(hn::NegMulAdd(z[i], q[i], hn::Max(v[i], hn::Zero(d))), d, x + i * kLanes<float>);
}
#else
struct GeluPieces {};

template <int N>
HWY_INLINE void gelu_beside(const GeluPieces& /*pieces*/, float* HWY_RESTRICT x) {
  const Tag<float> d;
  Vec<float> v[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) v[i] = hn::Load(d, x + i * kLanes<float>);
  const Tails<N> of = tails_of(v);
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) hn::Store(gelu(v[i], of.tail[i]), d, x + i * kLanes<float>);
}
#endif

/// x <- x Phi(x) of `count` aligned numbers, whole vectors.
HWY_MAYBE_UNUSED static HWY_NOINLINE void gelu_all(int64_t count, float* HWY_RESTRICT x) {
  static const GeluPieces pieces;
  int64_t i = 0;
  for (; i + 4 * kLanes<float> <= count; i += 4 * kLanes<float>) gelu_beside<4>(pieces, x + i);
  for (; i < count; i += kLanes<float>) gelu_beside<1>(pieces, x + i);
}

/// From u and dg in `dact`: act = u Phi(u), dact = dg (Phi(u) + u phi(u)); aligned, whole vectors.
HWY_MAYBE_UNUSED static HWY_NOINLINE void gelu_gradient(int64_t count, const float* HWY_RESTRICT u,
                                                        float* HWY_RESTRICT act,
                                                        float* HWY_RESTRICT dact) {
  const Tag<float> d;
  const auto one = hn::Set(d, 1.0F), density = hn::Set(d, 0.3989422804014327F);
  for (int64_t i = 0; i < count; i += kLanes<float>) {
    const Vec<float> v[] = {hn::Load(d, u + i)};
    const auto of = tails_of(v);
    const auto tail = of.tail[0];
    const auto phi = hn::IfThenElse(hn::Lt(v[0], hn::Zero(d)), tail, hn::Sub(one, tail));
    const auto slope = hn::MulAdd(v[0], hn::Mul(of.bell[0], density), phi);
    hn::Store(gelu(v[0], tail), d, act + i);
    hn::Store(hn::Mul(hn::Load(d, dact + i), slope), d, dact + i);
  }
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_GELU_INL_H_
