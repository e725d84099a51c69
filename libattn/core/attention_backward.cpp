// Backward: the scores are computed again, block by block; five products a tile.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/attention_backward.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"
#include "libattn/core/attention_tile-inl.h"
#include "libattn/core/backward_plan.h"
#include "libattn/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

inline constexpr int kBackwardKeys = 64;

/// A block of queries in scratch: Q and dO transposed (scores, dP) and by rows (dK, dV), two tiles,
/// dQ, and per row LSE in two parts, dH and C.
template <class T>
struct BackwardState {
  T *qt, *dot, *q, *dout, *tile, *dtile, *dq, *lse, *tail, *dentropy, *c;
  int64_t panel, ldq, ldo;
  bool started[kPanels] = {};
};

/// to(r, :) = factor * from(r, :), zero for rows <= r < padded_rows.
template <class T>
HWY_INLINE void pack_rows(const T* HWY_RESTRICT from, int64_t stride, int rows, int64_t columns,
                          T factor, T* HWY_RESTRICT to, int64_t ld, int padded_rows) {
  const Tag<T> d;
  const auto f = hn::Set(d, factor);
  for (int r = 0; r < rows; ++r, from += stride, to += ld) {
    int64_t c = 0;
    for (; c + kLanes<T> <= columns; c += kLanes<T>)
      hn::Store(hn::Mul(f, hn::LoadU(d, from + c)), d, to + c);
    for (; c < columns; ++c) to[c] = factor * from[c];
  }
  std::fill_n(to, ld * (padded_rows - rows), T(0));
}

/// LSE, dH and C = dO.O + dH H - dLSE of each row; rows without keys and padding get an LSE so high
/// that every p is 0.
template <class T>
HWY_INLINE void prepare_rows(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
                             const AttentionGradient<T>& gradient, const QueryBlock& block,
                             BackwardState<T>& state) {
  const int64_t row0 = (block.batch * in.heads + block.head) * in.nq + block.first;
  const T* out = saved.out.data + block.batch * saved.out.batch + block.head * saved.out.head +
                 block.first * saved.out.row;
  for (int r = 0; r < block.panels * kLanes<T>; ++r) {
    const bool alive = r < block.rows && saved.lse[row0 + r] != -std::numeric_limits<T>::infinity();
    state.lse[r] = alive ? saved.lse[row0 + r] : std::numeric_limits<T>::max();
    state.tail[r] = alive ? saved.lse_tail[row0 + r] : T(0);
    state.dentropy[r] = alive && gradient.dentropy != nullptr ? gradient.dentropy[row0 + r] : T(0);
    T c = 0;
    if (alive) {
      if (gradient.dout.data != nullptr)
        c = dot_product(state.dout + r * state.ldo, out + r * saved.out.row, in.dv);
      c += state.dentropy[r] * saved.entropy[row0 + r];
      if (gradient.dlse != nullptr) c -= gradient.dlse[row0 + r];
    }
    state.c[r] = c;
  }
}

/// tile: scores -> p;  dtile: dP -> dS = p (dP - dH log p - C).
template <class T>
HWY_INLINE void gradient_panel(T* HWY_RESTRICT tile, T* HWY_RESTRICT dtile, int keys,
                               const BackwardState<T>& state, int p) {
  const Tag<T> d;
  constexpr int kN = kLanes<T>;
  const auto lse = hn::Load(d, state.lse + p * kN), tail = hn::Load(d, state.tail + p * kN);
  const auto dentropy = hn::Load(d, state.dentropy + p * kN), c = hn::Load(d, state.c + p * kN);
#pragma GCC unroll 2
  for (int j = 0; j < keys; ++j) {
    const auto log_p = clamp_exponent<T>(hn::Sub(hn::Sub(hn::Load(d, tile + j * kN), lse), tail));
    const auto weight = exponential(log_p);
    const auto dp = hn::Sub(hn::Load(d, dtile + j * kN), c);
    hn::Store(weight, d, tile + j * kN);
    hn::Store(hn::Mul(weight, hn::NegMulAdd(dentropy, log_p, dp)), d, dtile + j * kN);
  }
}

template <class T>
HWY_INLINE void add_bias_gradient(const AttentionGradient<T>& gradient, const QueryBlock& block,
                                  int64_t key0, const Visible& visible,
                                  const BackwardState<T>& state) {
  const BiasView<T>& to = gradient.dbias;
  T* base = to.data + block.batch * to.batch + block.head * to.head + key0 * to.column;
  for (int p = 0; p < block.panels; ++p) {
    const int rows = std::min(kLanes<T>, block.rows - p * kLanes<T>);
    T* first = base + (block.first + p * kLanes<T>)*to.row;
    const T* ds = state.dtile + p * state.panel;
    for (int r = 0; r < rows; ++r) {
      for (int j = 0; j < visible.seen[p]; ++j)
        first[r * to.row + j * to.column] += ds[j * kLanes<T> + r];
    }
  }
}

