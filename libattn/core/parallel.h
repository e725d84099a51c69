// How kernels spread independent tasks over threads, and the scratch memory each thread keeps.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "attn/core.h"

namespace attn::core {

/// Calls `job` (workers) times at once, with std::thread when `parallel.run` is empty; rethrows the
/// first exception.
void run_workers(const Parallel& parallel, int workers, const std::function<void(int)>& job);

/// Calls task(0) ... task(tasks - 1), each once; free workers take the next number, so put long
/// tasks first. Tasks must be independent: then the result does not depend on the number of
/// threads.
template <class Task>
void run_tasks(const Parallel& parallel, int64_t tasks, const Task& task) {
  const int workers = static_cast<int>(std::min<int64_t>(std::max(parallel.threads, 1), tasks));
  if (workers <= 1) {
    for (int64_t i = 0; i < tasks; ++i) task(i);
    return;
  }
  std::atomic<int64_t> next{0};
  run_workers(parallel, workers, [&](int) {
    for (int64_t i = next.fetch_add(1); i < tasks; i = next.fetch_add(1)) task(i);
  });
}

/// Scratch memory of the calling thread, kept from call to call while it is small: fresh pages
/// would cost small problems more than the arithmetic. Every piece is aligned to 64 bytes. One user
/// at a time.
class Scratch {
 public:
  /// Makes room for `bytes` in all (as summed with `size`).
  explicit Scratch(size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  static size_t size(int64_t count) {
    return (static_cast<size_t>(count) * sizeof(T) + 127) / 64 * 64;
  }
  template <class T>
  T* take(int64_t count) {
    T* piece = reinterpret_cast<T*>(next_);
    next_ += size<T>(count);
    return piece;
  }

 private:
  std::byte* next_ = nullptr;
};

}  // namespace attn::core
