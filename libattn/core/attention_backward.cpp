// Backward: the scores are computed again, block by block; five products a tile.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/attention_backward.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include <array>

#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"
#include "libattn/core/attention_gradient-inl.h"
#include "libattn/core/attention_short_gradient-inl.h"
#include "libattn/core/backward_plan.h"
#include "libattn/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

inline constexpr int kBackwardKeys = 64;

/// Room for the state of one block of queries, and where its pieces lie.
template <class T>
struct BackwardRoom {
  BackwardRoom(const Head<T>& head, int key_block)
      : panel(static_cast<int64_t>(key_block) * kLanes<T>),
        ldq(padded_columns<T>(head.d)),
        ldo(padded_columns<T>(head.dv)),
        tiles(head.softcap != 0 ? 3 : 2),
        keep(head.has_dropout ? panel : 0) {}

  size_t bytes() const {
    return 3 * Scratch::size<T>(kQueries<T> * ldq) + 2 * Scratch::size<T>(kQueries<T> * ldo) +
           tiles * Scratch::size<T>(kPanels * panel) + 4 * Scratch::size<T>(kQueries<T>) +
           Scratch::size<T>(keep);
  }

  BackwardState<T> take(Scratch& scratch) const {
    constexpr int kQ = kQueries<T>;
    BackwardState<T> state;
    state.panel = panel, state.ldq = ldq, state.ldo = ldo;
    state.qt = scratch.take<T>(kQ * ldq);
    state.q = scratch.take<T>(kQ * ldq);
    state.dq = scratch.take<T>(kQ * ldq);
    state.dot = scratch.take<T>(kQ * ldo);
    state.dout = scratch.take<T>(kQ * ldo);
    state.tile = scratch.take<T>(kPanels * panel);
    state.dtile = scratch.take<T>(kPanels * panel);
    if (tiles > 2) state.cap_slope = scratch.take<T>(kPanels * panel);
    for (T** piece : {&state.lse, &state.tail, &state.dentropy, &state.c})
      *piece = scratch.take<T>(kQ);
    if (keep > 0) state.keep = scratch.take<T>(keep);
    return state;
  }

  int64_t panel, ldq, ldo;
  size_t tiles;
  int64_t keep;
};

template <class T>
HWY_INLINE void begin_block(const Head<T>& head, const HeadGradient<T>& g, const QueryBlock& block,
                            int key_block, BackwardState<T>& state) {
  constexpr int kQ = kQueries<T>;
  const int padded = block.panels * kLanes<T>;
  const T* q = head.q.data + block.first * head.q.row;
  pack_transposed(q, head.q.row, block.rows, head.d, head.scale, state.qt, kQ, padded);
  pack_rows(q, head.q.row, block.rows, head.d, head.scale, state.q, state.ldq, padded);
  if (g.dout.data != nullptr) {
    const T* from = g.dout.data + block.first * g.dout.row;
    pack_transposed(from, g.dout.row, block.rows, head.dv, T(1), state.dot, kQ, padded);
    pack_rows(from, g.dout.row, block.rows, head.dv, T(1), state.dout, state.ldo, padded);
  } else {
    std::fill_n(state.dot, kQ * state.ldo, T(0));
    std::fill_n(state.dout, kQ * state.ldo, T(0));
  }
  prepare_rows(head, g, block, key_block, state);
}

/// Blocks [first, last) of those that the queries of a piece are cut into, which go through the
/// keys together; dK and dV are added to.
template <class T>
HWY_NOINLINE void backward_blocks(const AttentionInput<T>& in, const Head<T>& head,
                                  const HeadGradient<T>& g, const BackwardPiece& piece,
                                  int64_t first, int64_t last, int key_block) {
  const int64_t blocks = query_blocks<T>(piece.last - piece.first);
  const auto count = static_cast<size_t>(last - first);
  const BackwardRoom<T> room(head, key_block);
  Scratch scratch(count * room.bytes());
  std::array<QueryBlock, kTogether> block;
  std::array<BackwardState<T>, kTogether> state;
  for (size_t i = 0; i < count; ++i) {
    block[i] = query_block<T>(piece.first, piece.last, first + static_cast<int64_t>(i), blocks);
    state[i] = room.take(scratch);
    begin_block(head, g, block[i], key_block, state[i]);
  }
  walk_keys(head, block.data(), count, key_block, [&](size_t i, int64_t key0, int keys) {
    backward_key_block(in, head, g, block[i], key0, keys, state[i]);
  });
  if (g.dq.data == nullptr) return;
  for (size_t i = 0; i < count; ++i) write_query_gradient(head, g.dq, block[i], state[i]);
}

