#include "apps/common/signals.h"

#include <unistd.h>
#include <csignal>
#include <cstring>

namespace attn::app {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free,
              "a signal handler may touch lock-free atomics only");

extern "C" void on_stop_signal(int /*signal*/) {
  if (stop.exchange(true)) _exit(130);
  static constexpr char kText[] = "\nstopping after the work in hand; once more to stop at once\n";
  if (write(STDERR_FILENO, kText, sizeof kText - 1) < 0) return;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

const std::atomic<bool>& stop_flag() {
  return stop;
}

}  // namespace attn::app
