// How packed bags are cut into chunks and the chunks into tasks: by their sizes only, never by the
// threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace attn::core {

/// The state of an online softmax: m = max s, l = sum e^{s-m}, t = sum e^{s-m}(s-m).
template <class T>
struct PoolState {
  T m = std::numeric_limits<T>::lowest(), l = 0, t = 0;
};

/// Instances [first, last) of one bag.
struct PoolChunk {
  int64_t bag = 0, first = 0, last = 0;
};

/// Every bag in chunks of at most kChunk instances; a task is a run of chunks with at least kTask
/// instances, so that thousands of small bags cost few tasks.
class PoolPlan {
 public:
  PoolPlan(const int64_t* offsets, int64_t bags) {
    first_.reserve(static_cast<size_t>(bags) + 1);
    int64_t in_task = kTask;
    for (int64_t b = 0; b < bags; ++b) {
      first_.push_back(chunks());
      for (int64_t i = offsets[b]; i < offsets[b + 1]; i += kChunk) {
        if (in_task >= kTask) {
          begins_.push_back(chunks());
          in_task = 0;
        }
        chunks_.push_back({b, i, std::min(i + kChunk, offsets[b + 1])});
        in_task += chunks_.back().last - i;
      }
    }
    first_.push_back(chunks());
    begins_.push_back(chunks());
  }

  int64_t chunks() const { return static_cast<int64_t>(chunks_.size()); }
  int64_t tasks() const { return static_cast<int64_t>(begins_.size()) - 1; }
  const PoolChunk& chunk(int64_t c) const { return chunks_[static_cast<size_t>(c)]; }
  /// The first chunk of a bag; of bag `bags`: the number of chunks.
  int64_t first_chunk(int64_t bag) const { return first_[static_cast<size_t>(bag)]; }
  /// The first chunk of a task; of task `tasks()`: the number of chunks.
  int64_t task_begin(int64_t task) const { return begins_[static_cast<size_t>(task)]; }

 private:
  static constexpr int64_t kChunk = 4096, kTask = 2048;
  std::vector<PoolChunk> chunks_;
  std::vector<int64_t> first_, begins_;
};

}  // namespace attn::core
