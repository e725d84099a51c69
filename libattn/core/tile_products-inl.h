// Per-target register-blocked products on tiles. Included once per target.
//
// A tile of scores is kept as S^T: queries lie along the SIMD lanes, keys along rows, so that
// softmax, entropy and gradient need no horizontal sums, K and V are read in place (one element
// broadcast, or rows as vectors), and only Q (and dO) are packed, once per block of queries. Panel
// v holds queries v * lanes ... of the block: tile[v * panel + key * lanes + lane].
//
// All products but those of narrow heads (add_turned) are one kernel, acc(r, c) += sum_k
// a[r * row + k * step] * b[k * ldb + c * lanes]:
//   scores  S^T = K Q^T     r = key,   k = feature (K in place),      b = packed transposed Q
//   output  O  += P V       r = lane,  k = key     (tile panel),      b = V in place      (also dQ
//   += dS K) keys    dV += P^T dO    r = key,   k = query   (tile panels),     b = dO packed (also
//   dK += dS^T Q)
#if defined(ATTN_TILE_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_TILE_PRODUCTS_INL_H_
#undef ATTN_TILE_PRODUCTS_INL_H_
#else
#define ATTN_TILE_PRODUCTS_INL_H_
#endif

#include <algorithm>

#include "hwy/highway.h"
#include "libattn/core/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

// Accumulators must stay in registers: 6 x 4 of the 32 of AVX-512, 6 x 2 of 16 elsewhere.
#if HWY_TARGET <= HWY_AVX3
inline constexpr int kRows = 6, kCols = 4, kLaneRows = 6, kLaneCols = 4;
#else
inline constexpr int kRows = 6, kCols = 2, kLaneRows = 4, kLaneCols = 3;
#endif
inline constexpr int kStripe = 2 * kLaneCols;
/// Panels in a block of queries, and queries in it.
inline constexpr int kPanels = 4;
template <class T>
inline constexpr int kQueries = kPanels* kLanes<T>;

template <class T, int R, int C>
struct Accumulators {
  Vec<T> v[R][C];
};

/// One block of the product above; kTail: C = 1 and only `tail` elements of each row of b exist.
template <int R, int C, bool kTail, class T>
HWY_INLINE void multiply(int64_t depth, const T* HWY_RESTRICT a, int64_t row, int64_t step,
                         const T* HWY_RESTRICT b, int64_t ldb, int tail,
                         Accumulators<T, R, C>& acc) {
  const Tag<T> d;
#pragma GCC unroll 1
  for (int64_t k = 0; k < depth; ++k) {
    Vec<T> bv[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
      bv[c] = kTail ? load_partial(b, tail) : hn::LoadU(d, b + c * kLanes<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const auto av = hn::Set(d, a[r * row]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) acc.v[r][c] = hn::MulAdd(av, bv[c], acc.v[r][c]);
    }
    a += step;
    b += ldb;
  }
}

/// S^T rows key ... key + R - 1, panels v0 ... v0 + C - 1, and their maxima. qt is (depth,
/// kQueries).
template <int R, int C, class T>
HWY_INLINE void score_rows(int64_t depth, const T* HWY_RESTRICT k, int64_t ldk,
                           const T* HWY_RESTRICT qt, T* HWY_RESTRICT tile, int64_t panel,
                           T* HWY_RESTRICT maxima) {
  const Tag<T> d;
  Accumulators<T, R, C> acc;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) acc.v[r][c] = hn::Zero(d);
  }
  multiply<R, C, false>(depth, k, ldk, 1, qt, kQueries<T>, 0, acc);
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    auto top = acc.v[0][c];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      hn::Store(acc.v[r][c], d, tile + c * panel + r * kLanes<T>);
      top = hn::Max(top, acc.v[r][c]);
    }
    if (maxima != nullptr) {
      T* m = maxima + c * kLanes<T>;
      hn::Store(hn::Max(hn::Load(d, m), top), d, m);
    }
  }
}

template <int C, int R = kRows, class T>
HWY_INLINE void score_rows_of(int rows, int64_t depth, const T* k, int64_t ldk, const T* qt,
                              T* tile, int64_t panel, T* maxima) {
  if constexpr (R > 1) {
    if (rows < R) return score_rows_of<C, R - 1>(rows, depth, k, ldk, qt, tile, panel, maxima);
  }
  score_rows<R, C>(depth, k, ldk, qt, tile, panel, maxima);
}