/// out(j, :) += sum over queries of tile(j, i) b(i, :), for the keys of a block.
template <class T>
HWY_INLINE void add_to_keys(const QueryBlock& block, const Visible& visible, const T* tile,
                            int64_t panel, const T* b, int64_t ldb, T* out, int64_t ldo,
                            int64_t columns) {
  Product<T> product_of;
  product_of.panel = panel;
  product_of.depth = kLanes<T>;
  product_of.ldb = ldb;
  product_of.ldo = ldo;
  product_of.columns = columns;
  int key = 0;
  for (int p = 0; p < block.panels; ++p) {
    if (visible.seen[p] == key) continue;
    product_of.a = tile + p * panel + static_cast<int64_t>(key) * kLanes<T>;
    product_of.panels = block.panels - p;
    product_of.b = b + p * kLanes<T> * ldb;
    product_of.out = out + key * ldo;
    product<Start::add, kLanes<T>, 1>(visible.seen[p] - key, product_of);
    key = visible.seen[p];
  }
}

/// dQ / scale += dS K for kCols vectors of columns from `column` on.
template <class T>
HWY_INLINE void add_to_queries(const AttentionInput<T>& in, const QueryBlock& block, int64_t key0,
                               const Visible& visible, int64_t column,
                               const BackwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  Product<T> dq;
  dq.step = kN;
  dq.b = in.k.data + block.batch * in.k.batch + block.head * in.k.head + key0 * in.k.row + column;
  dq.ldb = in.k.row;
  dq.ldo = state.ldq;
  dq.columns = std::min<int64_t>(kCols * kN, in.d - column);
  for (int p = 0; p < block.panels; ++p) {
    if (visible.seen[p] == 0) continue;
    dq.a = state.dtile + p * state.panel;
    dq.depth = visible.seen[p];
    dq.out = state.dq + p * kN * state.ldq + column;
    const int rows = std::min(kN, block.rows - p * kN);
    if (state.started[p]) {
      product<Start::add, 1, kN>(rows, dq);
    } else {
      product<Start::zero, 1, kN>(rows, dq);
    }
  }
}

template <class T>
HWY_NOINLINE void backward_key_block(const AttentionInput<T>& in,
                                     const AttentionGradient<T>& gradient, const QueryBlock& block,
                                     int64_t key0, int keys, const View<T>& dk, const View<T>& dv,
                                     BackwardState<T>& state) {
  const Visible visible = visible_keys(in, block, key0, keys);
  finished_scores<T>(in, block, key0, keys, visible, state.qt, state.tile, state.panel, nullptr);
  const T* v = in.v.data + block.batch * in.v.batch + block.head * in.v.head + key0 * in.v.row;
  score_tile<T>(keys, block.panels, visible.seen, in.dv, v, in.v.row, state.dot, state.dtile,
                state.panel, nullptr);
  for (int p = 0; p < block.panels; ++p) {
    gradient_panel(state.tile + p * state.panel, state.dtile + p * state.panel, visible.seen[p],
                   state, p);
  }
  if (gradient.dbias.data != nullptr) add_bias_gradient(gradient, block, key0, visible, state);
  if (dv.data != nullptr) {
    add_to_keys(block, visible, state.tile, state.panel, state.dout, state.ldo,
                dv.data + key0 * dv.row, dv.row, in.dv);
  }
  if (dk.data != nullptr) {
    add_to_keys(block, visible, state.dtile, state.panel, state.q, state.ldq,
                dk.data + key0 * dk.row, dk.row, in.d);
  }
  if (gradient.dq.data == nullptr) return;
  for (int64_t c = 0; c < in.d; c += kCols * kLanes<T>)
    add_to_queries(in, block, key0, visible, c, state);
  for (int p = 0; p < block.panels; ++p) state.started[p] |= visible.seen[p] > 0;
}

template <class T>
HWY_INLINE void write_query_gradient(const AttentionInput<T>& in,
                                     const AttentionGradient<T>& gradient, const QueryBlock& block,
                                     const BackwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  T* to = gradient.dq.data + block.batch * gradient.dq.batch + block.head * gradient.dq.head +
          block.first * gradient.dq.row;
  for (int p = 0; p < block.panels; ++p) {
    const int rows = std::min(kN, block.rows - p * kN);
    for (int r = 0; r < rows; ++r, to += gradient.dq.row) {
      const T* from = state.dq + (p * kN + r) * state.ldq;
      for (int64_t c = 0; c < in.d; ++c)
        to[c] = state.started[p] ? static_cast<T>(in.scale) * from[c] : T(0);
    }
  }
}

