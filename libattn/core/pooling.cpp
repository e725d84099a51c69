// Attention pooling of packed bags: scores are given, so one pass reads every value once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/pooling.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include <memory>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "libattn/core/fresh_memory.h"
#include "libattn/core/parallel.h"
#include "libattn/core/pool_plan.h"
#include "libattn/core/pooling_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// to[k * kInstances + i] = from[i * row + k], padded with -inf to whole vectors.
template <class T>
HWY_INLINE void transpose_scores(const T* HWY_RESTRICT from, int64_t row, int64_t n, int64_t heads,
                                 T* HWY_RESTRICT to) {
  constexpr int64_t kN = kLanes<T>;
  const int64_t padded = (n + kN - 1) / kN * kN;
  for (int64_t k = 0; k < heads; ++k) {
    T* line = to + k * kInstances;
    for (int64_t i = 0; i < n; ++i) line[i] = from[i * row + k];
    for (int64_t i = n; i < padded; ++i) line[i] = -std::numeric_limits<T>::infinity();
  }
}

/// From one maximum down to the other: (m_old - m, e^{m_old - m}), the difference no lower than
/// where e^x is 0, so that scores of -3e38 (a mask by addition) make no infinity.
template <class T>
struct Descent {
  T step, factor;
};
template <class T>
HWY_INLINE Descent<T> descent(T old, T m) {
  const auto step = clamp_exponent<T>(hn::Set(Tag<T>(), old - m));
  return {hn::GetLane(step), hn::GetLane(exponential(step))};
}

/// Online softmax of one head over a line of scores, which become e^{s-m}. Returns e^{m_old - m}.
template <class T>
HWY_INLINE T softmax_line(T* HWY_RESTRICT s, int64_t n, PoolState<T>& state) {
  constexpr int64_t kN = kLanes<T>;
  const Tag<T> d;
  auto top = hn::Set(d, state.m);
  for (int64_t i = 0; i < n; i += kN) top = hn::Max(top, hn::Load(d, s + i));
  const T m = hn::GetLane(hn::MaxOfLanes(d, top));
  const auto mv = hn::Set(d, m);
  auto l = hn::Zero(d), t = hn::Zero(d);
  for (int64_t i = 0; i < n; i += kN) {
    const auto x = clamp_exponent<T>(hn::Sub(hn::Load(d, s + i), mv));
    const auto e = exponential(x);
    hn::Store(e, d, s + i);
    l = hn::Add(l, e);
    t = hn::MulAdd(e, x, t);
  }
  const auto [step, factor] = descent(state.m, m);
  state.t = factor * (state.t + step * state.l) + hn::GetLane(hn::SumOfLanes(d, t));
  state.l = factor * state.l + hn::GetLane(hn::SumOfLanes(d, l));
  state.m = m;
  return factor;
}

/// Instances [first, last) into states (K) and the unnormalised output (K, d).
template <class T>
HWY_NOINLINE void pool_chunk(const PoolInput<T>& in, int64_t first, int64_t last,
                             PoolState<T>* states, T* out) {
  Scratch scratch(Scratch::size<T>(in.heads * kInstances) + Scratch::size<T>(in.heads));
  T* weights = scratch.take<T>(in.heads * kInstances);
  T* factors = scratch.take<T>(in.heads);
  std::fill_n(states, in.heads, PoolState<T>{});
  std::fill_n(out, in.heads * in.d, T(0));
  for (int64_t i = first; i < last; i += kInstances) {
    const int64_t n = std::min(kInstances, last - i);
    transpose_scores(in.scores + i * in.scores_row, in.scores_row, n, in.heads, weights);
    for (int64_t k = 0; k < in.heads; ++k)
      factors[k] = softmax_line(weights + k * kInstances, n, states[k]);
    for (int64_t k = 0; k < in.heads; ++k) scale_row(out + k * in.d, in.d, factors[k]);
    add_instances(in, i, n, weights, out);
  }
}

