#include "apps/common/signals.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace attn::app {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free,
              "a signal handler may touch lock-free atomics only");

extern "C" void on_stop_signal(int signal) {
  if (stop.exchange(true)) {
    if (signal == SIGHUP) return;  // a closing terminal sends it more than once
    _exit(130);
  }
  const int interrupted_errno = errno;  // the work's, between a system call and the look at it
  static constexpr char kText[] = "\nstopping after the work in hand; once more to stop at once\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof kText - 1);
  errno = interrupted_errno;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction hang_up;
  const bool ignored =  // by nohup, which is to be honoured
      sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler == SIG_IGN;
  if (!ignored) sigaction(SIGHUP, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large fails to be written, and is told
}

const std::atomic<bool>& stop_flag() {
  return stop;
}

}  // namespace attn::app
