// Per-target: the online softmax of a block of queries against a block of keys, and what it leaves.
// Included once per target.
#if defined(ATTN_ATTENTION_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ATTENTION_SOFTMAX_INL_H_
#undef ATTN_ATTENTION_SOFTMAX_INL_H_
#else
#define ATTN_ATTENTION_SOFTMAX_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <limits>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "libattn/core/attention_tile-inl.h"
#include "libattn/core/dropout-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// The running state of a block of queries, and its scratch. `out`: (queries, ldo), or turned, of
/// narrow heads. `keep`: a tile for dropout, or null.
template <class T>
struct ForwardState {
  T *qt, *tile, *out, *top, *maxima, *sum, *weighted, *sum_tail, *weighted_tail, *factor;
  T* keep = nullptr;
  int64_t panel, ldo;
  bool started[kPanels] = {};
};

/// The outputs of one head.
template <class T>
struct HeadOutput {
  Rows<T> out, lse, lse_tail, entropy, row_max;
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

/// Online softmax of panel p: replaces its scores by e = e^{s-m}, updates m, l and, for the
/// entropy, t, and leaves e^{m_old - m} in `factor`.
template <bool kEntropy, class T>
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
    if constexpr (kEntropy) {
      t0 = hn::MulAdd(e0, x0, t0);
      t1 = hn::MulAdd(e1, x1, t1);
    }
  }
  if (j < keys) {
    const auto x = clamp_exponent<T>(hn::Sub(hn::Load(d, s + j * kN), m));
    const auto e = exponential(x);
    hn::Store(e, d, s + j * kN);
    l0 = hn::Add(l0, e);
    if constexpr (kEntropy) t0 = hn::MulAdd(e, x, t0);
  }
  // Clamped before anything is multiplied by it: m_old may be -3e38, whether no key was seen or a
  // mask of that size was added, and an infinite step would make 0 * inf of the sums.
  const auto step = clamp_exponent<T>(hn::Sub(old, m));
  const auto factor = exponential(step);
  const auto moved = hn::Mul(hn::Mul(factor, step), hn::Load(d, state.sum + p * kN));
  hn::Store(m, d, top);
  hn::Store(factor, d, state.factor + p * kN);
  add_to_total<T>(factor, hn::Add(l0, l1), state.sum + p * kN, state.sum_tail + p * kN);
  if constexpr (kEntropy)
    add_to_total<T>(factor, hn::Add(hn::Add(t0, t1), moved), state.weighted + p * kN,
                    state.weighted_tail + p * kN);
}

/// Maxima of a panel after masks: NaN may be lost here, it comes back through the sums.
template <class T>
HWY_INLINE void panel_maxima(const T* HWY_RESTRICT s, int keys, T* HWY_RESTRICT maxima) {
  const Tag<T> d;
  constexpr int kN = kLanes<T>;
  auto m0 = hn::Set(d, kLowest<T>), m1 = m0, m2 = m0, m3 = m0;  // each would wait for its own
  int j = 0;
  for (; j + 4 <= keys; j += 4, s += 4 * kN) {
    m0 = hn::Max(m0, hn::Load(d, s));
    m1 = hn::Max(m1, hn::Load(d, s + kN));
    m2 = hn::Max(m2, hn::Load(d, s + 2 * kN));
    m3 = hn::Max(m3, hn::Load(d, s + 3 * kN));
  }
  for (; j < keys; ++j, s += kN) m0 = hn::Max(m0, hn::Load(d, s));
  hn::Store(hn::Max(hn::Max(m0, m1), hn::Max(m2, m3)), d, maxima);
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
  pv.columns = std::min<int64_t>(kStripe * kN, head.dv - column);
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

/// The same of narrow heads.
template <class T>
HWY_INLINE void add_narrow_values(const Head<T>& head, const QueryBlock& block, int64_t key0,
                                  const Visible& visible, const ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  for (int p = 0; p < block.panels; ++p) {
    if (visible.seen[p] == 0) continue;
    const auto factor = state.started[p] ? hn::Load(d, state.factor + p * kN) : hn::Zero(d);
    add_turned(static_cast<int>(head.dv), visible.seen[p], state.tile + p * state.panel,
               head.v.data + key0 * head.v.row, head.v.row, factor, state.started[p],
               state.out + p * kN);
  }
}

template <class T>
HWY_NOINLINE void forward_key_block(const AttentionInput<T>& in, const Head<T>& head,
                                    const HeadOutput<T>& out, const QueryBlock& block, int64_t key0,
                                    int keys, ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  const bool entropy = out.entropy.data != nullptr;
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
    if (entropy) {
      softmax_panel<true>(p, seen, state);
    } else {
      softmax_panel<false>(p, seen, state);
    }
    if (state.keep == nullptr) continue;
    keep_factors(in, head, block, key0, p, seen, state.keep);
    multiply_panel(seen, state.keep, tile);
  }
  if (out.out.data == nullptr) return;
  if (narrow<T>(head.dv)) {
    add_narrow_values(head, block, key0, visible, state);
  } else {
    // Columns of V outermost: 64 wide, they stay in the nearest cache for all queries of the block.
    for (int64_t c = 0; c < head.dv; c += kStripe * kN)
      add_values(head, block, key0, visible, c, state);
  }
  for (int p = 0; p < block.panels; ++p) state.started[p] |= visible.seen[p] > 0;
}

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

/// The rows of O where it lies turned.
template <class T>
HWY_INLINE void finish_narrow_rows(const Head<T>& head, const QueryBlock& block, const Rows<T>& out,
                                   const ForwardState<T>& state) {
  for (int p = 0; p < block.panels; ++p) {
    const int rows = block.rows_in<T>(p);
    T* to = out.data + (block.first + p * kLanes<T>)*out.row;
    if (state.started[p]) {
      turn_back(static_cast<int>(head.dv), rows, state.out + p * kLanes<T>,
                hn::Load(Tag<T>(), state.factor + p * kLanes<T>), to, out.row);
    } else {
      for (int r = 0; r < rows; ++r) std::fill_n(to + r * out.row, head.dv, T(0));
    }
  }
}

/// O = o / l, LSE = m + log l with its rounding error, H = log l - t / l.
template <class T>
HWY_INLINE void finish_rows(const Head<T>& head, const QueryBlock& block, const HeadOutput<T>& out,
                            ForwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  for (int p = 0; p < block.panels; ++p) finish_panel(head, block, p, out, state);
  if (out.out.data == nullptr) return;
  if (narrow<T>(head.dv)) return finish_narrow_rows(head, block, out.out, state);
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

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ATTENTION_SOFTMAX_INL_H_
