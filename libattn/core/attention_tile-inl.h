// Per-target: what forward and backward share, a block of queries against a block of keys. Included
// once per target.
#if defined(ATTN_ATTENTION_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ATTENTION_TILE_INL_H_
#undef ATTN_ATTENTION_TILE_INL_H_
#else
#define ATTN_ATTENTION_TILE_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <limits>

#include "attn/core.h"
#include "hwy/highway.h"
#include "libattn/core/tile_products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// A block of queries of one head: rows [first, first + rows), `panels` of `lanes` (the last may be
/// part empty).
struct QueryBlock {
  int64_t batch = 0, head = 0, first = 0;
  int rows = 0, panels = 0;
};

/// Per panel, within a block of keys: the first `plain` keys are seen by every query of the panel,
/// from `seen` on by none. `seen` is a multiple of kRows or all keys; both rise with the panel.
struct Visible {
  int plain[kPanels];
  int seen[kPanels];
};

/// One more than the last key that query i may see.
template <class T>
HWY_INLINE int64_t key_end(const AttentionInput<T>& in, int64_t i) {
  if (in.causal == Causal::none) return in.nk;
  const int64_t offset = in.causal == Causal::bottom_right ? in.nk - in.nq : 0;
  return std::clamp<int64_t>(i + offset + 1, 0, in.nk);
}

template <class T>
HWY_INLINE Visible visible_keys(const AttentionInput<T>& in, const QueryBlock& block, int64_t key0,
                                int keys) {
  Visible v{};
  for (int p = 0; p < block.panels; ++p) {
    const int64_t first = block.first + p * kLanes<T>;
    const int64_t last = std::min(first + kLanes<T>, block.first + block.rows) - 1;
    v.plain[p] = static_cast<int>(std::clamp<int64_t>(key_end(in, first) - key0, 0, keys));
    const int64_t seen = std::clamp<int64_t>(key_end(in, last) - key0, 0, keys);
    v.seen[p] = static_cast<int>(std::min<int64_t>((seen + kRows - 1) / kRows * kRows, keys));
  }
  return v;
}

/// Adds the bias to a tile: transposed on the way, any strides.
template <class T>
HWY_INLINE void add_bias(const AttentionInput<T>& in, const QueryBlock& block, int64_t key0,
                         const Visible& visible, T* tile, int64_t panel) {
  const T* bias = in.bias.data + block.batch * in.bias.batch + block.head * in.bias.head +
                  key0 * in.bias.column;
  for (int p = 0; p < block.panels; ++p) {
    const int rows = std::min(kLanes<T>, block.rows - p * kLanes<T>);
    T* s = tile + p * panel;
    const T* first = bias + (block.first + p * kLanes<T>)*in.bias.row;
    for (int j = 0; j < visible.seen[p]; ++j) {
      for (int r = 0; r < rows; ++r)
        s[j * kLanes<T> + r] += first[r * in.bias.row + j * in.bias.column];
    }
  }
}

/// Puts -inf where the key mask or causality hides a key.
template <class T>
HWY_INLINE void hide_keys(const AttentionInput<T>& in, const QueryBlock& block, int64_t key0,
                          const Visible& visible, T* tile, int64_t panel) {
  constexpr T kHidden = -std::numeric_limits<T>::infinity();
  const Tag<T> d;
  for (int p = 0; p < block.panels; ++p) {
    T* s = tile + p * panel;
    if (in.key_mask != nullptr) {
      const uint8_t* mask =
          in.key_mask + block.batch * in.key_mask_batch + key0 * in.key_mask_column;
      for (int j = 0; j < visible.seen[p]; ++j) {
        if (mask[j * in.key_mask_column] == 0) hn::Store(hn::Set(d, kHidden), d, s + j * kLanes<T>);
      }
    }
    if (visible.plain[p] == visible.seen[p]) continue;
    // Query first + lane sees key j when j < end + lane, by steps of one within the panel.
    const int64_t offset = in.causal == Causal::bottom_right ? in.nk - in.nq : 0;
    const int64_t end = block.first + p * kLanes<T> + offset + 1 - key0;
    const auto lane = hn::Iota(d, T(0));
    for (int j = visible.plain[p]; j < visible.seen[p]; ++j) {
      const auto hidden = hn::Lt(lane, hn::Set(d, static_cast<T>(j - end + 1)));
      const auto old = hn::Load(d, s + j * kLanes<T>);
      hn::Store(hn::IfThenElse(hidden, hn::Set(d, kHidden), old), d, s + j * kLanes<T>);
    }
  }
}

/// Scores of a block with bias and masks applied. True when `maxima` (of the raw products) still
/// hold.
template <class T>
HWY_INLINE bool finished_scores(const AttentionInput<T>& in, const QueryBlock& block, int64_t key0,
                                int keys, const Visible& visible, const T* qt, T* tile,
                                int64_t panel, T* maxima) {
  const T* k = in.k.data + block.batch * in.k.batch + block.head * in.k.head + key0 * in.k.row;
  score_tile(keys, block.panels, visible.seen, in.d, k, in.k.row, qt, tile, panel, maxima);
  bool ragged = false;
  for (int p = 0; p < block.panels; ++p) ragged |= visible.plain[p] != visible.seen[p];
  if (in.bias.data != nullptr) add_bias(in, block, key0, visible, tile, panel);
  if (ragged || in.key_mask != nullptr) hide_keys(in, block, key0, visible, tile, panel);
  return !ragged && in.bias.data == nullptr && in.key_mask == nullptr;
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ATTENTION_TILE_INL_H_
