// Forward: one pass over the keys for each block of queries.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/attention_forward.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "libattn/core/attention_tile-inl.h"
#include "libattn/core/column_mass.h"
#include "libattn/core/dropout-inl.h"
#include "libattn/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Keys worked on at a time: scores of a block of queries, and 64 columns of their values, stay in
/// the nearest cache. GFLOP/s of one AVX-512 core at 64 / 96 / 128 / 192 keys: (1,16,2048,128) 139
/// / 125 / 129 / 127, (1,8,4096,64) 141 / 136 / 138 / 127.
inline constexpr int kForwardKeys = 64;

/// The running state of a block of queries, and its scratch. `keep`: a tile for dropout, or null.
template <class T>
struct ForwardState {
  T *qt, *tile, *out, *top, *maxima, *sum, *weighted, *sum_tail, *weighted_tail, *factor;
  T* keep = nullptr;
  int64_t panel, ldo;
  bool started[kPanels] = {};
};

/// total = factor total + part, with what rounding cut off kept in `tail`: over a million keys the
/// totals of a row would otherwise lose three digits.
template <class T>
HWY_INLINE void add_to_total(Vec<T> factor, Vec<T> part, T* HWY_RESTRICT total,
                             T* HWY_RESTRICT tail) {
  const Tag<T> d;
  const auto old = hn::Mul(factor, hn::Load(d, total));
  const auto sum = hn::Add(old, part);
  const auto added = hn::Sub(sum, old);
  const auto cut = hn::Add(hn::Sub(old, hn::Sub(sum, added)), hn::Sub(part, added));
  hn::Store(sum, d, total);
  hn::Store(hn::MulAdd(factor, hn::Load(d, tail), cut), d, tail);
}

/// Online softmax of panel p: replaces its scores by e = e^{s-m}, updates m, l, t, and leaves
/// e^{m_old - m} in `factor`.
template <class T>
HWY_INLINE void softmax_panel(int p, int keys, ForwardState<T>& state) {
  const Tag<T> d;
  constexpr int kN = kLanes<T>;
  T* HWY_RESTRICT s = state.tile + p * state.panel;
  T* HWY_RESTRICT top = state.top + p * kN;
  const auto old = hn::Load(d, top);
  const auto m = hn::Max(old, hn::Load(d, state.maxima + p * kN));
  auto l0 = hn::Zero(d), t0 = hn::Zero(d), l1 = hn::Zero(d), t1 = hn::Zero(d);
  int j = 0;
  for (; j + 2 <= keys; j += 2) {
    T* at = s + j * kN;
    const auto x0 = clamp_exponent<T>(hn::Sub(hn::Load(d, at), m));
    const auto x1 = clamp_exponent<T>(hn::Sub(hn::Load(d, at + kN), m));
    const auto e0 = exponential(x0), e1 = exponential(x1);
    hn::Store(e0, d, at);
    hn::Store(e1, d, at + kN);
    l0 = hn::Add(l0, e0);
    l1 = hn::Add(l1, e1);
    t0 = hn::MulAdd(e0, x0, t0);
    t1 = hn::MulAdd(e1, x1, t1);
  }
  if (j < keys) {
    const auto x = clamp_exponent<T>(hn::Sub(hn::Load(d, s + j * kN), m));
    const auto e = exponential(x);
    hn::Store(e, d, s + j * kN);
    l0 = hn::Add(l0, e);
    t0 = hn::MulAdd(e, x, t0);
  }
  // Clamped before anything is multiplied by it: m_old may be -3e38, whether no key was seen or a
  // mask of that size was added, and an infinite step would make 0 * inf of the sums.
  const auto step = clamp_exponent<T>(hn::Sub(old, m));
  const auto factor = exponential(step);
  const auto moved = hn::Mul(hn::Mul(factor, step), hn::Load(d, state.sum + p * kN));
  hn::Store(m, d, top);
  add_to_total<T>(factor, hn::Add(l0, l1), state.sum + p * kN, state.sum_tail + p * kN);
  add_to_total<T>(factor, hn::Add(hn::Add(t0, t1), moved), state.weighted + p * kN,
                  state.weighted_tail + p * kN);
  hn::Store(factor, d, state.factor + p * kN);
}

/// Maxima of a panel after masks: NaN may be lost here, it comes back through the sums.
template <class T>
HWY_INLINE void panel_maxima(const T* HWY_RESTRICT s, int keys, T* HWY_RESTRICT maxima) {
  const Tag<T> d;
  auto m = hn::Set(d, kLowest<T>);
  for (int j = 0; j < keys; ++j) m = hn::Max(m, hn::Load(d, s + j * kLanes<T>));
  hn::Store(m, d, maxima);
}

