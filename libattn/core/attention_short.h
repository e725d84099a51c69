// Many short sequences: neighbours of a batch that go through the kernels as one.
#pragma once

#include <cstdint>
#include <vector>

#include "attn/core.h"
#include "libattn/core/attention_head.h"

namespace attn::core {

/// Keys of a group at most: a score for each, and a vector of queries, stay in the nearest cache.
inline constexpr int64_t kShortKeys = 512;

/// Sequences [first, last) whose rows lie one after another.
struct ShortGroup {
  int64_t first = 0, last = 0, queries = 0, keys = 0;
};

/// Whether scores are nothing but scale q . k within causality and window, and no sequence has more
/// than kShortKeys keys or queries.
template <class T>
bool is_short(const AttentionInput<T>& in);

/// All sequences in order: packed ones together until they fill `lanes` queries. Depends on the
/// shape only.
template <class T>
std::vector<ShortGroup> short_groups(const AttentionInput<T>& in, int64_t lanes);

/// One head of a group, as of one sequence; its own causality and window do not hold.
template <class T>
Head<T> head_of_group(const AttentionInput<T>& in, const ShortGroup& group, int64_t head);

/// Query i of the group sees keys low[i] ... high[i] - 1 of it. Both never fall.
template <class T>
void query_sight(const AttentionInput<T>& in, const ShortGroup& group, T* low, T* high);

/// Key j is seen by queries first[j] ... last[j] - 1.
template <class T>
void key_sight(const ShortGroup& group, const T* low, const T* high, T* first, T* last);

/// Which heads of which group a task takes: all, where there are groups enough for many threads.
class ShortTasks {
 public:
  ShortTasks(int64_t groups, int64_t heads)
      : heads_(heads),
        each_(groups >= 64 ? heads : 1),
        count_(heads == 0 ? 0 : groups * heads / each_) {}
  int64_t count() const { return count_; }
  int64_t group(int64_t task) const { return task * each_ / heads_; }
  int64_t first_head(int64_t task) const { return task * each_ % heads_; }
  int64_t last_head(int64_t task) const { return first_head(task) + each_; }

 private:
  int64_t heads_, each_, count_;
};

}  // namespace attn::core