/// The tile S^T of `keys` keys and panels [first, panels): groups of kRows keys start at the first
/// panel whose `seen` keys reach them. `seen` rises with the panel.
template <class T>
HWY_INLINE void score_tile(int keys, int panels, const int* seen, int64_t depth, const T* k,
                           int64_t ldk, const T* qt, T* tile, int64_t panel, T* maxima) {
  int v0 = 0;
  for (int j = 0; j < keys; j += kRows) {
    while (v0 < panels && seen[v0] <= j) ++v0;
    const int rows = std::min(kRows, keys - j);
    for (int v = v0; v < panels;) {
      const int columns = std::min(kCols, panels - v);
      const T* q = qt + v * kLanes<T>;
      T* out = tile + v * panel + static_cast<int64_t>(j) * kLanes<T>;
      T* m = maxima == nullptr ? nullptr : maxima + v * kLanes<T>;
      const T* key = k + j * ldk;
      if (columns == 1) {
        score_rows_of<1>(rows, depth, key, ldk, q, out, panel, m);
      } else if (columns == 2) {
        score_rows_of<2>(rows, depth, key, ldk, q, out, panel, m);
      }
      if constexpr (kCols > 2) {
        if (columns == 3) score_rows_of<3>(rows, depth, key, ldk, q, out, panel, m);
        if (columns == 4) score_rows_of<4>(rows, depth, key, ldk, q, out, panel, m);
      }
      v += columns;
    }
  }
}

/// How a product meets what its destination holds.
enum class Start { zero, add, scaled };

template <Start kStart, int R, int C, bool kTail, class T>
HWY_INLINE void load_accumulators(const T* HWY_RESTRICT out, int64_t ldo,
                                  const T* HWY_RESTRICT factors, int tail,
                                  Accumulators<T, R, C>& acc) {
  const Tag<T> d;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      if constexpr (kStart == Start::zero) {
        acc.v[r][c] = hn::Zero(d);
      } else {
        const T* p = out + r * ldo + c * kLanes<T>;
        const auto old = kTail ? load_partial(p, tail) : hn::LoadU(d, p);
        acc.v[r][c] = kStart == Start::scaled ? hn::Mul(old, hn::Set(d, factors[r])) : old;
      }
    }
  }
}

template <int R, int C, bool kTail, class T>
HWY_INLINE void store_accumulators(const Accumulators<T, R, C>& acc, T* HWY_RESTRICT out,
                                   int64_t ldo, int tail) {
  const Tag<T> d;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      T* p = out + r * ldo + c * kLanes<T>;
      if constexpr (kTail) {
        store_partial(acc.v[r][c], p, tail);
      } else {
        hn::StoreU(acc.v[r][c], d, p);
      }
    }
  }
}

/// A product with rows of a (R at a time) over all `columns` of b: out(r, :) = [start] + sum_k a(r,
/// k) b(k, :). `panels` > 1: the depth runs through that many panels of a (and b runs on); `depth`
/// elements in each.
template <class T>
struct Product {
  const T* a = nullptr;
  int64_t row = 0, step = 0, panel = 0;
  int panels = 1;
  int64_t depth = 0;
  const T* b = nullptr;
  int64_t ldb = 0;
  T* out = nullptr;
  int64_t ldo = 0;
  const T* factors = nullptr;
  int64_t columns = 0;
};

template <Start kStart, int R, int C, bool kTail, int kRow, int kStep, class T>
HWY_INLINE void product_block(const Product<T>& p, const T* a, int64_t column, T* out,
                              const T* factors, int tail) {
  Accumulators<T, R, C> acc;
  load_accumulators<kStart, R, C, kTail>(out + column, p.ldo, factors, tail, acc);
  const T* b = p.b + column;
  const int64_t row = kRow > 0 ? kRow : p.row, step = kStep > 0 ? kStep : p.step;
  for (int v = 0; v < p.panels; ++v) {
    multiply<R, C, kTail>(p.depth, a + v * p.panel, row, step, b, p.ldb, tail, acc);
    b += p.depth * p.ldb;
  }
  store_accumulators<R, C, kTail>(acc, out + column, p.ldo, tail);
}

template <Start kStart, int C, bool kTail, int kRow, int kStep, int R = kRows, class T>
HWY_INLINE void product_rows_of(int rows, const Product<T>& p, const T* a, int64_t column, T* out,
                                const T* factors, int tail) {
  if constexpr (R > 1) {
    if (rows < R)
      return product_rows_of<kStart, C, kTail, kRow, kStep, R - 1>(rows, p, a, column, out, factors,
                                                                   tail);
  }
  product_block<kStart, R, C, kTail, kRow, kStep>(p, a, column, out, factors, tail);
}

