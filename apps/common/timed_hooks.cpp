#include "apps/common/timed_hooks.h"

#include <fmt/format.h>

#include "apps/common/console.h"

namespace attn::app {

TimedHooks::TimedHooks(const Hooks& hooks, std::string what)
    : what_(std::move(what)), timed_(hooks) {
  timed_.progress = [this, &hooks](std::string_view unit, int64_t done, int64_t total) {
    hooks.report(unit, done, total);
    if (unit == what_ && done > 0) look(done, total);
  };
}

void TimedHooks::look(int64_t done, int64_t total) {
  if (!first_ || done < last_done_) {
    first_ = Clock::now();
    first_done_ = done;
    said_ = false;
  }
  last_done_ = done;
  const double taken = std::chrono::duration<double>(Clock::now() - *first_).count();
  if (said_ || taken < 1 || done <= first_done_) return;
  said_ = true;
  const double left =
      taken / static_cast<double>(done - first_done_) * static_cast<double>(total - done);
  if (left > 10)
    log_info(
        fmt::format("at most {} {} to go, about {}", total - done, what_, duration_text(left)));
}

}  // namespace attn::app
