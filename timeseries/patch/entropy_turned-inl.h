// Per-target pieces of the entropy model's network on turned windows: features along rows, tokens
// along the SIMD lanes, x[feature * ld + token], ld whole vectors. Weights are read in place and
// nothing is summed across lanes. Included once per target.
#if defined(TIMESERIES_ENTROPY_TURNED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TIMESERIES_ENTROPY_TURNED_INL_H_
#undef TIMESERIES_ENTROPY_TURNED_INL_H_
#else
#define TIMESERIES_ENTROPY_TURNED_INL_H_
#endif

#include <algorithm>
#include <cmath>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "libattn/core/turned-inl.h"
#include "timeseries/patch/entropy_layers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace timeseries::HWY_NAMESPACE {

/// y = (x - mean) / sqrt(variance + eps) weight, for each token.
HWY_MAYBE_UNUSED static HWY_NOINLINE void turned_norm(int64_t width, int64_t ld,
                                                      const float* HWY_RESTRICT x,
                                                      const float* HWY_RESTRICT weight,
                                                      float* HWY_RESTRICT y) {
  const Tag d;
  const auto share = hn::Set(d, 1.0F / static_cast<float>(width));
  for (int64_t t = 0; t < ld; t += kN) {
    auto sum = hn::Zero(d);
    for (int64_t c = 0; c < width; ++c) sum = hn::Add(sum, hn::Load(d, x + c * ld + t));
    const auto mean = hn::Mul(sum, share);
    auto squares = hn::Zero(d);
    for (int64_t c = 0; c < width; ++c) {
      const auto away = hn::Sub(hn::Load(d, x + c * ld + t), mean);
      squares = hn::MulAdd(away, away, squares);
    }
    const auto variance = hn::MulAdd(squares, share, hn::Set(d, kNormEps));
    const auto inverse = hn::Div(hn::Set(d, 1.0F), hn::Sqrt(variance));
    for (int64_t c = 0; c < width; ++c) {
      const auto away = hn::Sub(hn::Load(d, x + c * ld + t), mean);
      hn::Store(hn::Mul(hn::Mul(away, inverse), hn::Set(d, weight[c])), d, y + c * ld + t);
    }
  }
}

/// Pairs of rows rotated by the angle of each token, cosine and sine (d/2,ld): of `heads` heads of
/// d features.
HWY_MAYBE_UNUSED static HWY_NOINLINE void turned_rotate(int64_t heads, int64_t d, int64_t ld,
                                                        const float* HWY_RESTRICT cosine,
                                                        const float* HWY_RESTRICT sine,
                                                        float* HWY_RESTRICT x) {
  const Tag tag;
  for (int64_t pair = 0; pair < heads * d / 2; ++pair) {
    const int64_t angle = pair % (d / 2) * ld;
    float *even = x + 2 * pair * ld, *odd = even + ld;
    for (int64_t t = 0; t < ld; t += kN) {
      const auto a = hn::Load(tag, even + t), b = hn::Load(tag, odd + t),
                 c = hn::Load(tag, cosine + angle + t), s = hn::Load(tag, sine + angle + t);
      hn::Store(hn::NegMulAdd(b, s, hn::Mul(a, c)), tag, even + t);
      hn::Store(hn::MulAdd(a, s, hn::Mul(b, c)), tag, odd + t);
    }
  }
}

/// cos and sin of the angles of positions 0 ... length - 1 of a head of d features, (d/2,ld).
HWY_MAYBE_UNUSED static void fill_angles(int64_t d, double theta, int64_t length, int64_t ld,
                                         float* cosine, float* sine) {
  for (int64_t i = 0; i < d / 2; ++i) {
    const double rate = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(d));
    for (int64_t t = 0; t < length; ++t) {
      cosine[i * ld + t] = static_cast<float>(std::cos(static_cast<double>(t) * rate));
      sine[i * ld + t] = static_cast<float>(std::sin(static_cast<double>(t) * rate));
    }
  }
}

/// All queries of one head, in place of `out`: softmax(q . k / sqrt(d)) v, 0 where none is seen.
HWY_MAYBE_UNUSED static HWY_NOINLINE void turned_head(simd::TurnedHead<float> h,
                                                      const attn::core::TurnedSight<float>& sight,
                                                      float* HWY_RESTRICT out,
                                                      float* HWY_RESTRICT tile) {
  const Tag d;
  const float* queries = h.q;
  for (size_t i = 0; i < sight.spans.size(); ++i) {
    const int64_t first = static_cast<int64_t>(i) * kN;
    h.q = queries + first, h.out = out + first;
    const auto l = simd::turned_panel<false, simd::kTurned>(h, simd::panel_of(sight, i), tile).l;
    const auto none = hn::Eq(l, hn::Zero(d));
    const auto inverse = hn::IfThenElse(none, hn::Zero(d), hn::Div(hn::Set(d, 1.0F), l));
    for (int c = 0; c < h.dv; ++c) {
      float* at = h.out + c * h.ldo;
      hn::Store(hn::Mul(inverse, hn::Load(d, at)), d, at);
    }
  }
}

