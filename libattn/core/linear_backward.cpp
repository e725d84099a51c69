// Linear attention backward: over the chunks of each segment forth for dq, back for dk and dv.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/linear_backward.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include <optional>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/linear_gradient-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Chunks between the states that are kept for the gradient of the decay.
inline constexpr int64_t kMarkChunks = 32;

/// All that one segment needs.
template <class T>
struct SegmentWork {
  SegmentWork(const LinearInput<T>& in, const LinearPlan& plan, int64_t number)
      : head(linear_head(in, number)) {
    add_chunk(in, head, plan, chunk, pieces);
    add_state(plan.features, in.dv, in.normalise, state, pieces);
    add_state(plan.features, in.dv, in.normalise, dstate, pieces);
    add_gradient(plan, chunk, gradient, pieces);
  }
  LinearHead<T> head;
  Chunk<T> chunk;
  GradientChunk<T> gradient;
  RunningState<T> state, dstate;
  Pieces<T> pieces;
  std::vector<T> marks;         // states S before every kMarkChunks chunks, and after the last
  std::vector<double> log_sum;  // per feature, or one
};

/// <S, dS> of a kept state, per feature or in all.
template <class T>
void inner_product(const T* s, const RunningState<T>& dstate, std::vector<double>& sum) {
  const T* z = s + dstate.features * dstate.dv;
  std::fill(sum.begin(), sum.end(), 0.0);
  for (int64_t f = 0; f < dstate.features; ++f) {
    double row = static_cast<double>(z[f]) * static_cast<double>(dstate.z[f]);
    for (int64_t c = 0; c < dstate.dv; ++c)
      row += static_cast<double>(s[f * dstate.dv + c]) *
             static_cast<double>(dstate.s[f * dstate.ld + c]);
    sum[sum.size() == 1 ? 0 : static_cast<size_t>(f)] += row;
  }
}

/// dS = e^a dS + phi(q)^T dn over a chunk whose queries, decay and gradients were found.
template <class T>
HWY_INLINE void take_in_gradients(const Chunk<T>& c, const GradientChunk<T>& g,
                                  RunningState<T>& dstate) {
  update_state<T>(c.n, c.state_q, g.dn, g.dd, c.factor, c.less, dstate);
}

/// The features and the decay of a causal chunk.
template <class T>
HWY_INLINE void find_chunk(int64_t first, int n, Chunk<T>& c) {
  begin_chunk(first, n, c);
  find_queries(c);
  find_keys(c);
  find_decay(true, c);
}

/// The gradient of the state that queries [from, to) alone leave before them.
template <class T>
HWY_NOINLINE void gather_queries(const LinearInput<T>& in, const LinearPlan& plan, int64_t number,
                                 const LinearHeadGradient<T>& head, int64_t from, int64_t to,
                                 T* local) {
  SegmentWork<T> w(in, plan, number);
  Scratch scratch(w.pieces.bytes());
  w.pieces.take(scratch);
  each_chunk(from, to, plan.chunk, true, [&](int64_t first, int n) {
    begin_chunk(first, n, w.chunk);
    find_queries(w.chunk);
    if (in.causal) {
      find_keys(w.chunk);
      find_decay(true, w.chunk);
    }
    find_gradients(w.chunk, head, w.gradient);
    take_in_gradients(w.chunk, w.gradient, w.dstate);
  });
  store_state(w.dstate, local);
}

/// Forth over rows [from, to): dq, and S at the marks.
template <class T>
HWY_NOINLINE void sweep_queries(const LinearHeadGradient<T>& head, int64_t from, int64_t to,
                                int64_t chunk, SegmentWork<T>& w) {
  const int64_t size = w.state.features * (w.state.dv + 1);
  const bool marks = head.dlog.data != nullptr;
  int64_t number = 0;
  each_chunk(from, to, chunk, false, [&](int64_t first, int n) {
    if (marks && number > 0 && number % kMarkChunks == 0)
      store_state(w.state, w.marks.data() + (number / kMarkChunks - 1) * size);
    ++number;
    begin_chunk(first, n, w.chunk);
    find_queries(w.chunk);
    if (w.chunk.in->causal) {
      find_keys(w.chunk);
      find_decay(true, w.chunk);
    }
    find_gradients(w.chunk, head, w.gradient);
    query_gradient(w.chunk, w.state, head, w.gradient);
    if (w.chunk.in->causal) take_in_chunk(w.chunk, w.state);
  });
  if (marks) store_state(w.state, w.marks.data() + w.marks.size() - size);
}

/// Back over rows [from, to): dk, dv, dlog.
template <class T>
HWY_NOINLINE void sweep_keys(const LinearHeadGradient<T>& head, int64_t from, int64_t to,
                             int64_t chunk, SegmentWork<T>& w) {
  const int64_t size = w.state.features * (w.state.dv + 1);
  const bool marks = head.dlog.data != nullptr;
  if (marks) inner_product(w.marks.data() + w.marks.size() - size, w.dstate, w.log_sum);
  each_chunk(from, to, chunk, true, [&](int64_t first, int n) {
    if (w.chunk.in->causal) {
      find_chunk(first, n, w.chunk);
      find_gradients(w.chunk, head, w.gradient);
    } else {
      begin_chunk(first, n, w.chunk);
      find_keys(w.chunk);
    }
    key_gradient(w.chunk, w.dstate, head, w.log_sum.data(), w.gradient);
    if (w.chunk.in->causal) take_in_gradients(w.chunk, w.gradient, w.dstate);
    const int64_t number = (first - from) / chunk;
    if (marks && number > 0 && number % kMarkChunks == 0)
      inner_product(w.marks.data() + (number / kMarkChunks - 1) * size, w.dstate, w.log_sum);
  });
}

