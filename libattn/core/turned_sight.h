// Which keys each token of a turned sequence sees.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace attn::core {

/// Of a vector of queries: keys [first, last) are seen by some, [all_first, all_last), within, by
/// all.
struct SightSpan {
  int64_t first = 0, all_first = 0, all_last = 0, last = 0;
};

/// Token t sees keys low[t] ... high[t] - 1. `low` and `high` hold whole vectors, equal numbers
/// behind the last token.
template <class T>
struct TurnedSight {
  const T *low = nullptr, *high = nullptr;
  std::vector<SightSpan> spans;  ///< of each vector of queries

  int64_t most() const {
    int64_t keys = 1;
    for (const SightSpan& s : spans) keys = std::max(keys, s.last - s.first);
    return keys;
  }
};

/// `tokens` in vectors of `lanes`.
template <class T>
TurnedSight<T> sight_of(const T* low, const T* high, int64_t tokens, int64_t lanes) {
  TurnedSight<T> sight{low, high, {}};
  for (int64_t t = 0; t < tokens; t += lanes) {
    const int64_t end = std::min(t + lanes, tokens);
    T first = high[t], last = low[t], all_first = low[t], all_last = high[t];
    for (int64_t i = t; i < end; ++i) {
      if (low[i] < high[i]) first = std::min(first, low[i]), last = std::max(last, high[i]);
      all_first = std::max(all_first, low[i]);
      all_last = std::min(all_last, high[i]);
    }
    SightSpan span;
    span.first = static_cast<int64_t>(first);
    span.last = std::max(span.first, static_cast<int64_t>(last));
    span.all_first = std::clamp(static_cast<int64_t>(all_first), span.first, span.last);
    span.all_last = std::clamp(static_cast<int64_t>(all_last), span.all_first, span.last);
    sight.spans.push_back(span);
  }
  return sight;
}

}  // namespace attn::core
