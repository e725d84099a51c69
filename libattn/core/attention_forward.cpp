// Forward: one pass over the keys for each block of queries.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/attention_forward.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include <array>

#include "hwy/highway.h"
#include "libattn/core/attention_short_forward-inl.h"
#include "libattn/core/attention_softmax-inl.h"
#include "libattn/core/column_mass.h"
#include "libattn/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Keys worked on at a time: scores of a block of queries, and 64 columns of their values, stay in
/// the nearest cache. GFLOP/s of one AVX-512 core at 64 / 96 / 128 / 192 keys: (1,16,2048,128) 139
/// / 125 / 129 / 127, (1,8,4096,64) 141 / 136 / 138 / 127.
inline constexpr int kForwardKeys = 64;
/// The same of heads of half a vector or less, whose blocks are small: each block of keys costs
/// another look at all totals.
inline constexpr int kNarrowKeys = 128;

/// Room for the state of one block of queries.
template <class T>
size_t forward_bytes(const Head<T>& head, int key_block, bool keep) {
  const int64_t panel = static_cast<int64_t>(key_block) * kLanes<T>;
  return Scratch::size<T>(head.d * kQueries<T>) + Scratch::size<T>(kPanels * panel) +
         Scratch::size<T>(kQueries<T> * padded_columns<T>(head.dv)) +
         7 * Scratch::size<T>(kQueries<T>) + Scratch::size<T>(keep ? panel : 0);
}

template <class T>
HWY_INLINE ForwardState<T> begin_block(const Head<T>& head, const QueryBlock& block, int key_block,
                                       bool keep, Scratch& scratch) {
  constexpr int kQ = kQueries<T>;
  ForwardState<T> state;
  state.panel = static_cast<int64_t>(key_block) * kLanes<T>;
  state.ldo = padded_columns<T>(head.dv);
  state.qt = scratch.take<T>(head.d * kQ);
  state.tile = scratch.take<T>(kPanels * state.panel);
  state.out = scratch.take<T>(kQ * state.ldo);
  for (T** piece : {&state.top, &state.maxima, &state.sum, &state.weighted, &state.sum_tail,
                    &state.weighted_tail, &state.factor}) {
    *piece = scratch.take<T>(kQ);
  }
  if (keep) state.keep = scratch.take<T>(state.panel);
  std::fill_n(state.top, kQ, kLowest<T>);
  for (T* piece : {state.sum, state.weighted, state.sum_tail, state.weighted_tail}) {
    std::fill_n(piece, kQ, T(0));
  }
  pack_transposed(head.q.data + block.first * head.q.row, head.q.row, block.rows, head.d,
                  head.scale, state.qt, kQ, block.panels * kLanes<T>);
  return state;
}

/// Blocks of queries [first, last), which go through the keys together.
template <class T>
HWY_NOINLINE void forward_blocks(const AttentionInput<T>& in, const Head<T>& head,
                                 const HeadOutput<T>& out, int64_t first, int64_t last,
                                 int key_block) {
  const bool keep = head.has_dropout && out.out.data != nullptr;
  const auto count = static_cast<size_t>(last - first);
  Scratch scratch(count * forward_bytes(head, key_block, keep));
  std::array<QueryBlock, kTogether> block;
  std::array<ForwardState<T>, kTogether> state;
  for (size_t i = 0; i < count; ++i) {
    block[i] =
        query_block<T>(0, head.nq, first + static_cast<int64_t>(i), query_blocks<T>(head.nq));
    state[i] = begin_block(head, block[i], key_block, keep, scratch);
  }
  walk_keys(head, block.data(), count, key_block, [&](size_t i, int64_t key0, int keys) {
    forward_key_block(in, head, out, block[i], key0, keys, state[i]);
  });
  for (size_t i = 0; i < count; ++i) finish_rows(head, block[i], out, state[i]);
}

template <class T>
HeadOutput<T> head_output(const AttentionInput<T>& in, const AttentionOutput<T>& out,
                          const Head<T>& head) {
  const auto rows = [&](const View<T>& view) {
    return rows_of(in, view, head.batch, head.head, head.query0);
  };
  return {rows(out.out), rows(out.lse), rows(out.lse_tail), rows(out.entropy), rows(out.row_max)};
}

template <class T>
void forward(const AttentionInput<T>& in, const AttentionOutput<T>& out, const Parallel& parallel) {
  if (takes_short(in)) {
    return forward_short(in, parallel,
                         [&](const Head<T>& head) { return head_output(in, out, head); });
  }
  const int key_block = static_cast<int>(std::clamp<int64_t>(in.key_block > 0   ? in.key_block
                                                             : narrow<T>(in.dv) ? kNarrowKeys
                                                                                : kForwardKeys,
                                                             1, std::max<int64_t>(in.nk, 1)));
  const auto groups_of = [&](int64_t batch) {
    const size_t room = in.heads > 0 ? forward_bytes(head_of(in, batch, 0), key_block, true) : 1;
    const int64_t together = blocks_together<T>(in, batch, room);
    return (query_blocks<T>(queries_of(in, batch)) + together - 1) / together;
  };
  std::vector<int64_t> counts(static_cast<size_t>(in.batch));
  for (int64_t b = 0; b < in.batch; ++b) counts[static_cast<size_t>(b)] = in.heads * groups_of(b);
  const TaskTable table(counts);
  run_tasks(parallel, table.tasks(), [&](int64_t task) {
    // Head by head, whose keys and values then stay in cache: 139 GFLOP/s at (1,16,2048,128), 107
    // with the head running fastest. Within a head the last blocks first: under causality they are
    // the longest.
    const auto [batch, number] = table.locate(task);
    const int64_t blocks = query_blocks<T>(queries_of(in, batch)), groups = groups_of(batch);
    const int64_t group = groups - 1 - number % groups;
    const Head<T> head = head_of(in, batch, number / groups);
    forward_blocks(in, head, head_output(in, out, head), group * blocks / groups,
                   (group + 1) * blocks / groups, key_block);
  });
}

void forward_f32(const AttentionInput<float>& in, const AttentionOutput<float>& out,
                 const Parallel& parallel) {
  forward(in, out, parallel);
}
void forward_f64(const AttentionInput<double>& in, const AttentionOutput<double>& out,
                 const Parallel& parallel) {
  forward(in, out, parallel);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attn::core {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_f64);

template <>
void attention_forward(const AttentionInput<float>& in, const AttentionOutput<float>& out,
                       const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(in, out, parallel);
  if (out.column_mass.data != nullptr) column_mass(in, out, parallel);
}
template <>
void attention_forward(const AttentionInput<double>& in, const AttentionOutput<double>& out,
                       const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(forward_f64)(in, out, parallel);
  if (out.column_mass.data != nullptr) column_mass(in, out, parallel);
}

}  // namespace attn::core
#endif  // HWY_ONCE
