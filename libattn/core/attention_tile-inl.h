// Per-target: what all passes share, the scores of a block of queries against a block of keys.
// Included once per target.
#if defined(ATTN_ATTENTION_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ATTENTION_TILE_INL_H_
#undef ATTN_ATTENTION_TILE_INL_H_
#else
#define ATTN_ATTENTION_TILE_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <limits>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "libattn/core/attention_head.h"
#include "libattn/core/tile_products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// A block of queries of one head: rows [first, first + rows), `panels` of `lanes` (the last may be
/// part empty).
struct QueryBlock {
  int64_t first = 0;
  int rows = 0, panels = 0;

  template <class T>
  int rows_in(int panel) const {
    return std::min(kLanes<T>, rows - panel * kLanes<T>);
  }
};

/// Block i of the `blocks` that queries [first, last) are cut into, of nearly equal size.
template <class T>
HWY_INLINE QueryBlock query_block(int64_t first, int64_t last, int64_t i, int64_t blocks) {
  constexpr int kN = kLanes<T>;
  const int64_t panels = (last - first + kN - 1) / kN;
  const int64_t from = i * panels / blocks, to = (i + 1) * panels / blocks;
  QueryBlock block;
  block.first = first + from * kN;
  block.panels = static_cast<int>(to - from);
  block.rows = static_cast<int>(std::min(first + to * kN, last) - block.first);
  return block;
}

/// How many blocks that many queries are cut into.
template <class T>
HWY_INLINE int64_t query_blocks(int64_t queries) {
  const int64_t panels = (queries + kLanes<T> - 1) / kLanes<T>;
  return (panels + kPanels - 1) / kPanels;
}

/// The most blocks of queries that go through the keys together: each block of keys and values then
/// comes from memory once for all of them.
inline constexpr int64_t kTogether = 8;

/// How many do for sequence `batch`, where one needs `room` bytes: one where keys and values of a
/// head stay in a core's own cache anyway, no more than leave room in it, and none at the cost of
/// tasks for the threads of a large machine. Depends on the shape only. One AVX2 core, GFLOP/s
/// forward and backward at (1,1,16384,64): alone 55, 42; four together 67, 62; eight, for which
/// backward has no room here, 72.
template <class T>
HWY_INLINE int64_t blocks_together(const AttentionInput<T>& in, int64_t batch, size_t room) {
  const int64_t bytes = keys_of(in, batch) * (in.d + in.dv) * static_cast<int64_t>(sizeof(T));
  if (bytes < (int64_t{1} << 18)) return 1;
  const int64_t tasks = in.batch * in.heads * query_blocks<T>(queries_of(in, batch));
  const auto most = static_cast<int64_t>((size_t{1} << 18) / room);
  return std::clamp<int64_t>(std::min(tasks / 64, most), 1, kTogether);
}

/// Calls step(i, key0, keys) for each of the `count` blocks of queries and every block of keys that
/// one of its queries sees: all blocks of queries go through the keys together.
template <class T, class Step>
HWY_INLINE void walk_keys(const Head<T>& head, const QueryBlock* blocks, size_t count,
                          int key_block, const Step& step) {
  const auto end_of = [&](const QueryBlock& b) { return head.key_end(b.first + b.rows - 1); };
  const int64_t end = end_of(blocks[count - 1]);
  for (int64_t key0 = head.key_begin(blocks[0].first); key0 < end; key0 += key_block) {
    for (size_t i = 0; i < count; ++i) {
      const int64_t block_end = end_of(blocks[i]);
      if (key0 >= block_end || key0 + key_block <= head.key_begin(blocks[i].first)) continue;
      step(i, key0, static_cast<int>(std::min<int64_t>(key_block, block_end - key0)));
    }
  }
}