/// What a head reads and writes, but for what its units sum up.
template <class T>
HeadGradient<T> gradient_of(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
                            const AttentionGradient<T>& gradient, const Head<T>& h) {
  const auto row_of = [&](const auto& view) {
    return rows_of(in, view, h.batch, h.head, h.query0);
  };
  const auto read = [](const Rows<T>& rows) { return Rows<const T>{rows.data, rows.row}; };
  HeadGradient<T> g;
  g.dout = row_of(gradient.dout);
  g.dlse = row_of(gradient.dlse);
  g.dentropy = row_of(gradient.dentropy);
  g.dmass = rows_of(in, gradient.dcolumn_mass, h.batch, h.head, h.key0);
  g.out = read(row_of(saved.out));
  g.lse = read(row_of(saved.lse));
  g.lse_tail = read(row_of(saved.lse_tail));
  g.entropy = read(row_of(saved.entropy));
  g.dq = row_of(gradient.dq);
  return g;
}

/// The same of a piece of a unit.
template <class T>
HeadGradient<T> gradient_of(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
                            const AttentionGradient<T>& gradient, const BackwardPlan<T>& plan,
                            const BackwardUnit& unit, const Head<T>& h) {
  HeadGradient<T> g = gradient_of(in, saved, gradient, h);
  g.dk = plan.key_gradient(unit);
  g.dv = plan.value_gradient(unit);
  if (gradient.dbias.data != nullptr) {
    const BiasView<T>& to = gradient.dbias;
    g.dbias = {to.data + unit.batch * to.batch + h.head * to.head, to.row};
    g.dbias_column = to.column;
  }
  if (h.has_slope && gradient.dslope.data != nullptr) g.dslope = &plan.slope_gradient(unit, h.head);
  if (gradient.dsink.data != nullptr) g.dsink = &plan.sink_gradient(unit, h.head);
  return g;
}

template <class T>
HWY_NOINLINE void backward_unit(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
                                const AttentionGradient<T>& gradient, const BackwardPlan<T>& plan,
                                const BackwardUnit& unit, int key_block) {
  const Rows<T> dk = plan.key_gradient(unit), dv = plan.value_gradient(unit);
  for (int64_t j = 0; j < keys_of(in, unit.batch); ++j) {
    if (dk.data != nullptr) std::fill_n(dk.data + j * dk.row, in.d, T(0));
    if (dv.data != nullptr) std::fill_n(dv.data + j * dv.row, in.dv, T(0));
  }
  const size_t room = BackwardRoom<T>(head_of(in, unit.batch, unit.kv_head), key_block).bytes();
  const int64_t together = blocks_together<T>(in, unit.batch, room);
  for (const BackwardPiece& piece : unit.pieces) {
    const Head<T> head = head_of(in, unit.batch, piece.head);
    const HeadGradient<T> g = gradient_of(in, saved, gradient, plan, unit, head);
    const int64_t blocks = query_blocks<T>(piece.last - piece.first);
    for (int64_t i = 0; i < blocks; i += together) {
      backward_blocks(in, head, g, piece, i, std::min(i + together, blocks), key_block);
    }
  }
}

template <class T>
void backward(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
              const AttentionGradient<T>& gradient, const Parallel& parallel) {
  if (takes_short_gradient(in, gradient)) {
    return backward_short(in, parallel, [&](const Head<T>& head) {
      HeadGradient<T> g = gradient_of(in, saved, gradient, head);
      g.dk = rows_of(in, gradient.dk, head.batch, head.head, head.key0);
      g.dv = rows_of(in, gradient.dv, head.batch, head.head, head.key0);
      return g;
    });
  }
  const int key_block = static_cast<int>(std::clamp<int64_t>(
      in.key_block > 0 ? in.key_block : kBackwardKeys, 1, std::max<int64_t>(in.nk, 1)));
  const BackwardPlan<T> plan(in, gradient);
  run_tasks(parallel, plan.tasks(), [&](int64_t task) {
    for (const BackwardUnit& unit : plan.units(task))
      backward_unit(in, saved, gradient, plan, unit, key_block);
  });
  plan.merge(parallel);
}

void backward_f32(const AttentionInput<float>& in, const AttentionOutput<float>& saved,
                  const AttentionGradient<float>& gradient, const Parallel& parallel) {
  backward(in, saved, gradient, parallel);
}
void backward_f64(const AttentionInput<double>& in, const AttentionOutput<double>& saved,
                  const AttentionGradient<double>& gradient, const Parallel& parallel) {
  backward(in, saved, gradient, parallel);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attn::core {

HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_f64);

template <>
void attention_backward(const AttentionInput<float>& in, const AttentionOutput<float>& saved,
                        const AttentionGradient<float>& gradient, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(in, saved, gradient, parallel);
}
template <>
void attention_backward(const AttentionInput<double>& in, const AttentionOutput<double>& saved,
                        const AttentionGradient<double>& gradient, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(backward_f64)(in, saved, gradient, parallel);
}

}  // namespace attn::core
#endif  // HWY_ONCE
