#include "libattn/io/hdf5_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

namespace attn::io::h5 {
namespace {

using Clock = std::chrono::steady_clock;

// After the answer. The exit status alone cannot tell that the job came to its end: where SIGCHLD
// is ignored, as a parent program may leave it to us, it is lost.
constexpr char kEnd = '\0';

[[noreturn]] void work_and_exit(int to, unsigned seconds, const std::function<std::string()>& job) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nowhere = ::open("/dev/null", O_WRONLY);
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(nowhere, STDERR_FILENO);
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU})
    std::signal(signal, SIG_DFL);
  // A user's Ctrl-C reaches the child, too; a child that dies of it would pass for a damaged file.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) std::signal(signal, SIG_IGN);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const rlimit computing{seconds, seconds};
  ::setrlimit(RLIMIT_CPU, &computing);
  const std::string answer = job() + kEnd;
  for (std::size_t done = 0; done < answer.size();) {
    const ssize_t put = ::write(to, answer.data() + done, answer.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) ::_exit(1);
    done += static_cast<std::size_t>(put);
  }
  ::_exit(0);
}

/// All that comes before the other end closes; false when `deadline` passes first.
bool read_all(int from, Clock::time_point deadline, std::string& answer) {
  std::array<char, 4096> piece{};
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{from, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::read(from, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return true;
    answer.append(piece.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

std::optional<std::string> in_child(unsigned seconds, const std::function<std::string()>& job) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return job();
  const pid_t child = ::fork();
  if (child == 0) work_and_exit(ends[1], seconds, job);
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return job();
  }
  std::string answer;
  const bool whole =
      read_all(ends[0], Clock::now() + std::chrono::seconds(60 + 10 * seconds), answer);
  ::close(ends[0]);
  if (!whole) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, WNOHANG);  // it may hang in the kernel: it is not waited for
    return {};
  }
  int status = 0;
  pid_t ended = 0;
  while ((ended = ::waitpid(child, &status, 0)) < 0 && errno == EINTR) continue;
  if (ended == child && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) return {};
  if (!answer.ends_with(kEnd)) return {};
  answer.pop_back();
  return answer;
}

}  // namespace attn::io::h5
