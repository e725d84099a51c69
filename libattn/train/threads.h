// How many threads LibTorch's kernels may use, for the length of a scope.
#pragma once

namespace attn::train {

/// Sets at::set_num_threads(n) and puts the old number back at its end. Work too small for two
/// threads runs many times faster on one, above all on a busy machine, where the barrier of every
/// small kernel waits for a thread that does not run.
class ThreadLimit {
 public:
  explicit ThreadLimit(int n);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

}  // namespace attn::train
