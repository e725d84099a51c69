// One head of one sequence, as the kernels see it: batches, groups and packing are resolved here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "attn/core.h"

namespace attn::core {

/// A row-strided array of one head; null data: absent.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t row = 0;
};

/// Inputs of a head. Query i sees keys [key_begin(i), key_end(i)) that the mask does not hide.
template <class T>
struct Head {
  int64_t batch = 0, head = 0, kv_head = 0;
  int64_t nq = 0, nk = 0, d = 0, dv = 0;
  int64_t query0 = 0, key0 = 0;               // rows of packed sequences before this one
  int64_t diagonal = 0, left = 0, right = 0;  // of the window; left, right may be kUnlimited
  T scale = 1, softcap = 0, slope = 0, sink = 0;
  bool has_slope = false, has_sink = false, has_dropout = false;
  Rows<const T> q, k, v, bias;
  int64_t bias_column = 0;
  const uint8_t* mask = nullptr;
  int64_t mask_column = 0;

  static constexpr int64_t kUnlimited = int64_t{1} << 60;

  int64_t key_begin(int64_t i) const { return std::clamp<int64_t>(i + diagonal - left, 0, nk); }
  int64_t key_end(int64_t i) const { return std::clamp<int64_t>(i + diagonal + right + 1, 0, nk); }
  /// Queries [first, last) that may see a key of [from, to).
  int64_t query_begin(int64_t from) const {
    return std::clamp<int64_t>(from - diagonal - right, 0, nq);
  }
  int64_t query_end(int64_t to) const { return std::clamp<int64_t>(to - diagonal + left, 0, nq); }
};

/// How many heads keys and values have.
template <class T>
int64_t kv_heads(const AttentionInput<T>& in) {
  return in.kv_heads > 0 ? in.kv_heads : in.heads;
}

/// Queries and keys of sequence `batch`.
template <class T>
int64_t queries_of(const AttentionInput<T>& in, int64_t batch) {
  return in.q_offsets == nullptr ? in.nq : in.q_offsets[batch + 1] - in.q_offsets[batch];
}
template <class T>
int64_t keys_of(const AttentionInput<T>& in, int64_t batch) {
  return in.k_offsets == nullptr ? in.nk : in.k_offsets[batch + 1] - in.k_offsets[batch];
}

template <class T>
Head<T> head_of(const AttentionInput<T>& in, int64_t batch, int64_t head);

/// The rows of a view that belong to sequence `batch`, whose packed rows begin at `row0`.
template <class T, class U>
Rows<U> rows_of(const AttentionInput<T>& in, const View<U>& view, int64_t batch, int64_t head,
                int64_t row0) {
  if (view.data == nullptr) return {};
  const int64_t of_batch = in.q_offsets == nullptr ? batch * view.batch : row0 * view.row;
  return {view.data + of_batch + head * view.head, view.row};
}

/// Which tasks belong to which sequence, where sequence b has counts[b] of them.
class TaskTable {
 public:
  explicit TaskTable(const std::vector<int64_t>& counts) : first_(counts.size() + 1) {
    for (size_t b = 0; b < counts.size(); ++b) first_[b + 1] = first_[b] + counts[b];
  }
  int64_t tasks() const { return first_.back(); }
  /// The sequence of a task, and the task's number within it.
  std::pair<int64_t, int64_t> locate(int64_t task) const {
    const auto next = std::upper_bound(first_.begin(), first_.end(), task);
    const int64_t b = next - first_.begin() - 1;
    return {b, task - first_[static_cast<size_t>(b)]};
  }

 private:
  std::vector<int64_t> first_;
};

}  // namespace attn::core
