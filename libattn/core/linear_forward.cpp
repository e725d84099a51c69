// Linear attention forward: a walk over the chunks of each segment.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/linear_forward.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include <cmath>
#include <optional>

#include "hwy/highway.h"
#include "libattn/core/linear_sweep-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// out += scores v of a chunk.
template <class T>
HWY_INLINE void add_scored_values(const Chunk<T>& c, const Rows<T>& out) {
  const Rows<const T>& v = c.head->v;
  Product<T> p;
  p.row = c.tile;
  p.b = v.data + c.first * v.row;
  p.ldb = v.row;
  p.ldo = out.row;
  p.columns = c.in->dv;
  for (int r0 = 0; r0 < c.n; r0 += kScoreRows) {
    const int rows = std::min(kScoreRows, c.n - r0);
    p.a = c.scores + r0 * c.tile;
    p.out = out.data + r0 * out.row;
    p.depth = r0 + rows;
    product<Start::add, 0, 1>(rows, p);
  }
}

/// out = numerator / (phi(q) z + sum of scores + eps), and the inverse of that denominator.
template <class T>
HWY_NOINLINE void normalise_rows(const Chunk<T>& c, const RunningState<T>& state,
                                 const Rows<T>& out, T* inverse, int64_t inverse_row) {
  const Tag<T> d;
  for (int r = 0; r < c.n; ++r) {
    T total = dot_product(c.state_q.data + r * c.state_q.row, state.z, c.features);
    if (c.in->causal) {
      auto sum = hn::Zero(d);
      for (int64_t at = 0; at <= r; at += kLanes<T>)
        sum = hn::Add(sum, hn::Load(d, c.scores + r * c.tile + at));
      total += hn::GetLane(hn::SumOfLanes(d, sum));
    }
    // Of an exponential map e^{-m} is in numerator and sum: eps takes it, too.
    const double eps = c.in->eps == 0 ? 0 : c.in->eps * std::exp(-static_cast<double>(c.shift[r]));
    const T factor = T(1) / (total + static_cast<T>(eps));
    if (inverse != nullptr) inverse[r * inverse_row] = factor;
    T* row = out.data + r * out.row;
    const auto f = hn::Set(d, factor);
    each_vector<T>(c.in->dv, [&](int64_t at, int n) {
      store_some<T>(hn::Mul(f, load_some(row + at, n)), row + at, n);
    });
  }
}

/// The outputs of one head.
template <class T>
struct LinearHeadOutput {
  Rows<T> out, inverse, state, norm;
};

/// Output of a chunk whose features and decay were found, from the state before it.
template <class T>
HWY_NOINLINE void write_chunk(Chunk<T>& c, const RunningState<T>& state,
                              const LinearHeadOutput<T>& to) {
  const Rows<T> out = {to.out.data + c.first * to.out.row, to.out.row};
  read_state(c.n, c.state_q, state, out);
  if (c.in->causal) {
    find_scores(c, c.scores);
    add_scored_values(c, out);
  }
  if (!c.in->normalise) return;
  T* inverse = to.inverse.data == nullptr ? nullptr : to.inverse.data + c.first * to.inverse.row;
  normalise_rows(c, state, out, inverse, to.inverse.row);
}

template <class T>
HWY_NOINLINE void forward_segment(const LinearInput<T>& in, const LinearPlan& plan, int64_t number,
                                  int64_t segment, SegmentStates<T>* states,
                                  const LinearHeadOutput<T>& to) {
  const LinearHead<T> head = linear_head(in, number);
  Chunk<T> c;
  RunningState<T> state;
  Pieces<T> pieces;
  add_chunk(in, head, plan, c, pieces);
  add_state(plan.features, in.dv, in.normalise, state, pieces);
  Scratch scratch(pieces.bytes());
  pieces.take(scratch);
  load_first_state(in, plan, number, segment, states, state);
  const auto [from, until] = plan.rows_of(segment, in.nq);
  each_chunk(from, until, plan.chunk, false, [&](int64_t first, int n) {
    begin_chunk(first, n, c);
    find_queries(c);
    if (in.causal) {
      find_keys(c);
      find_decay(true, c);
    }
    if (to.out.data != nullptr) write_chunk(c, state, to);
    if (in.causal) take_in_chunk(c, state);
  });
  if (segment == plan.segments - 1) store_state<T>(state, to.state, to.norm.data);
}

template <class T>
void linear(const LinearInput<T>& in, const LinearOutput<T>& out, const Parallel& parallel) {
  const LinearPlan plan = plan_linear(in);
  std::optional<SegmentStates<T>> states;
  if (has_segment_states(in, plan)) {
    states.emplace(plan, in.dv);
    find_segment_states(in, plan, parallel, *states);
  }
  run_tasks(parallel, plan.heads * plan.segments, [&](int64_t task) {
    const int64_t number = task / plan.segments, b = number / in.heads, h = number % in.heads;
    const LinearHeadOutput<T> to = {head_rows(out.out, b, h), head_rows(out.inverse, b, h),
                                    head_rows(out.state, b, h), head_rows(out.norm, b, h)};
    forward_segment(in, plan, number, task % plan.segments, states ? &*states : nullptr, to);
  });
}

void linear_f32(const LinearInput<float>& in, const LinearOutput<float>& out,
                const Parallel& parallel) {
  linear(in, out, parallel);
}
void linear_f64(const LinearInput<double>& in, const LinearOutput<double>& out,
                const Parallel& parallel) {
  linear(in, out, parallel);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attn::core {

HWY_EXPORT(linear_f32);
HWY_EXPORT(linear_f64);

template <>
void linear_forward(const LinearInput<float>& in, const LinearOutput<float>& out,
                    const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(linear_f32)(in, out, parallel);
}
template <>
void linear_forward(const LinearInput<double>& in, const LinearOutput<double>& out,
                    const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(linear_f64)(in, out, parallel);
}

}  // namespace attn::core
#endif  // HWY_ONCE
