// Per-target: walks of linear attention over a range of tokens that only gather a state, and the
// states between segments. Included once per target.
#if defined(ATTN_LINEAR_SWEEP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_LINEAR_SWEEP_INL_H_
#undef ATTN_LINEAR_SWEEP_INL_H_
#else
#define ATTN_LINEAR_SWEEP_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/linear_scores-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// f(first, n) for the chunks of rows [from, to), in order or, `back`, from the last.
template <class F>
HWY_INLINE void each_chunk(int64_t from, int64_t to, int64_t chunk, bool back, const F& f) {
  const int64_t count = (to - from + chunk - 1) / chunk;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = from + (back ? count - 1 - i : i) * chunk;
    f(first, static_cast<int>(std::min(chunk, to - first)));
  }
}

/// S = e^a S + phi(k)^T v over a chunk whose keys and decay were found.
template <class T>
HWY_INLINE void take_in_chunk(const Chunk<T>& c, RunningState<T>& state) {
  const Rows<const T>& v = c.head->v;
  update_state<T>(c.n, c.state_k, {v.data + c.first * v.row, v.row}, nullptr, c.factor, c.less,
                  state);
}

/// The state that keys [from, to) alone leave.
template <class T>
HWY_NOINLINE void gather_keys(const LinearInput<T>& in, const LinearPlan& plan, int64_t number,
                              int64_t from, int64_t to, T* local) {
  const LinearHead<T> head = linear_head(in, number);
  Chunk<T> c;
  RunningState<T> state;
  Pieces<T> pieces;
  add_chunk(in, head, plan, c, pieces);
  add_state(plan.features, in.dv, in.normalise, state, pieces);
  Scratch scratch(pieces.bytes());
  pieces.take(scratch);
  each_chunk(from, to, plan.chunk, false, [&](int64_t first, int n) {
    begin_chunk(first, n, c);
    find_keys(c);
    find_decay(false, c);
    take_in_chunk(c, state);
  });
  store_state(state, local);
}

/// e^{sum of the log decay} of tokens [from, to), per feature.
template <class T>
HWY_INLINE void total_decay(const LinearInput<T>& in, const LinearHead<T>& head, int64_t features,
                            int64_t from, int64_t to, std::vector<double>& total) {
  total.assign(static_cast<size_t>(features), 0.0);
  if (in.decay == Decay::none) return total.assign(static_cast<size_t>(features), 1.0);
  const int64_t columns = in.decay == Decay::feature ? features : 1;
  for (int64_t i = from; i < to; ++i) {
    const T* log = head.log_decay.data + i * head.log_decay.row;
    for (int64_t f = 0; f < columns; ++f) {
      const double x = static_cast<double>(log[f]);
      total[static_cast<size_t>(f)] += x < kMinLogDecay ? kMinLogDecay : x;
    }
  }
  for (double& x : total) x = std::exp(&x - total.data() < columns ? x : 0.0);
  if (columns == 1) std::fill(total.begin(), total.end(), total[0]);
}

/// run = decay run + local, over a state (F,dv), (F); `local` becomes what run was.
template <class T>
HWY_INLINE void join_states(const std::vector<double>& decay, int64_t dv, std::vector<double>& run,
                            T* local) {
  const auto features = static_cast<int64_t>(decay.size());
  for (int64_t f = 0; f < features; ++f) {
    const double g = decay[static_cast<size_t>(f)];
    for (int64_t c = 0; c <= dv; ++c) {
      const int64_t at = c < dv ? f * dv + c : features * dv + f;
      double& total = run[static_cast<size_t>(at)];
      const double before = total;
      total = g * before + static_cast<double>(local[at]);
      local[at] = static_cast<T>(before);
    }
  }
}

/// A state (F,dv), (F) in fp64, from rows; absent: zero.
template <class T>
HWY_INLINE std::vector<double> wide_state(int64_t features, int64_t dv, const Rows<const T>& s,
                                          const T* z) {
  std::vector<double> wide(static_cast<size_t>(features * (dv + 1)), 0.0);
  for (int64_t f = 0; f < features && s.data != nullptr; ++f)
    std::copy_n(s.data + f * s.row, dv, wide.begin() + f * dv);
  if (z != nullptr) std::copy_n(z, features, wide.begin() + features * dv);
  return wide;
}

/// The states that the segments of a head leave alone become those that they begin with (not
/// causal: that all keys leave together, in each), S_0 before them; `back`: that they end with, of
/// gradients, walked from the last.
template <class T>
HWY_NOINLINE void join_segments(const LinearInput<T>& in, const LinearPlan& plan, int64_t number,
                                bool back, std::vector<double> run, SegmentStates<T>& states) {
  const LinearHead<T> head = linear_head(in, number);
  std::vector<double> decay;
  for (int64_t i = 0; i < plan.segments; ++i) {
    const int64_t s = back ? plan.segments - 1 - i : i;
    const auto [from, to] = plan.rows_of(s, in.nk);
    total_decay(in, head, plan.features, from, to, decay);
    join_states(decay, in.dv, run, states.at(number, s));
  }
  if (in.causal) return;
  for (int64_t s = 0; s < plan.segments; ++s) {
    T* to = states.at(number, s);
    for (size_t i = 0; i < run.size(); ++i) to[i] = static_cast<T>(run[i]);
  }
}

/// The states that segments begin with; empty where one segment begins with S_0.
template <class T>
void find_segment_states(const LinearInput<T>& in, const LinearPlan& plan, const Parallel& parallel,
                         SegmentStates<T>& states) {
  run_tasks(parallel, plan.heads * plan.segments, [&](int64_t task) {
    const int64_t number = task / plan.segments, s = task % plan.segments;
    const auto [from, to] = plan.rows_of(s, in.nk);
    if (in.causal && s == plan.segments - 1) return;  // nothing comes after it
    gather_keys(in, plan, number, from, to, states.at(number, s));
  });
  run_tasks(parallel, plan.heads, [&](int64_t number) {
    const LinearHead<T> head = linear_head(in, number);
    join_segments(in, plan, number, false,
                  wide_state(plan.features, in.dv, head.state, head.norm.data), states);
  });
}

/// Whether states between segments are needed at all.
template <class T>
HWY_INLINE bool has_segment_states(const LinearInput<T>& in, const LinearPlan& plan) {
  return !in.causal || plan.segments > 1;
}

/// The state that segment s of a head begins with.
template <class T>
HWY_INLINE void load_first_state(const LinearInput<T>& in, const LinearPlan& plan, int64_t number,
                                 int64_t segment, SegmentStates<T>* states,
                                 RunningState<T>& state) {
  if (has_segment_states(in, plan)) return load_state(states->at(number, segment), state);
  const LinearHead<T> head = linear_head(in, number);
  load_state<T>(head.state, head.norm.data, state);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_LINEAR_SWEEP_INL_H_
