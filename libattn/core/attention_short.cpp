#include "libattn/core/attention_short.h"

#include <algorithm>

namespace attn::core {

template <class T>
bool is_short(const AttentionInput<T>& in) {
  if (in.bias.data != nullptr || in.key_mask != nullptr || in.softcap != 0 ||
      in.slope.data != nullptr || in.sink.data != nullptr || in.dropout > 0 || in.key_block > 0)
    return false;
  for (int64_t b = 0; b < in.batch; ++b) {
    if (keys_of(in, b) > kShortKeys || queries_of(in, b) > kShortKeys) return false;
  }
  return true;
}

template <class T>
std::vector<ShortGroup> short_groups(const AttentionInput<T>& in, int64_t lanes) {
  std::vector<ShortGroup> groups;
  for (int64_t b = 0; b < in.batch; ++b) {
    const int64_t queries = queries_of(in, b), keys = keys_of(in, b);
    if (in.q_offsets != nullptr && !groups.empty()) {
      ShortGroup& g = groups.back();
      if (g.queries + queries <= lanes && g.keys + keys <= kShortKeys) {
        g.last = b + 1, g.queries += queries, g.keys += keys;
        continue;
      }
    }
    groups.push_back({b, b + 1, queries, keys});
  }
  return groups;
}

template <class T>
Head<T> head_of_group(const AttentionInput<T>& in, const ShortGroup& group, int64_t head) {
  Head<T> h = head_of(in, group.first, head);
  h.nq = group.queries, h.nk = group.keys;
  return h;
}

template <class T>
void query_sight(const AttentionInput<T>& in, const ShortGroup& group, T* low, T* high) {
  int64_t key0 = 0;
  for (int64_t b = group.first; b < group.last; ++b) {
    const Head<T> h = head_of(in, b, 0);
    for (int64_t i = 0; i < h.nq; ++i, ++low, ++high) {
      *low = static_cast<T>(key0 + h.key_begin(i));
      *high = static_cast<T>(key0 + h.key_end(i));
    }
    key0 += h.nk;
  }
}

template <class T>
void key_sight(const ShortGroup& group, const T* low, const T* high, T* first, T* last) {
  int64_t
      from = 0,
      to = 0;  // the first query that sees key j or later ones, the first that sees later ones only
  for (int64_t j = 0; j < group.keys; ++j) {
    while (from < group.queries && high[from] <= static_cast<T>(j)) ++from;
    while (to < group.queries && low[to] <= static_cast<T>(j)) ++to;
    first[j] = static_cast<T>(from), last[j] = static_cast<T>(std::max(from, to));
  }
}

template bool is_short(const AttentionInput<float>&);
template bool is_short(const AttentionInput<double>&);
template std::vector<ShortGroup> short_groups(const AttentionInput<float>&, int64_t);
template std::vector<ShortGroup> short_groups(const AttentionInput<double>&, int64_t);
template Head<float> head_of_group(const AttentionInput<float>&, const ShortGroup&, int64_t);
template Head<double> head_of_group(const AttentionInput<double>&, const ShortGroup&, int64_t);
template void query_sight(const AttentionInput<float>&, const ShortGroup&, float*, float*);
template void query_sight(const AttentionInput<double>&, const ShortGroup&, double*, double*);
template void key_sight(const ShortGroup&, const float*, const float*, float*, float*);
template void key_sight(const ShortGroup&, const double*, const double*, double*, double*);

}  // namespace attn::core
