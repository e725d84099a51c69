// Pairs of a list: a row against a vector of rows below it at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "finance/loss/pair_kernel.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "finance/loss/pair_kernel.h"

#include <algorithm>

#include "hwy/highway.h"
#include "libattn/core/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finance::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace simd = attn::core::HWY_NAMESPACE;

using Tag = simd::Tag<double>;
using Vec = simd::Vec<double>;
inline constexpr int64_t kN = simd::kLanes<double>;

inline constexpr double kLog2 = 0.69314718055994531;

/// 2 artanh z = 2 z + z^3 P(z^2) for |z| <= 3 - sqrt(8), P fitted by Remez exchange to 2e-18: log m
/// for z = (m - 1) / (m + 1) and sqrt(1/2) <= m <= sqrt(2).
HWY_INLINE Vec twice_artanh(Vec z) {
  const Tag d;
  constexpr double kC[] = {0.15316554375225142, 0.1818345899606049, 0.22222200785468174,
                           0.28571428718371716, 0.3999999999953885, 0.6666666666666712};
  const auto z2 = hn::Mul(z, z);
  auto p = hn::Set(d, 0.14772431315273868);
#pragma GCC unroll 6
  for (const double c : kC) p = hn::MulAdd(p, z2, hn::Set(d, c));
  return hn::MulAdd(hn::Mul(z, z2), p, hn::Add(z, z));
}

/// log(1 + x) of finite x >= 0 (any number for NaN), exactly 0 at 0; relative error 4e-16. 1 + x =
/// 2^k (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2); where k = 0, f is x itself, as 1 + x is rounded.
HWY_INLINE Vec log_of_one_plus(Vec x) {
  const Tag d;
  const hn::RebindToUnsigned<Tag> bits;
  const auto one = hn::Set(d, 1.0), scale = hn::Set(d, 0x1p52);
  const auto u = hn::BitCast(bits, hn::Add(one, x));
  const auto low = hn::BitCast(bits, hn::Set(d, 0.70710678118654757));
  const auto k = hn::ShiftRight<52>(hn::Sub(u, low));
  const auto m = hn::BitCast(d, hn::Sub(u, hn::ShiftLeft<52>(k)));
  const auto power = hn::Sub(hn::BitCast(d, hn::Or(k, hn::BitCast(bits, scale))), scale);
  const auto f = hn::IfThenElse(hn::Eq(power, hn::Zero(d)), x, hn::Sub(m, one));
  const auto z = hn::Div(f, hn::Add(hn::Set(d, 2.0), f));
  return hn::MulAdd(power, hn::Set(d, kLog2), twice_artanh(z));
}

struct Pushed {
  Vec loss, slope;
};
/// log(1 + e^-x) and sigma(-x) = 1 / (1 + e^x), by one exponential, e = e^-|x|, and one division.
/// log(1 + e) as above, where k is 0 or 1.
HWY_INLINE Pushed push_apart(Vec x) {
  const Tag d;
  const auto one = hn::Set(d, 1.0), half = hn::Set(d, 0.5), two = hn::Set(d, 2.0);
  const auto size = hn::Abs(x);
  const auto e = simd::exponential(simd::clamp_exponent<double>(hn::Neg(size)));
  const auto large = hn::Gt(e, hn::Set(d, 0.41421356237309503));
  const auto f = hn::IfThenElse(large, hn::MulSub(half, e, half), e);
  const auto a = hn::Add(one, e), b = hn::Add(two, f);
  const auto r = hn::Div(one, hn::Mul(a, b));
  const auto log = hn::Add(twice_artanh(hn::Mul(f, hn::Mul(r, a))),
                           hn::IfThenElseZero(large, hn::Set(d, kLog2)));
  const auto top = hn::IfThenElse(hn::Gt(x, hn::Zero(d)), e, one);
  // max(-x, 0) = (|x| - x) / 2, which keeps NaN.
  return {hn::MulAdd(half, hn::Sub(size, x), log), hn::Mul(top, hn::Mul(r, b))};
}

