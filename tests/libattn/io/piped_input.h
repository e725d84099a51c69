// Standard input of a test's own: bytes through a pipe.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace attn::test {

/// While it lives, descriptor 0 is the reading end of a pipe that a thread fills with `bytes` in
/// small pieces. Read it to its end.
class PipedInput {
 public:
  explicit PipedInput(std::string bytes) : saved_(::dup(STDIN_FILENO)) {
    int ends[2] = {-1, -1};
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
    writer_ = std::thread([bytes = std::move(bytes), end = ends[1]] {
      for (std::size_t at = 0; at < bytes.size();) {
        const ssize_t put =
            ::write(end, bytes.data() + at, std::min<std::size_t>(777, bytes.size() - at));
        if (put <= 0) break;
        at += static_cast<std::size_t>(put);
      }
      ::close(end);
    });
  }
  ~PipedInput() {
    writer_.join();
    if (saved_ >= 0) {
      ::dup2(saved_, STDIN_FILENO);
      ::close(saved_);
    } else {
      ::close(STDIN_FILENO);
    }
  }
  PipedInput(const PipedInput&) = delete;
  PipedInput& operator=(const PipedInput&) = delete;

 private:
  int saved_;
  std::thread writer_;
};

}  // namespace attn::test
