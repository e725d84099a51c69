// Per-target: the forward pass of short sequences with narrow heads. Included once per target.
#if defined(ATTN_ATTENTION_SHORT_FORWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ATTENTION_SHORT_FORWARD_INL_H_
#undef ATTN_ATTENTION_SHORT_FORWARD_INL_H_
#else
#define ATTN_ATTENTION_SHORT_FORWARD_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "libattn/core/attention_short-inl.h"
#include "libattn/core/attention_softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// What a task works in: one panel of queries and all keys that it may see.
template <class T>
struct ShortForward {
  static size_t size(int64_t keys) {
    return Scratch::size<T>(kShortRow * kLanes<T>) + Scratch::size<T>(kShortRow * kQueries<T>) +
           6 * Scratch::size<T>(kLanes<T>) + Scratch::size<T>(keys * kLanes<T>);
  }
  ShortForward(int64_t keys, Scratch& scratch) {
    constexpr int kN = kLanes<T>;
    queries = scratch.take<T>(kShortRow * kN);
    state.out = scratch.take<T>(kShortRow * kQueries<T>);
    for (T** piece : {&state.top, &state.sum, &state.weighted, &state.sum_tail,
                      &state.weighted_tail, &state.factor}) {
      *piece = scratch.take<T>(kN);
    }
    tile = scratch.take<T>(keys * kN);
    std::fill_n(state.sum_tail, kN, T(0));
    std::fill_n(state.weighted_tail, kN, T(0));
    state.started[0] = true;
  }
  T *queries, *tile;
  ForwardState<T> state{};
};

/// All queries of one head of a group.
template <class T>
HWY_NOINLINE void forward_short_head(const Head<T>& head, const TurnedSight<T>& sight,
                                     const HeadOutput<T>& out, ShortForward<T>& room) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  TurnedHead<T> h;
  h.q = room.queries, h.ld = kN;
  // Where no output is wanted there may be no values: keys stand for them.
  const bool values = out.out.data != nullptr;
  h.k = {head.k.data, head.k.row};
  h.v = values ? Numbers<T>{head.v.data, head.v.row} : h.k;
  h.d = static_cast<int>(head.d), h.dv = static_cast<int>(values ? head.dv : head.d);
  h.out = room.state.out, h.ldo = kQueries<T>;
  for (size_t i = 0; i < sight.spans.size(); ++i) {
    const QueryBlock block = short_block<T>(static_cast<int64_t>(i), head.nq);
    pack_transposed(head.q.data + block.first * head.q.row, head.q.row, block.rows, head.d,
                    head.scale, room.queries, kN, kN);
    const auto totals =
        turned_panel<true, std::max(1, kNarrowHead<T>)>(h, panel_of(sight, i), room.tile);
    hn::Store(totals.m, d, room.state.top);
    hn::Store(totals.l, d, room.state.sum);
    hn::Store(totals.t, d, room.state.weighted);
    finish_rows(head, block, out, room.state);
  }
}

template <class T, class OutputOf>
void forward_short(const AttentionInput<T>& in, const Parallel& parallel,
                   const OutputOf& output_of) {
  const std::vector<ShortGroup> groups = short_groups(in, kLanes<T>);
  const ShortTasks tasks(static_cast<int64_t>(groups.size()), in.heads);
  run_tasks(parallel, tasks.count(), [&](int64_t task) {
    const ShortGroup& g = groups[static_cast<size_t>(tasks.group(task))];
    Scratch scratch(SightRoom<T>::size(g.queries) + ShortForward<T>::size(g.keys + 1));
    const SightRoom<T> seen(g.queries, scratch);
    query_sight(in, g, seen.first, seen.last);
    const TurnedSight<T> sight = sight_of<T>(seen.first, seen.last, g.queries, kLanes<T>);
    ShortForward<T> room(g.keys + 1, scratch);
    for (int64_t h = tasks.first_head(task); h < tasks.last_head(task); ++h) {
      const Head<T> head = head_of_group(in, g, h);
      forward_short_head(head, sight, output_of(head), room);
    }
  });
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ATTENTION_SHORT_FORWARD_INL_H_
