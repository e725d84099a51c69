// How long the rest of a training will take, said once its first epochs are done.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "attn/hooks.h"

namespace attn::app {

/// Hooks that pass everything on and log one line for each job counted in `what`, "at most 25
/// epochs to go, about 3 min", from the pace between the first report of a finished unit and one a
/// second or more later; nothing where less than ten seconds are left. A count that goes back
/// begins another job. Not copied: its hooks point to it.
class TimedHooks {
 public:
  TimedHooks(const Hooks& hooks, std::string what);
  TimedHooks(const TimedHooks&) = delete;
  TimedHooks& operator=(const TimedHooks&) = delete;
  const Hooks& hooks() const { return timed_; }

 private:
  using Clock = std::chrono::steady_clock;
  void look(int64_t done, int64_t total);

  std::string what_;
  Hooks timed_;
  std::optional<Clock::time_point> first_;
  int64_t first_done_ = 0, last_done_ = 0;
  bool said_ = false;
};

}  // namespace attn::app
