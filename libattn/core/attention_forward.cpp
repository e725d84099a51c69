// Forward: one pass over the keys for each block of queries.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/attention_forward.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "libattn/core/attention_tile-inl.h"
#include "libattn/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Keys worked on at a time: scores of a block of queries, and 64 columns of their values, stay in
/// the nearest cache. GFLOP/s of one AVX-512 core at 64 / 96 / 128 / 192 keys: (1,16,2048,128) 139
/// / 125 / 129 / 127, (1,8,4096,64) 141 / 136 / 138 / 127.
inline constexpr int kForwardKeys = 64;

/// The running state of a block of queries, and its scratch.
template <class T>
struct ForwardState {
  T *qt, *tile, *out, *top, *maxima, *sum, *weighted, *sum_tail, *weighted_tail, *factor;
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
HWY_INLINE void add_values(const AttentionInput<T>& in, const QueryBlock& block, int64_t key0,
                           const Visible& visible, int64_t column, const ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  Product<T> pv;
  pv.step = kN;
  pv.b = in.v.data + block.batch * in.v.batch + block.head * in.v.head + key0 * in.v.row + column;
  pv.ldb = in.v.row;
  pv.ldo = state.ldo;
  pv.columns = std::min<int64_t>(kCols * kN, in.dv - column);
  for (int p = 0; p < block.panels; ++p) {
    if (visible.seen[p] == 0) continue;
    pv.a = state.tile + p * state.panel;
    pv.depth = visible.seen[p];
    pv.out = state.out + p * kN * state.ldo + column;
    pv.factors = state.factor + p * kN;
    const int rows = std::min(kN, block.rows - p * kN);
    if (state.started[p]) {
      product<Start::scaled, 1, kN>(rows, pv);
    } else {
      product<Start::zero, 1, kN>(rows, pv);
    }
  }
}

template <class T>
HWY_NOINLINE void forward_key_block(const AttentionInput<T>& in, const QueryBlock& block,
                                    int64_t key0, int keys, ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  const Visible visible = visible_keys(in, block, key0, keys);
  for (int p = 0; p < block.panels; ++p)
    hn::Store(hn::Set(d, kLowest<T>), d, state.maxima + p * kN);
  const bool maxima_hold = finished_scores(in, block, key0, keys, visible, state.qt, state.tile,
                                           state.panel, state.maxima);
  for (int p = 0; p < block.panels; ++p) {
    if (visible.seen[p] == 0) continue;
    if (!maxima_hold)
      panel_maxima(state.tile + p * state.panel, visible.seen[p], state.maxima + p * kN);
    softmax_panel(p, visible.seen[p], state);
  }
  // Columns of V outermost: 64 wide, they stay in the nearest cache for all queries of the block.
  for (int64_t c = 0; c < in.dv; c += kCols * kN) add_values(in, block, key0, visible, c, state);
  for (int p = 0; p < block.panels; ++p) state.started[p] |= visible.seen[p] > 0;
}

/// O = o / l, LSE = m + log l with its rounding error, H = log l - t / l; rows that saw no key: 0,
/// -inf, 0.
template <class T>
HWY_INLINE void finish_rows(const AttentionInput<T>& in, const QueryBlock& block,
                            const AttentionOutput<T>& out, ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  const int64_t row0 = (block.batch * in.heads + block.head) * in.nq + block.first;
  for (int p = 0; p < block.panels; ++p) {
    const int rows = std::min(kN, block.rows - p * kN);
    const auto m = hn::Load(d, state.top + p * kN);
    const auto l = hn::Add(hn::Load(d, state.sum + p * kN), hn::Load(d, state.sum_tail + p * kN));
    const auto t =
        hn::Add(hn::Load(d, state.weighted + p * kN), hn::Load(d, state.weighted_tail + p * kN));
    const auto dead = hn::Eq(l, hn::Zero(d));
    const auto inverse = hn::IfThenElse(dead, hn::Zero(d), hn::Div(hn::Set(d, T(1)), l));
    const auto log_l =
        hn::IfThenElse(hn::Eq(l, l), hn::Log(d, hn::IfThenElse(dead, hn::Set(d, T(1)), l)), l);
    const auto lse =
        hn::IfThenElse(dead, hn::Set(d, -std::numeric_limits<T>::infinity()), hn::Add(m, log_l));
    const auto tail = hn::IfThenElse(dead, hn::Zero(d), hn::Add(hn::Sub(m, lse), log_l));
    auto entropy = hn::NegMulAdd(t, inverse, log_l);
    entropy = hn::IfThenElse(hn::Lt(entropy, hn::Zero(d)), hn::Zero(d), entropy);
    const int64_t to = row0 + p * kN;
    if (rows == kN) {
      hn::StoreU(lse, d, out.lse + to);
      hn::StoreU(tail, d, out.lse_tail + to);
      hn::StoreU(entropy, d, out.entropy + to);
    } else {
      store_partial<T>(lse, out.lse + to, rows);
      store_partial<T>(tail, out.lse_tail + to, rows);
      store_partial<T>(entropy, out.entropy + to, rows);
    }
    hn::Store(inverse, d, state.factor + p * kN);
  }
  T* to = out.out.data + block.batch * out.out.batch + block.head * out.out.head +
          block.first * out.out.row;
  for (int r = 0; r < block.rows; ++r, to += out.out.row) {
    if (!state.started[r / kN]) {
      std::fill_n(to, in.dv, T(0));
      continue;
    }
    const T* from = state.out + r * state.ldo;
    const auto f = hn::Set(d, state.factor[r]);
    int64_t c = 0;
    for (; c + kN <= in.dv; c += kN) hn::StoreU(hn::Mul(f, hn::Load(d, from + c)), d, to + c);
    for (; c < in.dv; ++c) to[c] = state.factor[r] * from[c];
  }
}

template <class T>
HWY_NOINLINE void forward_block(const AttentionInput<T>& in, const AttentionOutput<T>& out,
                                const QueryBlock& block, int key_block) {
  constexpr int kN = kLanes<T>;
  constexpr int kQ = kQueries<T>;
  ForwardState<T> state;
  state.panel = static_cast<int64_t>(key_block) * kN;
  state.ldo = (in.dv + kN - 1) / kN * kN;
  Scratch scratch(Scratch::size<T>(in.d * kQ) + Scratch::size<T>(kPanels * state.panel) +
                  Scratch::size<T>(kQ * state.ldo) + 7 * Scratch::size<T>(kQ));
  state.qt = scratch.take<T>(in.d * kQ);
  state.tile = scratch.take<T>(kPanels * state.panel);
  state.out = scratch.take<T>(kQ * state.ldo);
  for (T** piece : {&state.top, &state.maxima, &state.sum, &state.weighted, &state.sum_tail,
                    &state.weighted_tail, &state.factor}) {
    *piece = scratch.take<T>(kQ);
  }
  std::fill_n(state.top, kQ, kLowest<T>);
  for (T* piece : {state.sum, state.weighted, state.sum_tail, state.weighted_tail}) {
    std::fill_n(piece, kQ, T(0));
  }
  pack_transposed(
      in.q.data + block.batch * in.q.batch + block.head * in.q.head + block.first * in.q.row,
      in.q.row, block.rows, in.d, static_cast<T>(in.scale), state.qt, kQ, block.panels * kN);
  const int64_t end = key_end(in, block.first + block.rows - 1);
  for (int64_t key0 = 0; key0 < end; key0 += key_block) {
    forward_key_block(in, block, key0, static_cast<int>(std::min<int64_t>(key_block, end - key0)),
                      state);
  }
  finish_rows(in, block, out, state);
}

template <class T>
void forward(const AttentionInput<T>& in, const AttentionOutput<T>& out, const Parallel& parallel) {
  constexpr int kN = kLanes<T>;
  const int64_t panels = (in.nq + kN - 1) / kN, blocks = (panels + kPanels - 1) / kPanels;
  const int64_t heads = in.batch * in.heads;
  if (heads == 0 || blocks == 0) return;
  const int key_block = static_cast<int>(std::clamp<int64_t>(
      in.key_block > 0 ? in.key_block : kForwardKeys, 1, std::max<int64_t>(in.nk, 1)));
  run_tasks(parallel, heads * blocks, [&](int64_t task) {
    // Head by head, whose keys and values then stay in cache: 139 GFLOP/s at (1,16,2048,128), 107
    // with the head running fastest. Within a head the last block first: under causality it is the
    // longest.
    const int64_t head = task / blocks, i = blocks - 1 - task % blocks;
    const int64_t first = i * panels / blocks, last = (i + 1) * panels / blocks;
    QueryBlock block;
    block.batch = head / in.heads;
    block.head = head % in.heads;
    block.first = first * kN;
    block.panels = static_cast<int>(last - first);
    block.rows = static_cast<int>(std::min(last * kN, in.nq) - block.first);
    forward_block(in, out, block, key_block);
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
}
template <>
void attention_forward(const AttentionInput<double>& in, const AttentionOutput<double>& out,
                       const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(forward_f64)(in, out, parallel);
}

}  // namespace attn::core
#endif  // HWY_ONCE