/// O = factor O + P V for kCols vectors of columns from `column` on.
template <class T>
HWY_INLINE void add_values(const Head<T>& head, const QueryBlock& block, int64_t key0,
                           const Visible& visible, int64_t column, const ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  Product<T> pv;
  pv.step = kN;
  pv.b = head.v.data + key0 * head.v.row + column;
  pv.ldb = head.v.row;
  pv.ldo = state.ldo;
  pv.columns = std::min<int64_t>(kCols * kN, head.dv - column);
  for (int p = 0; p < block.panels; ++p) {
    if (visible.seen[p] == 0) continue;
    pv.a = state.tile + p * state.panel;
    pv.depth = visible.seen[p];
    pv.out = state.out + p * kN * state.ldo + column;
    pv.factors = state.factor + p * kN;
    if (state.started[p]) {
      product<Start::scaled, 1, kN>(block.rows_in<T>(p), pv);
    } else {
      product<Start::zero, 1, kN>(block.rows_in<T>(p), pv);
    }
  }
}

template <class T>
HWY_NOINLINE void forward_key_block(const AttentionInput<T>& in, const Head<T>& head,
                                    const QueryBlock& block, int64_t key0, int keys, bool values,
                                    ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  const Visible visible = visible_keys(head, block, key0, keys);
  for (int p = 0; p < block.panels; ++p)
    hn::Store(hn::Set(d, kLowest<T>), d, state.maxima + p * kN);
  const bool maxima_hold = finished_scores<T>(head, block, key0, keys, visible, state.qt,
                                              state.tile, state.panel, state.maxima, nullptr);
  for (int p = 0; p < block.panels; ++p) {
    const int seen = visible.seen[p];
    if (seen == 0) continue;
    T* tile = state.tile + p * state.panel;
    if (!maxima_hold) panel_maxima(tile, seen, state.maxima + p * kN);
    softmax_panel(p, seen, state);
    if (state.keep == nullptr) continue;
    keep_factors(in, head, block, key0, p, seen, state.keep);
    multiply_panel(seen, state.keep, tile);
  }
  if (!values) return;
  // Columns of V outermost: 64 wide, they stay in the nearest cache for all queries of the block.
  for (int64_t c = 0; c < head.dv; c += kCols * kN)
    add_values(head, block, key0, visible, c, state);
  for (int p = 0; p < block.panels; ++p) state.started[p] |= visible.seen[p] > 0;
}

/// The outputs of one head.
template <class T>
struct HeadOutput {
  Rows<T> out, lse, lse_tail, entropy, row_max;
};

/// A statistic of the queries of panel p, to where it is wanted.
template <class T>
HWY_INLINE void write_rows(const QueryBlock& block, int p, Vec<T> value, const Rows<T>& to) {
  if (to.data == nullptr) return;
  const Tag<T> d;
  const int rows = block.rows_in<T>(p);
  T* first = to.data + (block.first + p * kLanes<T>)*to.row;
  if (to.row == 1 && rows == kLanes<T>) return hn::StoreU(value, d, first);
  HWY_ALIGN T buffer[kLanes<T>];
  hn::Store(value, d, buffer);
  for (int r = 0; r < rows; ++r) first[r * to.row] = buffer[r];
}

/// The statistics of panel p; leaves what its O is multiplied by in `factor`. Rows that saw no key:
/// -inf, 0.
template <class T>
HWY_INLINE void finish_panel(const Head<T>& head, const QueryBlock& block, int p,
                             const HeadOutput<T>& out, ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  const auto zero = hn::Zero(d), one = hn::Set(d, T(1));
  const auto lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
  auto m = hn::Load(d, state.top + p * kN);
  auto l = hn::Add(hn::Load(d, state.sum + p * kN), hn::Load(d, state.sum_tail + p * kN));
  auto t = hn::Add(hn::Load(d, state.weighted + p * kN), hn::Load(d, state.weighted_tail + p * kN));
  auto factor = one;
  write_rows<T>(block, p, hn::IfThenElse(hn::Eq(l, zero), lowest, hn::Add(m, hn::Sub(l, l))),
                out.row_max);
  if (head.has_sink) {
    // One more key, of logit `sink` and value 0.
    const auto sink = hn::Set(d, head.sink), top = hn::Max(m, sink);
    const auto step = clamp_exponent<T>(hn::Sub(m, top));
    const auto x = clamp_exponent<T>(hn::Sub(sink, top)), e = exponential(x);
    factor = exponential(step);
    t = hn::MulAdd(factor, hn::MulAdd(l, step, t), hn::Mul(e, x));
    l = hn::MulAdd(factor, l, e);
    m = top;
  }
  const auto dead = hn::Eq(l, zero);
  const auto inverse = hn::IfThenElse(dead, zero, hn::Div(one, l));
  const auto log_l = hn::IfThenElse(hn::Eq(l, l), hn::Log(d, hn::IfThenElse(dead, one, l)), l);
  const auto lse = hn::IfThenElse(dead, lowest, hn::Add(m, log_l));
  auto entropy = hn::NegMulAdd(t, inverse, log_l);
  entropy = hn::IfThenElse(hn::Lt(entropy, zero), zero, entropy);
  write_rows<T>(block, p, lse, out.lse);
  write_rows<T>(block, p, hn::IfThenElse(dead, zero, hn::Add(hn::Sub(m, lse), log_l)),
                out.lse_tail);
  write_rows<T>(block, p, entropy, out.entropy);
  hn::Store(hn::Mul(factor, inverse), d, state.factor + p * kN);
}