struct Gap {
  const PairList& list;
  Vec value;
  Gap(const PairList& of, int64_t i) : list(of), value(hn::Set(Tag(), of.value[i])) {}
  HWY_INLINE Vec at(int64_t j) const {
    const Tag d;
    return hn::Max(hn::Sub(value, hn::Load(d, list.value + j)), hn::Zero(d));
  }
};

struct LogGap {
  Gap gap;
  LogGap(const PairList& of, int64_t i) : gap(of, i) {}
  HWY_INLINE Vec at(int64_t j) const { return log_of_one_plus(gap.at(j)); }
};

struct One {
  const PairList& list;
  Vec value;
  One(const PairList& of, int64_t i) : list(of), value(hn::Set(Tag(), of.value[i])) {}
  HWY_INLINE Vec at(int64_t j) const {
    const Tag d;
    return hn::IfThenElseZero(hn::Lt(hn::Load(d, list.value + j), value), hn::Set(d, 1.0));
  }
};

struct Swap {
  const PairList& list;
  Gap gap;
  Vec discount, reach;
  Swap(const PairList& of, int64_t i)
      : list(of),
        gap(of, i),
        discount(hn::Set(Tag(), of.discount[i])),
        reach(hn::Set(Tag(), of.reach[i])) {}
  HWY_INLINE Vec at(int64_t j) const {
    const Tag d;
    const auto shift = hn::Abs(hn::Sub(discount, hn::Load(d, list.discount + j)));
    return hn::Mul(hn::Mul(gap.at(j), shift), hn::Max(reach, hn::Load(d, list.reach + j)));
  }
};

/// Row i against rows [from, n), from a multiple of kN; rows in there that are not below i have
/// weight 0. Vectors start at multiples of kN for every i, so that what one row stores the next
/// loads whole.
template <class Weight>
HWY_INLINE double pair_row(const PairList& list, int64_t i, int64_t from, double* gradient) {
  const Tag d;
  const Weight weight(list, i);
  const auto score = hn::Set(d, list.score[i]);
  auto loss = hn::Zero(d), slope = hn::Zero(d);
  for (int64_t j = from; j < list.rows; j += kN) {
    const auto w = weight.at(j);
    const Pushed pushed = push_apart(hn::Sub(score, hn::Load(d, list.score + j)));
    const auto push = hn::Mul(w, pushed.slope);
    loss = hn::MulAdd(w, pushed.loss, loss);
    slope = hn::Add(slope, push);
    hn::Store(hn::Add(hn::Load(d, gradient + j), push), d, gradient + j);
  }
  gradient[i] -= hn::GetLane(hn::SumOfLanes(d, slope));
  return hn::GetLane(hn::SumOfLanes(d, loss));
}

template <class Weight>
HWY_NOINLINE double all_rows(const PairList& list, double* gradient) {
  double loss = 0;
  int64_t below = 0;  // the first row of a lower value
  for (int64_t i = 0; i < list.rows; ++i) {
    below = std::max(below, i + 1);
    while (below < list.rows && !(list.value[below] < list.value[i])) ++below;
    if (below == list.rows) break;  // all that follow are equal
    loss += pair_row<Weight>(list, i, below / kN * kN, gradient);
  }
  return loss;
}

double pair_loss_f64(PairWeight weight, const PairList& list, double* gradient) {
  std::fill_n(gradient, padded_rows(list.rows), 0.0);
  switch (weight) {
    case PairWeight::log_gap:
      return all_rows<LogGap>(list, gradient);
    case PairWeight::gap:
      return all_rows<Gap>(list, gradient);
    case PairWeight::one:
      return all_rows<One>(list, gradient);
    case PairWeight::swap:
      return all_rows<Swap>(list, gradient);
  }
  return 0;
}

}  // namespace finance::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finance {

HWY_EXPORT(pair_loss_f64);

double pair_loss(PairWeight weight, const PairList& list, double* gradient) {
  return HWY_DYNAMIC_DISPATCH(pair_loss_f64)(weight, list, gradient);
}

}  // namespace finance
#endif  // HWY_ONCE
