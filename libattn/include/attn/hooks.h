// What a long-running function tells its caller while it works, and what it hears from it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

#include "attn/error.h"

namespace attn {

/// Passed by const reference to every function that may run for more than a second. All members may
/// stay empty. The callbacks are called from the calling thread only.
struct Hooks {
  /// `done` of `total` units of `what` ("tiles", "epochs") are finished; total 0 when unknown.
  std::function<void(std::string_view what, int64_t done, int64_t total)> progress;
  /// One sentence the user should see although the work goes on.
  std::function<void(std::string_view)> warn;
  /// Set by a signal handler: the function saves what can be resumed and throws Interrupted.
  const std::atomic<bool>* stop = nullptr;

  void report(std::string_view what, int64_t done, int64_t total) const {
    if (progress) progress(what, done, total);
  }
  void warning(std::string_view sentence) const {
    if (warn) warn(sentence);
  }
  bool stopping() const { return stop != nullptr && stop->load(std::memory_order_relaxed); }
  /// Throws Interrupted once `stop` is set. Call it where nothing is half-written.
  void check() const {
    if (stopping()) throw Interrupted();
  }
};

}  // namespace attn