/// O = o / l, LSE = m + log l with its rounding error, H = log l - t / l.
template <class T>
HWY_INLINE void finish_rows(const Head<T>& head, const QueryBlock& block, const HeadOutput<T>& out,
                            ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  for (int p = 0; p < block.panels; ++p) finish_panel(head, block, p, out, state);
  if (out.out.data == nullptr) return;
  T* to = out.out.data + block.first * out.out.row;
  for (int r = 0; r < block.rows; ++r, to += out.out.row) {
    if (!state.started[r / kN]) {
      std::fill_n(to, head.dv, T(0));
      continue;
    }
    const T* from = state.out + r * state.ldo;
    const auto f = hn::Set(d, state.factor[r]);
    int64_t c = 0;
    for (; c + kN <= head.dv; c += kN) hn::StoreU(hn::Mul(f, hn::Load(d, from + c)), d, to + c);
    for (; c < head.dv; ++c) to[c] = state.factor[r] * from[c];
  }
}

template <class T>
HWY_NOINLINE void forward_block(const AttentionInput<T>& in, const Head<T>& head,
                                const HeadOutput<T>& out, const QueryBlock& block, int key_block) {
  constexpr int kN = kLanes<T>;
  constexpr int kQ = kQueries<T>;
  ForwardState<T> state;
  state.panel = static_cast<int64_t>(key_block) * kN;
  state.ldo = (head.dv + kN - 1) / kN * kN;
  const bool values = out.out.data != nullptr;
  const int64_t keep = head.has_dropout && values ? state.panel : 0;
  Scratch scratch(Scratch::size<T>(head.d * kQ) + Scratch::size<T>(kPanels * state.panel) +
                  Scratch::size<T>(kQ * state.ldo) + 7 * Scratch::size<T>(kQ) +
                  Scratch::size<T>(keep));
  state.qt = scratch.take<T>(head.d * kQ);
  state.tile = scratch.take<T>(kPanels * state.panel);
  state.out = scratch.take<T>(kQ * state.ldo);
  for (T** piece : {&state.top, &state.maxima, &state.sum, &state.weighted, &state.sum_tail,
                    &state.weighted_tail, &state.factor}) {
    *piece = scratch.take<T>(kQ);
  }
  if (keep > 0) state.keep = scratch.take<T>(keep);
  std::fill_n(state.top, kQ, kLowest<T>);
  for (T* piece : {state.sum, state.weighted, state.sum_tail, state.weighted_tail}) {
    std::fill_n(piece, kQ, T(0));
  }
  pack_transposed(head.q.data + block.first * head.q.row, head.q.row, block.rows, head.d,
                  head.scale, state.qt, kQ, block.panels * kN);
  const int64_t end = head.key_end(block.first + block.rows - 1);
  for (int64_t key0 = head.key_begin(block.first); key0 < end; key0 += key_block) {
    const int keys = static_cast<int>(std::min<int64_t>(key_block, end - key0));
    forward_key_block(in, head, block, key0, keys, values, state);
  }
  finish_rows(head, block, out, state);
}

template <class T>
void forward(const AttentionInput<T>& in, const AttentionOutput<T>& out, const Parallel& parallel) {
  const int key_block = static_cast<int>(std::clamp<int64_t>(
      in.key_block > 0 ? in.key_block : kForwardKeys, 1, std::max<int64_t>(in.nk, 1)));
  std::vector<int64_t> counts(static_cast<size_t>(in.batch));
  for (int64_t b = 0; b < in.batch; ++b)
    counts[static_cast<size_t>(b)] = in.heads * query_blocks<T>(queries_of(in, b));
  const TaskTable table(counts);
  run_tasks(parallel, table.tasks(), [&](int64_t task) {
    // Head by head, whose keys and values then stay in cache: 139 GFLOP/s at (1,16,2048,128), 107
    // with the head running fastest. Within a head the last block first: under causality it is the
    // longest.
    const auto [batch, number] = table.locate(task);
    const int64_t blocks = query_blocks<T>(queries_of(in, batch));
    const Head<T> head = head_of(in, batch, number / blocks);
    HeadOutput<T> to;
    to.out = rows_of(in, out.out, batch, head.head, head.query0);
    to.lse = rows_of(in, out.lse, batch, head.head, head.query0);
    to.lse_tail = rows_of(in, out.lse_tail, batch, head.head, head.query0);
    to.entropy = rows_of(in, out.entropy, batch, head.head, head.query0);
    to.row_max = rows_of(in, out.row_max, batch, head.head, head.query0);
    forward_block(in, head, to, query_block<T>(0, head.nq, blocks - 1 - number % blocks, blocks),
                  key_block);
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
