// Per-target pieces of the entropy model's read-out on turned windows
// (libattn/core/encoder_turned-inl.h). Included once per target.
#if defined(TIMESERIES_ENTROPY_TURNED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TIMESERIES_ENTROPY_TURNED_INL_H_
#undef TIMESERIES_ENTROPY_TURNED_INL_H_
#else
#define TIMESERIES_ENTROPY_TURNED_INL_H_
#endif

#include <algorithm>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "libattn/core/encoder_turned-inl.h"
#include "timeseries/patch/entropy_layers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace timeseries::HWY_NAMESPACE {

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
