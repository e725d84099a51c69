// Per-target: the gradient of a block of queries against a block of keys. Included once per target.
#if defined(ATTN_ATTENTION_GRADIENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ATTENTION_GRADIENT_INL_H_
#undef ATTN_ATTENTION_GRADIENT_INL_H_
#else
#define ATTN_ATTENTION_GRADIENT_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "hwy/highway.h"
#include "libattn/core/attention_tile-inl.h"
#include "libattn/core/dropout-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// The arrays of one query head, and where its unit sums up.
template <class T>
struct HeadGradient {
  Rows<const T> dout, dlse, dentropy, dmass;  // coming in
  Rows<const T> out, lse, lse_tail, entropy;  // saved
  Rows<T> dq, dk, dv, dbias;                  // going out
  int64_t dbias_column = 0;
  double *dslope = nullptr, *dsink = nullptr;
};

/// A block of queries in scratch: Q and dO transposed (scores, dP) and by rows (dK, dV), two tiles,
/// dQ (turned, of narrow heads), and per row LSE in two parts, dH and C; a tile for the slope of
/// the soft cap and a panel for dropout, or null.
template <class T>
struct BackwardState {
  T *qt, *dot, *q, *dout, *tile, *dtile, *dq, *lse, *tail, *dentropy, *c;
  T *cap_slope = nullptr, *keep = nullptr;
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

/// sum_j p_ij dmass_j of each row, added to C.
template <class T>
HWY_NOINLINE void add_mass_rows(const Head<T>& head, const HeadGradient<T>& g,
                                const QueryBlock& block, int key_block, BackwardState<T>& state) {
  const Tag<T> d;
  constexpr int kN = kLanes<T>;
  const int64_t end = head.key_end(block.first + block.rows - 1);
  for (int64_t key0 = head.key_begin(block.first); key0 < end; key0 += key_block) {
    const int keys = static_cast<int>(std::min<int64_t>(key_block, end - key0));
    const Visible visible = visible_keys(head, block, key0, keys);
    finished_scores<T>(head, block, key0, keys, visible, state.qt, state.tile, state.panel, nullptr,
                       nullptr);
    for (int p = 0; p < block.panels; ++p) {
      const auto lse = hn::Load(d, state.lse + p * kN), tail = hn::Load(d, state.tail + p * kN);
      auto sum = hn::Zero(d);
      for (int j = 0; j < visible.seen[p]; ++j) {
        const auto s = hn::Load(d, state.tile + p * state.panel + j * kN);
        const auto weight = exponential(clamp_exponent<T>(hn::Sub(hn::Sub(s, lse), tail)));
        sum = hn::MulAdd(weight, hn::Set(d, g.dmass.data[(key0 + j) * g.dmass.row]), sum);
      }
      hn::Store(hn::Add(hn::Load(d, state.c + p * kN), sum), d, state.c + p * kN);
    }
  }
}

/// dsink += sum_i p (- dH log p - C), p the weight of the sink.
template <class T>
HWY_INLINE void add_sink_gradient(const Head<T>& head, const HeadGradient<T>& g,
                                  const QueryBlock& block, const BackwardState<T>& state) {
  if (!head.has_sink) return;
  double sum = 0;
  for (int r = 0; r < block.rows; ++r) {
    const T log_p = (head.sink - state.lse[r]) - state.tail[r];
    if (log_p < kMinExponent<T>) continue;
    sum += static_cast<double>(std::exp(log_p) * (-state.dentropy[r] * log_p - state.c[r]));
  }
  *g.dsink += sum;
}

/// LSE, dH and C = dO.O + dH H - dLSE + sum_j p dmass of each row.
template <class T>
HWY_INLINE void prepare_rows(const Head<T>& head, const HeadGradient<T>& g, const QueryBlock& block,
                             int key_block, BackwardState<T>& state) {
  load_lse(block, g.lse, g.lse_tail, state.lse, state.tail);
  for (int r = 0; r < block.panels * kLanes<T>; ++r) {
    const int64_t i = block.first + r;
    const bool alive = r < block.rows && state.lse[r] != std::numeric_limits<T>::max();
    state.dentropy[r] =
        alive && g.dentropy.data != nullptr ? g.dentropy.data[i * g.dentropy.row] : T(0);
    T c = 0;
    if (alive) {
      if (g.dout.data != nullptr)
        c = dot_product(state.dout + r * state.ldo, g.out.data + i * g.out.row, head.dv);
      if (g.dentropy.data != nullptr) c += state.dentropy[r] * g.entropy.data[i * g.entropy.row];
      if (g.dlse.data != nullptr) c -= g.dlse.data[i * g.dlse.row];
    }
    state.c[r] = c;
  }
  if (g.dmass.data != nullptr) add_mass_rows(head, g, block, key_block, state);
  if (g.dsink != nullptr) add_sink_gradient(head, g, block, state);
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
HWY_INLINE void add_bias_gradient(const HeadGradient<T>& g, const QueryBlock& block, int64_t key0,
                                  const Visible& visible, const BackwardState<T>& state) {
  T* base = g.dbias.data + key0 * g.dbias_column;
  for (int p = 0; p < block.panels; ++p) {
    const int rows = block.rows_in<T>(p);
    T* first = base + (block.first + p * kLanes<T>)*g.dbias.row;
    const T* ds = state.dtile + p * state.panel;
    for (int r = 0; r < rows; ++r) {
      for (int j = 0; j < visible.seen[p]; ++j)
        first[r * g.dbias.row + j * g.dbias_column] += ds[j * kLanes<T> + r];
    }
  }
}

/// dslope -= sum_ij dS_ij |i + diagonal - j|.
template <class T>
HWY_NOINLINE void add_slope_gradient(const Head<T>& head, const HeadGradient<T>& g,
                                     const QueryBlock& block, int64_t key0, const Visible& visible,
                                     const BackwardState<T>& state) {
  const Tag<T> d;
  for (int p = 0; p < block.panels; ++p) {
    const auto first = distances(head, block, key0, p);
    const T* ds = state.dtile + p * state.panel;
    auto sum = hn::Zero(d);
    for (int j = 0; j < visible.seen[p]; ++j) {
      const auto distance = hn::Abs(hn::Sub(first, hn::Set(d, static_cast<T>(j))));
      sum = hn::MulAdd(distance, hn::Load(d, ds + j * kLanes<T>), sum);
    }
    *g.dslope -= static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
}

/// dtile += dmass_j, for every query of panel p.
template <class T>
HWY_INLINE void add_mass_gradient(const HeadGradient<T>& g, int64_t key0, int keys,
                                  T* HWY_RESTRICT dtile) {
  const Tag<T> d;
  for (int j = 0; j < keys; ++j) {
    const auto mass = hn::Set(d, g.dmass.data[(key0 + j) * g.dmass.row]);
    hn::Store(hn::Add(mass, hn::Load(d, dtile + j * kLanes<T>)), d, dtile + j * kLanes<T>);
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
HWY_INLINE void add_to_queries(const Head<T>& head, const QueryBlock& block, int64_t key0,
                               const Visible& visible, int64_t column,
                               const BackwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  Product<T> dq;
  dq.step = kN;
  dq.b = head.k.data + key0 * head.k.row + column;
  dq.ldb = head.k.row;
  dq.ldo = state.ldq;
  dq.columns = std::min<int64_t>(kStripe * kN, head.d - column);
  for (int p = 0; p < block.panels; ++p) {
    if (visible.seen[p] == 0) continue;
    dq.a = state.dtile + p * state.panel;
    dq.depth = visible.seen[p];
    dq.out = state.dq + p * kN * state.ldq + column;
    if (state.started[p]) {
      product<Start::add, 1, kN>(block.rows_in<T>(p), dq);
    } else {
      product<Start::zero, 1, kN>(block.rows_in<T>(p), dq);
    }
  }
}

/// The same of narrow heads, turned.
template <class T>
HWY_INLINE void add_to_narrow_queries(const Head<T>& head, const QueryBlock& block, int64_t key0,
                                      const Visible& visible, const BackwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  for (int p = 0; p < block.panels; ++p) {
    if (visible.seen[p] == 0) continue;
    add_turned(static_cast<int>(head.d), visible.seen[p], state.dtile + p * state.panel,
               head.k.data + key0 * head.k.row, head.k.row, hn::Set(Tag<T>(), T(1)),
               state.started[p], state.dq + p * kN);
  }
}

/// The tiles of a block: weights as V met them in `tile`, dS before the soft cap added to dbias and
/// dslope, dS behind it in `dtile`.
template <class T>
HWY_INLINE void gradient_tiles(const AttentionInput<T>& in, const Head<T>& head,
                               const HeadGradient<T>& g, const QueryBlock& block, int64_t key0,
                               const Visible& visible, BackwardState<T>& state) {
  for (int p = 0; p < block.panels; ++p) {
    const int seen = visible.seen[p];
    T *tile = state.tile + p * state.panel, *dtile = state.dtile + p * state.panel;
    if (state.keep != nullptr) {
      keep_factors(in, head, block, key0, p, seen, state.keep);
      multiply_panel(seen, state.keep, dtile);
    }
    if (g.dmass.data != nullptr) add_mass_gradient(g, key0, seen, dtile);
    gradient_panel(tile, dtile, seen, state, p);
    if (state.keep != nullptr) multiply_panel(seen, state.keep, tile);
  }
  if (g.dbias.data != nullptr) add_bias_gradient(g, block, key0, visible, state);
  if (g.dslope != nullptr) add_slope_gradient(head, g, block, key0, visible, state);
  if (state.cap_slope == nullptr) return;
  for (int p = 0; p < block.panels; ++p) {
    multiply_panel(visible.seen[p], state.cap_slope + p * state.panel,
                   state.dtile + p * state.panel);
  }
}

template <class T>
HWY_NOINLINE void backward_key_block(const AttentionInput<T>& in, const Head<T>& head,
                                     const HeadGradient<T>& g, const QueryBlock& block,
                                     int64_t key0, int keys, BackwardState<T>& state) {
  const Visible visible = visible_keys(head, block, key0, keys);
  finished_scores<T>(head, block, key0, keys, visible, state.qt, state.tile, state.panel, nullptr,
                     state.cap_slope);
  score_tile<T>(keys, block.panels, visible.seen, head.dv, head.v.data + key0 * head.v.row,
                head.v.row, state.dot, state.dtile, state.panel, nullptr);
  gradient_tiles(in, head, g, block, key0, visible, state);
  if (g.dv.data != nullptr) {
    add_to_keys(block, visible, state.tile, state.panel, state.dout, state.ldo,
                g.dv.data + key0 * g.dv.row, g.dv.row, head.dv);
  }
  if (g.dk.data != nullptr) {
    add_to_keys(block, visible, state.dtile, state.panel, state.q, state.ldq,
                g.dk.data + key0 * g.dk.row, g.dk.row, head.d);
  }
  if (g.dq.data == nullptr) return;
  if (narrow<T>(head.d)) {
    add_to_narrow_queries(head, block, key0, visible, state);
  } else {
    for (int64_t c = 0; c < head.d; c += kStripe * kLanes<T>)
      add_to_queries(head, block, key0, visible, c, state);
  }
  for (int p = 0; p < block.panels; ++p) state.started[p] |= visible.seen[p] > 0;
}

template <class T>
HWY_INLINE void write_query_gradient(const Head<T>& head, const Rows<T>& dq,
                                     const QueryBlock& block, const BackwardState<T>& state) {
  constexpr int kN = kLanes<T>;
  T* to = dq.data + block.first * dq.row;
  if (narrow<T>(head.d)) {
    const auto scale = hn::Set(Tag<T>(), head.scale);
    for (int p = 0; p < block.panels; ++p, to += kN * dq.row) {
      const int rows = block.rows_in<T>(p);
      if (state.started[p]) {
        turn_back(static_cast<int>(head.d), rows, state.dq + p * kN, scale, to, dq.row);
      } else {
        for (int r = 0; r < rows; ++r) std::fill_n(to + r * dq.row, head.d, T(0));
      }
    }
    return;
  }
  for (int r = 0; r < block.rows; ++r, to += dq.row) {
    const T* from = state.dq + r * state.ldq;
    for (int64_t c = 0; c < head.d; ++c)
      to[c] = state.started[r / kN] ? head.scale * from[c] : T(0);
  }
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ATTENTION_GRADIENT_INL_H_