/// Of all heads: queries (D,ldq), keys and values (2D,ld) of `length` tokens, out (D,ldq). `keys`:
/// (L,2D), a key's numbers beside each other; apart, each would need an address of its own.
HWY_MAYBE_UNUSED static void turned_attend(int64_t heads, int64_t width,
                                           const attn::core::TurnedSight<float>& sight,
                                           const float* queries, const float* keys_values,
                                           int64_t length, int64_t ld, int64_t ldq, float* keys,
                                           float* tile, float* out) {
  const int64_t d = width / heads, row = 2 * width;
  simd::pack_transposed(keys_values, ld, static_cast<int>(row), length, 1.0F, keys, row,
                        static_cast<int>(row));
  for (int64_t head = 0; head < heads; ++head) {
    simd::TurnedHead<float> of;
    of.q = queries + head * d * ldq;
    of.ld = of.ldo = ldq;
    of.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(d)));
    of.k = {keys + head * d, row};
    of.v = {keys + width + head * d, row};
    of.d = of.dv = static_cast<int>(d);
    turned_head(of, sight, out + head * d * ldq, tile);
  }
}

/// Softmax statistics of one vector of tokens: m the greatest logit, l = sum e^{z - m}, t = sum
/// (z - m) e^{z - m}.
struct Statistics {
  Vec m, l, t;
};

/// Adds the logits of N rows, which `of.m` covers already.
template <int N>
HWY_INLINE void add_logits(const float* HWY_RESTRICT z, int64_t stride, Statistics& of) {
  const Tag d;
  Vec x[N], e[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i)
    e[i] = x[i] = simd::clamp_exponent<float>(hn::Sub(hn::Load(d, z + i * stride), of.m));
  simd::exponentials(e);
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) {
    of.l = hn::Add(of.l, e[i]);
    of.t = hn::MulAdd(e[i], x[i], of.t);
  }
}

/// The same with `rows` more logits z[row * stride].
HWY_INLINE Statistics met(const Statistics& before, int64_t rows, const float* HWY_RESTRICT z,
                          int64_t stride) {
  const Tag d;
  auto m0 = before.m, m1 = before.m;
  int64_t r = 0;
  for (; r + 2 <= rows; r += 2) {
    m0 = hn::Max(m0, hn::Load(d, z + r * stride));
    m1 = hn::Max(m1, hn::Load(d, z + (r + 1) * stride));
  }
  if (r < rows) m0 = hn::Max(m0, hn::Load(d, z + r * stride));
  const auto m = hn::Max(m0, m1), step = simd::clamp_exponent<float>(hn::Sub(before.m, m)),
             factor = simd::exponential(step);
  Statistics now{m, hn::Mul(factor, before.l), hn::Mul(factor, hn::MulAdd(before.l, step, before.t))};
  for (r = 0; r + 4 <= rows; r += 4) add_logits<4>(z + r * stride, stride, now);
  for (; r < rows; ++r) add_logits<1>(z + r * stride, stride, now);
  return now;
}

/// Words whose logits are worked on at a time, and tokens: 64 x 64 numbers of AVX-512 stay in the
/// nearest cache.
inline constexpr int64_t kWords = 64;
inline constexpr int64_t kStrip = simd::kCols * kN;

/// log-sum-exp and entropy of the logits words . x of each token: words (V,D), x (D,ld); null: not
/// wanted. `tile`: kWords * kStrip.
HWY_MAYBE_UNUSED static HWY_NOINLINE void turned_read_out(int64_t vocabulary, int64_t width,
                                                          const float* words, const float* x,
                                                          int64_t ld, float* tile, float* lse,
                                                          float* entropy) {
  const Tag d;
  for (int64_t first = 0; first < ld; first += kStrip) {
    const int64_t columns = std::min(kStrip, ld - first);
    Statistics of[simd::kCols];
    for (Statistics& each : of) each = {hn::Set(d, simd::kLowest<float>), hn::Zero(d), hn::Zero(d)};
    for (int64_t word = 0; word < vocabulary; word += kWords) {
      const int64_t rows = std::min(kWords, vocabulary - word);
      simd::Product<float> p;
      p.a = words + word * width, p.row = width, p.step = 1, p.depth = width;
      p.b = x + first, p.ldb = ld;
      p.out = tile, p.ldo = columns, p.columns = columns;
      simd::product<Start::zero, 0, 1>(static_cast<int>(rows), p);
      for (int64_t v = 0; v < columns / kN; ++v) of[v] = met(of[v], rows, tile + v * kN, columns);
    }
    for (int64_t v = 0; v < columns / kN; ++v) {
      const auto l = of[v].l, log_l = hn::IfThenElse(hn::Eq(l, l), hn::Log(d, l), l);  // NaN kept
      const int64_t at = first + v * kN;
      if (lse != nullptr) hn::Store(hn::Add(of[v].m, log_l), d, lse + at);
      if (entropy == nullptr) continue;
      const auto h = hn::Sub(log_l, hn::Div(of[v].t, l));
      hn::Store(hn::IfThenElse(hn::Lt(h, hn::Zero(d)), hn::Zero(d), h), d, entropy + at);
    }
  }
}

}  // namespace timeseries::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TIMESERIES_ENTROPY_TURNED_INL_H_