/// Rows of scratch hold whole vectors.
template <class T>
HWY_INLINE int64_t padded_columns(int64_t columns) {
  return (columns + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// Per panel, within a block of keys: the first `left` keys are hidden from some query of the panel
/// by the window, from `plain` on keys are hidden from some by causality (or the window's other
/// side), from `seen` on from all. `seen` is a multiple of kRows or all keys; all rise with the
/// panel.
struct Visible {
  int left[kPanels];
  int plain[kPanels];
  int seen[kPanels];
  bool ragged = false;  // any panel has hidden keys below `seen`
};

template <class T>
HWY_INLINE Visible visible_keys(const Head<T>& head, const QueryBlock& block, int64_t key0,
                                int keys) {
  Visible v{};
  for (int p = 0; p < block.panels; ++p) {
    const int64_t first = block.first + p * kLanes<T>, last = first + block.rows_in<T>(p) - 1;
    const auto within = [&](int64_t key) {
      return static_cast<int>(std::clamp<int64_t>(key - key0, 0, keys));
    };
    v.left[p] = within(head.key_begin(last));
    v.plain[p] = within(head.key_end(first));
    v.seen[p] = std::min((within(head.key_end(last)) + kRows - 1) / kRows * kRows, keys);
    v.ragged |= v.left[p] > 0 || v.plain[p] != v.seen[p];
  }
  return v;
}

/// Panel: s -> c tanh(s / c), and the slope of that, 1 - tanh^2, where it is wanted.
template <class T>
HWY_NOINLINE void cap_scores(T softcap, int keys, T* HWY_RESTRICT s, T* HWY_RESTRICT cap_slope) {
  const Tag<T> d;
  const auto c = hn::Set(d, softcap), inverse = hn::Set(d, T(1) / softcap);
  for (int j = 0; j < keys; ++j) {
    const auto th = hn::Tanh(d, hn::Mul(hn::Load(d, s + j * kLanes<T>), inverse));
    hn::Store(hn::Mul(c, th), d, s + j * kLanes<T>);
    if (cap_slope != nullptr)
      hn::Store(hn::NegMulAdd(th, th, hn::Set(d, T(1))), d, cap_slope + j * kLanes<T>);
  }
}

/// |i + diagonal - j| of the queries of panel p and the first key of a block, signed; the next key
/// is one less.
template <class T>
HWY_INLINE Vec<T> distances(const Head<T>& head, const QueryBlock& block, int64_t key0, int p) {
  const int64_t first = block.first + p * kLanes<T> + head.diagonal - key0;
  return hn::Iota(Tag<T>(), static_cast<T>(first));
}

/// Panel: s -= slope |i + diagonal - j|.
template <class T>
HWY_NOINLINE void add_distances(const Head<T>& head, const QueryBlock& block, int64_t key0, int p,
                                int keys, T* HWY_RESTRICT s) {
  const Tag<T> d;
  const auto slope = hn::Set(d, head.slope);
  const auto first = distances(head, block, key0, p);
  for (int j = 0; j < keys; ++j) {
    const auto distance = hn::Abs(hn::Sub(first, hn::Set(d, static_cast<T>(j))));
    hn::Store(hn::NegMulAdd(slope, distance, hn::Load(d, s + j * kLanes<T>)), d, s + j * kLanes<T>);
  }
}

/// Panel: adds the bias, transposed on the way, any strides.
template <class T>
HWY_INLINE void add_bias(const Head<T>& head, const QueryBlock& block, int64_t key0, int p,
                         int keys, T* HWY_RESTRICT s) {
  const int rows = block.rows_in<T>(p);
  const T* bias =
      head.bias.data + (block.first + p * kLanes<T>)*head.bias.row + key0 * head.bias_column;
  for (int j = 0; j < keys; ++j, bias += head.bias_column) {
    for (int r = 0; r < rows; ++r) s[j * kLanes<T> + r] += bias[r * head.bias.row];
  }
}

/// Panel: -inf where the key mask, causality or the window hides a key.
template <class T>
HWY_INLINE void hide_keys(const Head<T>& head, const QueryBlock& block, int64_t key0, int p,
                          const Visible& visible, T* HWY_RESTRICT s) {
  const Tag<T> d;
  const auto hidden = hn::Set(d, -std::numeric_limits<T>::infinity());
  if (head.mask != nullptr) {
    const uint8_t* mask = head.mask + key0 * head.mask_column;
    for (int j = 0; j < visible.seen[p]; ++j) {
      if (mask[j * head.mask_column] == 0) hn::Store(hidden, d, s + j * kLanes<T>);
    }
  }
  // The lane of the query on whose diagonal the block's first key lies, plus j, is that of key j.
  const int64_t lane0 = key0 - block.first - p * kLanes<T> - head.diagonal;
  const auto lane = hn::Iota(d, T(0));
  for (int j = visible.plain[p]; j < visible.seen[p]; ++j) {
    const auto hide = hn::Lt(lane, hn::Set(d, static_cast<T>(lane0 + j - head.right)));
    hn::Store(hn::IfThenElse(hide, hidden, hn::Load(d, s + j * kLanes<T>)), d, s + j * kLanes<T>);
  }
  const int left = std::min(visible.left[p], visible.seen[p]);
  for (int j = 0; j < left; ++j) {
    const auto hide = hn::Gt(lane, hn::Set(d, static_cast<T>(lane0 + j + head.left)));
    hn::Store(hn::IfThenElse(hide, hidden, hn::Load(d, s + j * kLanes<T>)), d, s + j * kLanes<T>);
  }
}

/// LSE in two parts of each query of a block; rows without keys and padding get an LSE so high that
/// every p is 0.
template <class T>
HWY_INLINE void load_lse(const QueryBlock& block, const Rows<const T>& lse,
                         const Rows<const T>& tail, T* to_lse, T* to_tail) {
  for (int r = 0; r < block.panels * kLanes<T>; ++r) {
    const int64_t i = block.first + r;
    const bool alive =
        r < block.rows && lse.data[i * lse.row] != -std::numeric_limits<T>::infinity();
    to_lse[r] = alive ? lse.data[i * lse.row] : std::numeric_limits<T>::max();
    to_tail[r] = alive ? tail.data[i * tail.row] : T(0);
  }
}

/// Scores of a block, finished. `qt`: the queries times scale, transposed. `cap_slope`: a tile for
/// the slope of the soft cap, or null. True when `maxima` (of the raw products) still hold.
template <class T>
HWY_INLINE bool finished_scores(const Head<T>& head, const QueryBlock& block, int64_t key0,
                                int keys, const Visible& visible, const T* qt, T* tile,
                                int64_t panel, T* maxima, T* cap_slope) {
  score_tile(keys, block.panels, visible.seen, head.d, head.k.data + key0 * head.k.row, head.k.row,
             qt, tile, panel, maxima);
  const bool plain = head.softcap == 0 && !head.has_slope && head.bias.data == nullptr;
  const bool all_seen = !visible.ragged && head.mask == nullptr;
  if (plain && all_seen) return true;
  for (int p = 0; p < block.panels; ++p) {
    T* s = tile + p * panel;
    const int seen = visible.seen[p];
    if (head.softcap != 0)
      cap_scores(head.softcap, seen, s, cap_slope == nullptr ? nullptr : cap_slope + p * panel);
    if (head.has_slope) add_distances(head, block, key0, p, seen, s);
    if (head.bias.data != nullptr) add_bias(head, block, key0, p, seen, s);
    if (!all_seen) hide_keys(head, block, key0, p, visible, s);
  }
  return false;
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ATTENTION_TILE_INL_H_
