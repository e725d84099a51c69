// Per-target: attention of many short sequences with narrow heads. Queries lie along the SIMD
// lanes, those of neighbouring sequences beside each other; keys and values are read where they
// are. Included once per target.
#if defined(ATTN_ATTENTION_SHORT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ATTENTION_SHORT_INL_H_
#undef ATTN_ATTENTION_SHORT_INL_H_
#else
#define ATTN_ATTENTION_SHORT_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "libattn/core/attention_head.h"
#include "libattn/core/attention_short.h"
#include "libattn/core/attention_tile-inl.h"
#include "libattn/core/parallel.h"
#include "libattn/core/turned-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// The widest of narrow heads; 0: vectors are too short for any.
template <class T>
inline constexpr int kNarrowHead = std::min(kTurned, kLanes<T> / 2);

template <class T>
bool takes_short(const AttentionInput<T>& in) {
  return in.d >= 1 && in.dv >= 1 && in.d <= kNarrowHead<T> && in.dv <= kNarrowHead<T> &&
         is_short(in);
}

/// Of which keys or queries each query or key is seen: two numbers of each, whole vectors.
template <class T>
struct SightRoom {
  static size_t size(int64_t count) { return 2 * Scratch::size<T>(padded_columns<T>(count)); }
  SightRoom(int64_t count, Scratch& scratch)
      : first(scratch.take<T>(padded_columns<T>(count))),
        last(scratch.take<T>(padded_columns<T>(count))) {
    std::fill(first + count, first + padded_columns<T>(count), T(0));
    std::fill(last + count, last + padded_columns<T>(count), T(0));
  }
  T *first, *last;
};

/// Rows of a narrow head take that much.
inline constexpr int64_t kShortRow = kTurned;

/// Panel `i` of `count` rows.
template <class T>
HWY_INLINE QueryBlock short_block(int64_t i, int64_t count) {
  QueryBlock block;
  block.first = i * kLanes<T>, block.panels = 1;
  block.rows = static_cast<int>(std::min<int64_t>(kLanes<T>, count - block.first));
  return block;
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ATTENTION_SHORT_INL_H_
