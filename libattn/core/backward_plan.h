// How the backward pass is cut into tasks that never write to the same place.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "libattn/core/attention_head.h"
#include "libattn/core/parallel.h"

namespace attn::core {

/// Queries [first, last) of a query head, one piece of a unit.
struct BackwardPiece {
  int64_t head = 0, first = 0, last = 0;
};

/// Number `chunk` of the parts that the queries of a key head are cut into: those of all query
/// heads of its group, one after another.
struct BackwardUnit {
  int64_t batch = 0, kv_head = 0, chunk = 0;
  std::vector<BackwardPiece> pieces;
};

/// A unit owns its rows of dQ and a dK, dV of its own: the caller's where a key head is one chunk,
/// otherwise a partial sum that `merge` adds up in order. Units that add to the same part of dbias
/// go one after another in one task. Depends on the problem only, never on the threads, so that the
/// result does not either.
template <class T>
class BackwardPlan {
 public:
  BackwardPlan(const AttentionInput<T>& in, const AttentionGradient<T>& gradient);

  int64_t tasks() const { return static_cast<int64_t>(tasks_.size()); }
  /// Longest first.
  const std::vector<BackwardUnit>& units(int64_t task) const {
    return tasks_[static_cast<size_t>(task)];
  }
  Rows<T> key_gradient(const BackwardUnit& unit) const;
  Rows<T> value_gradient(const BackwardUnit& unit) const;
  /// Where a unit leaves what one of its query heads adds to dslope and dsink.
  double& slope_gradient(const BackwardUnit& unit, int64_t head) const;
  double& sink_gradient(const BackwardUnit& unit, int64_t head) const;
  /// Writes dK, dV, dslope and dsink from their parts.
  void merge(const Parallel& parallel) const;

 private:
  struct Sequence {
    int64_t chunks = 1;      // of each key head
    int64_t first_part = 0;  // rows of the parts of dK and dV before those of this sequence
  };

  std::vector<BackwardPiece> pieces_of(int64_t batch, int64_t kv_head, int64_t chunk) const;
  void plan_tasks();
  int64_t part_row(const BackwardUnit& unit) const;
  size_t scalar_index(int64_t batch, int64_t head, int64_t chunk) const;
  void merge_keys(const View<T>& whole, const T* parts, int64_t columns, int64_t batch,
                  int64_t kv_head, int64_t first, int64_t last) const;
  void merge_scalars(const HeadView<T>& whole, const std::vector<double>& parts) const;

  const AttentionInput<T>& in_;
  const AttentionGradient<T>& gradient_;
  int64_t kv_heads_ = 0, group_ = 1;
  int64_t most_chunks_ = 1;
  std::vector<Sequence> sequences_;
  std::vector<std::vector<BackwardUnit>> tasks_;
  std::unique_ptr<T[]> dk_parts_, dv_parts_;
  mutable std::vector<double> dslope_parts_, dsink_parts_;  // (B, H, most chunks)
};

}  // namespace attn::core
