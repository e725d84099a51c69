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

/// Sums over features of two vectors of tokens, even and odd ones apart: one sum would wait for its
/// own additions.
template <class Term>
HWY_INLINE void sums_of_two(int64_t width, const Term& term, Vec& first, Vec& second) {
  const Tag d;
  auto a0 = hn::Zero(d), a1 = a0, b0 = a0, b1 = a0;
  int64_t c = 0;
  for (; c + 2 <= width; c += 2) {
    a0 = term(c, 0, a0), b0 = term(c, kN, b0);
    a1 = term(c + 1, 0, a1), b1 = term(c + 1, kN, b1);
  }
  if (c < width) a0 = term(c, 0, a0), b0 = term(c, kN, b0);
  first = hn::Add(a0, a1), second = hn::Add(b0, b1);
}

/// y = (x - mean) / sqrt(variance + eps) weight, for each token; ld of two vectors at a time, the
/// last alone where their number is odd.
HWY_MAYBE_UNUSED static HWY_NOINLINE void turned_norm(int64_t width, int64_t ld,
                                                      const float* HWY_RESTRICT x,
                                                      const float* HWY_RESTRICT weight,
                                                      float* HWY_RESTRICT y) {
  const Tag d;
  const auto share = hn::Set(d, 1.0F / static_cast<float>(width)), eps = hn::Set(d, kNormEps);
  for (int64_t t = 0; t < ld; t += 2 * kN) {
    const int64_t other = t + kN < ld ? kN : 0;  // the last alone is worked on twice
    const auto at = [&](int64_t c, int64_t which) HWY_ATTR __attribute__((always_inline)) {
      return hn::Load(d, x + c * ld + t + (which == 0 ? 0 : other));
    };
    Vec mean0, mean1, squares0, squares1;
    sums_of_two(
        width,
        [&](int64_t c, int64_t which, Vec sum) HWY_ATTR
        __attribute__((always_inline)) { return hn::Add(sum, at(c, which)); },
        mean0, mean1);
    mean0 = hn::Mul(mean0, share), mean1 = hn::Mul(mean1, share);
    sums_of_two(
        width,
        [&](int64_t c, int64_t which, Vec sum) HWY_ATTR __attribute__((always_inline)) {
          const auto away = hn::Sub(at(c, which), which == 0 ? mean0 : mean1);
          return hn::MulAdd(away, away, sum);
        },
        squares0, squares1);
    const auto one = hn::Set(d, 1.0F),
               inverse0 = hn::Div(one, hn::Sqrt(hn::MulAdd(squares0, share, eps))),
               inverse1 = hn::Div(one, hn::Sqrt(hn::MulAdd(squares1, share, eps)));
    for (int64_t c = 0; c < width; ++c) {
      const auto w = hn::Set(d, weight[c]);
      const auto y0 = hn::Mul(hn::Mul(hn::Sub(at(c, 0), mean0), inverse0), w),
                 y1 = hn::Mul(hn::Mul(hn::Sub(at(c, kN), mean1), inverse1), w);
      hn::Store(y0, d, y + c * ld + t);
      hn::Store(y1, d, y + c * ld + t + other);
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

/// The same angles by rows, of all heads' features: cosines, and sines with the sign that they have
/// in x cos + partner(x) sin, (length,heads d).
HWY_MAYBE_UNUSED static void fill_row_angles(int64_t heads, int64_t d, double theta, int64_t length,
                                             float* cosine, float* sine) {
  for (int64_t i = 0; i < d / 2; ++i) {
    const double rate = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(d));
    for (int64_t t = 0; t < length; ++t) {
      const auto c = static_cast<float>(std::cos(static_cast<double>(t) * rate)),
                 s = static_cast<float>(std::sin(static_cast<double>(t) * rate));
      for (int64_t at = t * heads * d + 2 * i; at < (t + 1) * heads * d; at += d) {
        cosine[at] = cosine[at + 1] = c;
        sine[at] = -s, sine[at + 1] = s;
      }
    }
  }
}

/// Keys and values of `length` turned tokens x (D,ld) by rows, (L,2D), keys rotated where there are
/// angles (L,D): a key's numbers lie beside each other; apart, each would need an address of its
/// own. `weight`: (D,2D), that of keys and values turned.
HWY_MAYBE_UNUSED static HWY_NOINLINE void key_rows(int64_t width, int64_t length, const float* x,
                                                   int64_t ld, const float* weight,
                                                   const float* HWY_RESTRICT cosine,
                                                   const float* HWY_RESTRICT sine,
                                                   float* HWY_RESTRICT keys) {
  simd::Product<float> p;
  p.a = x, p.row = 1, p.step = ld, p.depth = width;
  p.b = weight, p.ldb = 2 * width;
  p.out = keys, p.ldo = p.columns = 2 * width;
  simd::product<Start::zero, 1, 0>(static_cast<int>(length), p);
  if (cosine == nullptr) return;
  for (int64_t t = 0; t < length; ++t, keys += 2 * width, cosine += width, sine += width) {
    int64_t c = 0;
#if HWY_TARGET != HWY_SCALAR
    const Tag d;
    for (; c + kN <= width; c += kN) {
      const auto k = hn::LoadU(d, keys + c);
      const auto other = hn::Mul(hn::Reverse2(d, k), hn::LoadU(d, sine + c));
      hn::StoreU(hn::MulAdd(k, hn::LoadU(d, cosine + c), other), d, keys + c);
    }
#endif
    for (; c + 2 <= width; c += 2) {
      const float a = keys[c], b = keys[c + 1];
      keys[c] = a * cosine[c] + b * sine[c];
      keys[c + 1] = b * cosine[c + 1] + a * sine[c + 1];
    }
  }
}

/// Weights of keys and values (2D,D) as key_rows wants them.
HWY_MAYBE_UNUSED static void turn_weight(int64_t width, const float* weight, float* to) {
  for (int64_t r = 0; r < 2 * width; ++r)
    for (int64_t c = 0; c < width; ++c) to[c * 2 * width + r] = weight[r * width + c];
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

/// Of all heads: queries (D,ldq), keys and values as key_rows has them, out (D,ldq).
HWY_MAYBE_UNUSED static void turned_attend(int64_t heads, int64_t width,
                                           const attn::core::TurnedSight<float>& sight,
                                           const float* queries, int64_t ldq, const float* keys,
                                           float* tile, float* out) {
  const int64_t d = width / heads, row = 2 * width;
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

/// Logits no greater than this, of whatever tokens, need not be seen beforehand: neither their
/// exponentials nor the sums of those leave the range, and H = log l - t / l loses no digit that
/// matters.
inline constexpr float kCalm = 4;

/// Adds the logits of N rows, which `of.m` covers already; it is 0 where they are calm.
template <int N, bool kAreCalm>
HWY_INLINE void add_logits(const float* HWY_RESTRICT z, int64_t stride, Statistics& of) {
  const Tag d;
  Vec x[N], e[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) {
    const auto logit = hn::Load(d, z + i * stride);
    e[i] = x[i] = kAreCalm ? logit : hn::Sub(logit, of.m);
  }
  simd::falling_exponentials(e);
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) {
    of.l = hn::Add(of.l, e[i]);
    of.t = hn::MulAdd(e[i], kAreCalm ? x[i] : simd::clamp_exponent<float>(x[i]), of.t);
  }
}

template <bool kAreCalm>
HWY_INLINE void add_all_logits(int64_t rows, const float* HWY_RESTRICT z, int64_t stride,
                               Statistics& of) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) add_logits<4, kAreCalm>(z + r * stride, stride, of);
  for (; r < rows; ++r) add_logits<1, kAreCalm>(z + r * stride, stride, of);
}

/// The same with `rows` more logits z[row * stride].
HWY_INLINE Statistics met(const Statistics& before, bool calm, int64_t rows,
                          const float* HWY_RESTRICT z, int64_t stride) {
  const Tag d;
  if (calm) {
    Statistics now = before;
    add_all_logits<true>(rows, z, stride, now);
    return now;
  }
  auto m0 = before.m, m1 = before.m;
  int64_t r = 0;
  for (; r + 2 <= rows; r += 2) {
    m0 = hn::Max(m0, hn::Load(d, z + r * stride));
    m1 = hn::Max(m1, hn::Load(d, z + (r + 1) * stride));
  }
  if (r < rows) m0 = hn::Max(m0, hn::Load(d, z + r * stride));
  const auto m = hn::Max(m0, m1), step = simd::clamp_exponent<float>(hn::Sub(before.m, m)),
             factor = simd::exponential(step);
  Statistics now{m, hn::Mul(factor, before.l),
                 hn::Mul(factor, hn::MulAdd(before.l, step, before.t))};
  add_all_logits<false>(rows, z, stride, now);
  return now;
}

/// Words whose logits are worked on at a time, and tokens: 64 x 64 numbers of AVX-512 stay in the
/// nearest cache.
inline constexpr int64_t kWords = 64;
inline constexpr int64_t kStrip = simd::kCols * kN;

/// log-sum-exp and entropy of the logits words . x of each token: words (V,D), x (D,ld); null: not
/// wanted. `tile`: kWords * kStrip.
HWY_MAYBE_UNUSED static HWY_NOINLINE void turned_read_out(int64_t vocabulary, int64_t width,
                                                          const float* words, bool calm,
                                                          const float* x, int64_t ld, float* tile,
                                                          float* lse, float* entropy) {
  const Tag d;
  for (int64_t first = 0; first < ld; first += kStrip) {
    const int64_t columns = std::min(kStrip, ld - first);
    Statistics of[simd::kCols];
    const auto start = hn::Set(d, calm ? 0.0F : simd::kLowest<float>);
    for (Statistics& each : of) each = {start, hn::Zero(d), hn::Zero(d)};
    for (int64_t word = 0; word < vocabulary; word += kWords) {
      const int64_t rows = std::min(kWords, vocabulary - word);
      simd::Product<float> p;
      p.a = words + word * width, p.row = width, p.step = 1, p.depth = width;
      p.b = x + first, p.ldb = ld;
      p.out = tile, p.ldo = columns, p.columns = columns;
      simd::product<Start::zero, 0, 1>(static_cast<int>(rows), p);
      for (int64_t v = 0; v < columns / kN; ++v)
        of[v] = met(of[v], calm, rows, tile + v * kN, columns);
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