/// Chunks of one bag and head, in order, into the result.
template <class T>
HWY_NOINLINE void pool_finish(const PoolInput<T>& in, const PoolOutput<T>& out,
                              const PoolPlan& plan, int64_t bag, int64_t k,
                              const PoolState<T>* states, const T* parts) {
  const int64_t first = plan.first_chunk(bag), last = plan.first_chunk(bag + 1),
                row = bag * in.heads + k;
  T* to = out.out + row * in.d;
  std::fill_n(to, in.d, T(0));
  PoolState<T> sum;
  for (int64_t c = first; c < last; ++c) sum.m = std::max(sum.m, states[c * in.heads + k].m);
  for (int64_t c = first; c < last; ++c) {
    const PoolState<T>& s = states[c * in.heads + k];
    const auto [step, factor] = descent(s.m, sum.m);
    sum.t += factor * (s.t + step * s.l);
    sum.l += factor * s.l;
    const T* from = parts + (c * in.heads + k) * in.d;
    for (int64_t j = 0; j < in.d; ++j) to[j] += factor * from[j];
  }
  if (sum.l == T(0)) {
    std::fill_n(to, in.d, T(0));
    out.lse[row] = -std::numeric_limits<T>::infinity();
    out.lse_tail[row] = out.entropy[row] = 0;
    return;
  }
  for (int64_t j = 0; j < in.d; ++j) to[j] /= sum.l;
  const T log_l = std::log(sum.l), entropy = log_l - sum.t / sum.l;
  out.lse[row] = sum.m + log_l;
  out.lse_tail[row] = (sum.m - out.lse[row]) + log_l;
  out.entropy[row] = entropy < T(0) ? T(0) : entropy;
}

template <class T>
void pool_forward_on(const PoolInput<T>& in, const PoolOutput<T>& out, const Parallel& parallel) {
  const PoolPlan plan(in.offsets, in.bags);
  const size_t rows = static_cast<size_t>(plan.chunks() * in.heads);
  const std::unique_ptr<PoolState<T>[]> states(new PoolState<T>[rows]);
  const std::unique_ptr<T[]> parts(new T[rows * static_cast<size_t>(in.d)]);
  run_tasks(parallel, plan.tasks(), [&](int64_t task) {
    for (int64_t c = plan.task_begin(task); c < plan.task_begin(task + 1); ++c) {
      const PoolChunk chunk = plan.chunk(c);
      pool_chunk(in, chunk.first, chunk.last, states.get() + c * in.heads,
                 parts.get() + c * in.heads * in.d);
    }
  });
  for (int64_t bag = 0; bag < in.bags; ++bag) {
    for (int64_t k = 0; k < in.heads; ++k)
      pool_finish(in, out, plan, bag, k, states.get(), parts.get());
  }
}