/// One block of queries against all its keys; dk and dv are added to (their head already chosen).
template <class T>
HWY_NOINLINE void backward_block(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
                                 const AttentionGradient<T>& gradient, const QueryBlock& block,
                                 int key_block, const View<T>& dk, const View<T>& dv) {
  constexpr int kN = kLanes<T>;
  constexpr int kQ = kQueries<T>;
  BackwardState<T> state;
  state.panel = static_cast<int64_t>(key_block) * kN;
  state.ldq = (in.d + kN - 1) / kN * kN;
  state.ldo = (in.dv + kN - 1) / kN * kN;
  Scratch scratch(3 * Scratch::size<T>(kQ * state.ldq) + 2 * Scratch::size<T>(kQ * state.ldo) +
                  2 * Scratch::size<T>(kPanels * state.panel) + 4 * Scratch::size<T>(kQ));
  state.qt = scratch.take<T>(kQ * state.ldq);
  state.q = scratch.take<T>(kQ * state.ldq);
  state.dq = scratch.take<T>(kQ * state.ldq);
  state.dot = scratch.take<T>(kQ * state.ldo);
  state.dout = scratch.take<T>(kQ * state.ldo);
  state.tile = scratch.take<T>(kPanels * state.panel);
  state.dtile = scratch.take<T>(kPanels * state.panel);
  for (T** piece : {&state.lse, &state.tail, &state.dentropy, &state.c})
    *piece = scratch.take<T>(kQ);
  const int padded = block.panels * kN;
  const T scale = static_cast<T>(in.scale);
  const T* q =
      in.q.data + block.batch * in.q.batch + block.head * in.q.head + block.first * in.q.row;
  pack_transposed(q, in.q.row, block.rows, in.d, scale, state.qt, kQ, padded);
  pack_rows(q, in.q.row, block.rows, in.d, scale, state.q, state.ldq, padded);
  if (gradient.dout.data != nullptr) {
    const View<const T>& dout = gradient.dout;
    const T* from =
        dout.data + block.batch * dout.batch + block.head * dout.head + block.first * dout.row;
    pack_transposed(from, dout.row, block.rows, in.dv, T(1), state.dot, kQ, padded);
    pack_rows(from, dout.row, block.rows, in.dv, T(1), state.dout, state.ldo, padded);
  } else {
    std::fill_n(state.dot, kQ * state.ldo, T(0));
    std::fill_n(state.dout, kQ * state.ldo, T(0));
  }
  prepare_rows(in, saved, gradient, block, state);
  const int64_t end = key_end(in, block.first + block.rows - 1);
  for (int64_t key0 = 0; key0 < end; key0 += key_block) {
    backward_key_block(in, gradient, block, key0,
                       static_cast<int>(std::min<int64_t>(key_block, end - key0)), dk, dv, state);
  }
  if (gradient.dq.data != nullptr) write_query_gradient(in, gradient, block, state);
}

/// Queries [first, last) of one head, block by block; dk and dv are written.
template <class T>
HWY_NOINLINE void backward_chunk(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
                                 const AttentionGradient<T>& gradient, int64_t batch, int64_t head,
                                 int64_t first, int64_t last, int key_block, const View<T>& dk,
                                 const View<T>& dv) {
  constexpr int kN = kLanes<T>;
  for (int64_t j = 0; j < in.nk; ++j) {
    if (dk.data != nullptr) std::fill_n(dk.data + j * dk.row, in.d, T(0));
    if (dv.data != nullptr) std::fill_n(dv.data + j * dv.row, in.dv, T(0));
  }
  const int64_t panels = (last - first + kN - 1) / kN, blocks = (panels + kPanels - 1) / kPanels;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t from = i * panels / blocks, to = (i + 1) * panels / blocks;
    QueryBlock block;
    block.batch = batch;
    block.head = head;
    block.first = first + from * kN;
    block.panels = static_cast<int>(to - from);
    block.rows = static_cast<int>(std::min(first + to * kN, last) - block.first);
    backward_block(in, saved, gradient, block, key_block, dk, dv);
  }
}

template <class T>
void backward(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
              const AttentionGradient<T>& gradient, const Parallel& parallel) {
  const int key_block = static_cast<int>(std::clamp<int64_t>(
      in.key_block > 0 ? in.key_block : kBackwardKeys, 1, std::max<int64_t>(in.nk, 1)));
  const BackwardPlan<T> plan(in, gradient);
  run_tasks(parallel, plan.tasks(), [&](int64_t task) {
    for (const BackwardUnit& unit : plan.units(task)) {
      backward_chunk(in, saved, gradient, unit.batch, unit.head, unit.first, unit.last, key_block,
                     plan.key_gradient(unit), plan.value_gradient(unit));
    }
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
