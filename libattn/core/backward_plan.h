// How the backward pass is cut into tasks that never write to the same place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "attn/core.h"
#include "libattn/core/parallel.h"

namespace attn::core {

/// Queries [first, last) of one head: number `chunk` of its chunks.
struct BackwardUnit {
  int64_t batch = 0, head = 0, chunk = 0, first = 0, last = 0;
};

/// A unit owns its rows of dQ and a dK, dV of its own: the caller's where a head is one chunk,
/// otherwise a partial sum that `merge` adds up in order. Units that add to the same part of dbias
/// go one after another in one task. Depends on the problem only, never on the threads, so that the
/// result does not either.
template <class T>
class BackwardPlan {
 public:
  BackwardPlan(const AttentionInput<T>& in, const AttentionGradient<T>& gradient);

  int64_t tasks() const;
  std::vector<BackwardUnit> units(int64_t task) const;
  View<T> key_gradient(const BackwardUnit& unit) const;
  View<T> value_gradient(const BackwardUnit& unit) const;
  /// Writes dK and dV where they were kept in parts.
  void merge(const Parallel& parallel) const;

 private:
  View<T> part(const View<T>& whole, T* parts, int64_t columns, const BackwardUnit& unit) const;
  void merge_head(const View<T>& whole, const T* parts, int64_t columns, int64_t head,
                  int64_t first, int64_t last) const;

  const AttentionInput<T>& in_;
  const AttentionGradient<T>& gradient_;
  int64_t chunks_ = 1, batch_groups_ = 0, head_groups_ = 0;
  std::unique_ptr<T[]> dk_parts_, dv_parts_;
};

}  // namespace attn::core