/// dscores and dvalues of instances [first, last) of a bag: dS = p (dO.v - dH log p - C), dv =
/// sum_k p dO.
template <class T>
HWY_NOINLINE void pool_backward_chunk(const PoolInput<T>& in, const PoolOutput<T>& saved,
                                      const PoolGradient<T>& gradient, const PoolChunk& chunk) {
  constexpr int64_t kN = kLanes<T>;
  const Tag<T> d;
  Scratch scratch(2 * Scratch::size<T>(in.heads * kInstances) + Scratch::size<T>(in.heads * in.d));
  T* weights = scratch.take<T>(in.heads * kInstances);
  T* dp = scratch.take<T>(in.heads * kInstances);
  T* dout = scratch.take<T>(in.heads * in.d);
  const int64_t row0 = chunk.bag * in.heads;
  const bool past_cache = gradient.dvalues != nullptr && writes_past_cache(in, gradient.dvalues);
  if (past_cache)
    make_present(gradient.dvalues + chunk.first * in.d,
                 static_cast<size_t>((chunk.last - chunk.first) * in.d) * sizeof(T));
  if (gradient.dout != nullptr) {
    std::copy_n(gradient.dout + row0 * in.d, in.heads * in.d, dout);
  } else {
    std::fill_n(dout, in.heads * in.d, T(0));
  }
  for (int64_t i = chunk.first; i < chunk.last; i += kInstances) {
    const int64_t n = std::min(kInstances, chunk.last - i);
    transpose_scores(in.scores + i * in.scores_row, in.scores_row, n, in.heads, weights);
    for (int64_t k = 0; k < in.heads; ++k) {
      T* line = dp + k * kInstances;
      const T* g = dout + k * in.d;
      for (int64_t r = 0; r < n; ++r)
        line[r] = dot_product(in.values + (i + r) * in.values_row, g, in.d);
      const int64_t row = row0 + k;
      const bool alive = saved.lse[row] != -std::numeric_limits<T>::infinity();
      const T dh = alive && gradient.dentropy != nullptr ? gradient.dentropy[row] : T(0);
      T c = dot_product(saved.out + row * in.d, g, in.d) + dh * saved.entropy[row];
      if (alive && gradient.dlse != nullptr) c -= gradient.dlse[row];
      const auto lse = hn::Set(d, alive ? saved.lse[row] : std::numeric_limits<T>::max());
      const auto tail = hn::Set(d, alive ? saved.lse_tail[row] : T(0));
      T* p = weights + k * kInstances;
      for (int64_t r = 0; r < n; r += kN) {
        const auto log_p = clamp_exponent<T>(hn::Sub(hn::Sub(hn::Load(d, p + r), lse), tail));
        const auto e = exponential(log_p);
        hn::Store(e, d, p + r);
        const auto ds = hn::Sub(hn::Load(d, line + r), hn::Set(d, c));
        hn::Store(hn::Mul(e, hn::NegMulAdd(hn::Set(d, dh), log_p, ds)), d, line + r);
      }
      if (gradient.dscores == nullptr) continue;
      for (int64_t r = 0; r < n; ++r) gradient.dscores[(i + r) * in.heads + k] = line[r];
    }
    if (gradient.dvalues == nullptr) continue;
    for (int64_t r = 0; r < n; ++r) {
      T* to = gradient.dvalues + (i + r) * in.d;
      if (past_cache) {
        value_gradient<true>(in, weights + r, dout, to);
      } else {
        value_gradient<false>(in, weights + r, dout, to);
      }
    }
  }
  if (past_cache) hwy::FlushStream();
}

template <class T>
void pool_backward_on(const PoolInput<T>& in, const PoolOutput<T>& saved,
                      const PoolGradient<T>& gradient, const Parallel& parallel) {
  const PoolPlan plan(in.offsets, in.bags);
  run_tasks(parallel, plan.tasks(), [&](int64_t task) {
    for (int64_t c = plan.task_begin(task); c < plan.task_begin(task + 1); ++c) {
      pool_backward_chunk(in, saved, gradient, plan.chunk(c));
    }
  });
}

void pool_forward_f32(const PoolInput<float>& in, const PoolOutput<float>& out,
                      const Parallel& parallel) {
  pool_forward_on(in, out, parallel);
}
void pool_forward_f64(const PoolInput<double>& in, const PoolOutput<double>& out,
                      const Parallel& parallel) {
  pool_forward_on(in, out, parallel);
}
void pool_backward_f32(const PoolInput<float>& in, const PoolOutput<float>& saved,
                       const PoolGradient<float>& gradient, const Parallel& parallel) {
  pool_backward_on(in, saved, gradient, parallel);
}
void pool_backward_f64(const PoolInput<double>& in, const PoolOutput<double>& saved,
                       const PoolGradient<double>& gradient, const Parallel& parallel) {
  pool_backward_on(in, saved, gradient, parallel);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attn::core {

HWY_EXPORT(pool_forward_f32);
HWY_EXPORT(pool_forward_f64);
HWY_EXPORT(pool_backward_f32);
HWY_EXPORT(pool_backward_f64);

template <>
void pool_forward(const PoolInput<float>& in, const PoolOutput<float>& out,
                  const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(pool_forward_f32)(in, out, parallel);
}
template <>
void pool_forward(const PoolInput<double>& in, const PoolOutput<double>& out,
                  const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(pool_forward_f64)(in, out, parallel);
}
template <>
void pool_backward(const PoolInput<float>& in, const PoolOutput<float>& saved,
                   const PoolGradient<float>& gradient, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(pool_backward_f32)(in, saved, gradient, parallel);
}
template <>
void pool_backward(const PoolInput<double>& in, const PoolOutput<double>& saved,
                   const PoolGradient<double>& gradient, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(pool_backward_f64)(in, saved, gradient, parallel);
}

}  // namespace attn::core
#endif  // HWY_ONCE