/// States at both ends of the segments of each head, where they are needed.
template <class T>
struct SegmentEnds {
  std::optional<SegmentStates<T>> first, last;
};

template <class T>
HWY_NOINLINE void backward_segment(const LinearInput<T>& in, const LinearPlan& plan, int64_t number,
                                   int64_t segment, SegmentEnds<T>& ends,
                                   const LinearHeadGradient<T>& head) {
  SegmentWork<T> w(in, plan, number);
  Scratch scratch(w.pieces.bytes());
  w.pieces.take(scratch);
  const auto [from, to] = plan.rows_of(segment, in.nk);
  const auto [query0, query1] = plan.rows_of(segment, in.nq);
  if (head.dlog.data != nullptr) {
    const int64_t chunks = (to - from + plan.chunk - 1) / plan.chunk;
    w.marks.resize(static_cast<size_t>((chunks / kMarkChunks + 1) * plan.features * (in.dv + 1)));
    w.log_sum.resize(in.decay == Decay::feature ? static_cast<size_t>(plan.features) : 1);
  }
  if (head.dq.data != nullptr || head.dlog.data != nullptr) {
    load_first_state(in, plan, number, segment, ends.first ? &*ends.first : nullptr, w.state);
    sweep_queries(head, query0, query1, plan.chunk, w);
  }
  if (ends.last) {
    load_state(ends.last->at(number, segment), w.dstate);
  } else {
    load_state<T>(head.dlast_state, head.dlast_norm.data, w.dstate);
  }
  sweep_keys(head, from, to, plan.chunk, w);
  if (segment == 0) store_state<T>(w.dstate, head.dstate, head.dnorm.data);
}

template <class T>
LinearHeadGradient<T> head_gradient(const LinearInput<T>& in, const LinearOutput<T>& saved,
                                    const LinearGradient<T>& g, int64_t number) {
  const int64_t b = number / in.heads, h = number % in.heads;
  const auto read = [&](const View<T>& view) -> Rows<const T> {
    const Rows<T> rows = head_rows(view, b, h);
    return {rows.data, rows.row};
  };
  return {read(saved.out),
          read(saved.inverse),
          head_rows(g.dout, b, h),
          head_rows(g.dlast_state, b, h),
          head_rows(g.dlast_norm, b, h),
          head_rows(g.dq, b, h),
          head_rows(g.dk, b, h),
          head_rows(g.dv, b, h),
          head_rows(g.dlog_decay, b, h),
          head_rows(g.dstate, b, h),
          head_rows(g.dnorm, b, h)};
}

/// The gradients of the states that segments end with.
template <class T>
void find_segment_gradients(const LinearInput<T>& in, const LinearOutput<T>& saved,
                            const LinearGradient<T>& gradient, const LinearPlan& plan,
                            const Parallel& parallel, SegmentStates<T>& states) {
  run_tasks(parallel, plan.heads * plan.segments, [&](int64_t task) {
    const int64_t number = task / plan.segments, s = task % plan.segments;
    if (in.causal && s == 0) return;  // nothing comes before it
    const auto [from, to] = plan.rows_of(s, in.nq);
    gather_queries(in, plan, number, head_gradient(in, saved, gradient, number), from, to,
                   states.at(number, s));
  });
  run_tasks(parallel, plan.heads, [&](int64_t number) {
    const LinearHeadGradient<T> head = head_gradient(in, saved, gradient, number);
    join_segments(in, plan, number, true,
                  wide_state(plan.features, in.dv, head.dlast_state, head.dlast_norm.data), states);
  });
}

template <class T>
void backward(const LinearInput<T>& in, const LinearOutput<T>& saved,
              const LinearGradient<T>& gradient, const Parallel& parallel) {
  const LinearPlan plan = plan_linear(in);
  SegmentEnds<T> ends;
  if (has_segment_states(in, plan)) {
    ends.first.emplace(plan, in.dv);
    ends.last.emplace(plan, in.dv);
    find_segment_states(in, plan, parallel, *ends.first);
    find_segment_gradients(in, saved, gradient, plan, parallel, *ends.last);
  }
  run_tasks(parallel, plan.heads * plan.segments, [&](int64_t task) {
    const int64_t number = task / plan.segments;
    backward_segment(in, plan, number, task % plan.segments, ends,
                     head_gradient(in, saved, gradient, number));
  });
}

void linear_backward_f32(const LinearInput<float>& in, const LinearOutput<float>& saved,
                         const LinearGradient<float>& gradient, const Parallel& parallel) {
  backward(in, saved, gradient, parallel);
}
void linear_backward_f64(const LinearInput<double>& in, const LinearOutput<double>& saved,
                         const LinearGradient<double>& gradient, const Parallel& parallel) {
  backward(in, saved, gradient, parallel);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attn::core {

HWY_EXPORT(linear_backward_f32);
HWY_EXPORT(linear_backward_f64);

template <>
void linear_backward(const LinearInput<float>& in, const LinearOutput<float>& saved,
                     const LinearGradient<float>& gradient, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(linear_backward_f32)(in, saved, gradient, parallel);
}
template <>
void linear_backward(const LinearInput<double>& in, const LinearOutput<double>& saved,
                     const LinearGradient<double>& gradient, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(linear_backward_f64)(in, saved, gradient, parallel);
}

}  // namespace attn::core
#endif  // HWY_ONCE