/// All rows of C vectors of columns, R at a time: those columns of b stay in the nearest cache.
template <Start kStart, int R, int C, bool kTail, int kRow, int kStep, class T>
HWY_NOINLINE void product_columns(int rows, const Product<T>& p, int64_t column, int tail) {
  const int64_t row = kRow > 0 ? kRow : p.row;
  for (int r = 0; r < rows; r += R) {
    product_rows_of<kStart, C, kTail, kRow, kStep, R>(
        std::min(R, rows - r), p, p.a + r * row, column, p.out + r * p.ldo,
        p.factors == nullptr ? nullptr : p.factors + r, tail);
  }
}

template <Start kStart, int R, int C, int kRow, int kStep, class T>
HWY_INLINE void product_vectors(int count, int rows, const Product<T>& p, int64_t column) {
  if constexpr (C > 1) {
    if (count < C) return product_vectors<kStart, R, C - 1, kRow, kStep>(count, rows, p, column);
  }
  product_columns<kStart, R, C, false, kRow, kStep>(rows, p, column, 0);
}

/// All `rows` rows and columns. kRow, kStep > 0: the strides of a, known when compiling.
template <Start kStart, int kRow, int kStep, class T>
HWY_INLINE void product(int rows, const Product<T>& p) {
  constexpr int kN = kLanes<T>;
  constexpr int R = kRow == 1 ? kLaneRows : kRows, C = kRow == 1 ? kLaneCols : kCols;
  int64_t c = 0;
  for (int64_t left = p.columns / kN; left > 0;) {
    // The last two stripes are of equal width: few vectors leave too few sums to hide the latency
    // of an FMA, and load more for each.
    const auto count =
        static_cast<int>(left > C && left < 2 * C ? (left + 1) / 2 : std::min<int64_t>(C, left));
    product_vectors<kStart, R, C, kRow, kStep>(count, rows, p, c);
    c += count * kN;
    left -= count;
  }
  if (c < p.columns) {
    product_columns<kStart, R, 1, true, kRow, kStep>(rows, p, c, static_cast<int>(p.columns - c));
  }
}

/// Heads so narrow that rows of V (or K) would leave half of a vector empty: what is summed over
/// keys then lies turned, columns along rows and queries along the lanes, (columns, kQueries).
template <class T>
HWY_INLINE bool narrow(int64_t columns) {
  return columns > 0 && columns <= kLanes<T> / 2;
}

template <int C, class T>
HWY_INLINE void add_turned_columns(int keys, const T* HWY_RESTRICT tile, const T* HWY_RESTRICT b,
                                   int64_t ldb, Vec<T> factor, bool started, T* HWY_RESTRICT out) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  Accumulators<T, 2, C> acc;  // of even and odd keys: one would wait for its own additions
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    acc.v[0][c] = started ? hn::Mul(factor, hn::Load(d, out + c * kQueries<T>)) : hn::Zero(d);
    acc.v[1][c] = hn::Zero(d);
  }
  int j = 0;
  for (; j + 2 <= keys; j += 2, tile += 2 * kN, b += 2 * ldb) {
    const auto even = hn::Load(d, tile), odd = hn::Load(d, tile + kN);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      acc.v[0][c] = hn::MulAdd(hn::Set(d, b[c]), even, acc.v[0][c]);
      acc.v[1][c] = hn::MulAdd(hn::Set(d, b[ldb + c]), odd, acc.v[1][c]);
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    if (j < keys) acc.v[0][c] = hn::MulAdd(hn::Set(d, b[c]), hn::Load(d, tile), acc.v[0][c]);
    hn::Store(hn::Add(acc.v[0][c], acc.v[1][c]), d, out + c * kQueries<T>);
  }
}

/// out(c, lane) = factor out + sum_k tile(k, lane) b(k, c), c < columns, which are narrow; where
/// nothing `started`, out holds nothing.
template <class T, int C = kLanes<T> / 2>
HWY_INLINE void add_turned(int columns, int keys, const T* tile, const T* b, int64_t ldb,
                           Vec<T> factor, bool started, T* out) {
  if constexpr (C > 1) {
    if (columns < C) return add_turned<T, C - 1>(columns, keys, tile, b, ldb, factor, started, out);
  }
  if constexpr (C > 0) add_turned_columns<C>(keys, tile, b, ldb, factor, started, out);
}

/// to(lane, c) = factor from(c, lane) of the first `rows` lanes.
template <class T>
HWY_INLINE void turn_back(int columns, int rows, const T* HWY_RESTRICT from, Vec<T> factor,
                          T* HWY_RESTRICT to, int64_t row) {
  constexpr int kN = kLanes<T>;
  const Tag<T> d;
  HWY_ALIGN T buffer[kN * kN];
  for (int c = 0; c < columns; ++c)
    hn::Store(hn::Mul(factor, hn::Load(d, from + c * kQueries<T>)), d, buffer + c * kN);
  pack_transposed(buffer, kN, columns, rows, T(1), to, row, columns);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_TILE_PRODUCTS_INL_H_
