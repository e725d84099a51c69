// A peer in a process of its own, which takes turns with ours: one line in, one line of JSON out.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace attn::bench {

class PeerProcess {
 public:
  /// Starts `command`, whose standard error stays ours. Throws std::runtime_error.
  explicit PeerProcess(const std::vector<std::string>& command) : name_(command.front()) {
    std::signal(SIGPIPE, SIG_IGN);  // a peer that ended is told by its answer, which is missing
    std::array<int, 2> to{}, from{};
    if (pipe2(to.data(), O_CLOEXEC) != 0 || pipe2(from.data(), O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe to " + name_);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int error =
        posix_spawnp(&process_, name_.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    in_ = fdopen(from[0], "r");
    out_ = fdopen(to[1], "w");
    if (error == 0) return;
    process_ = -1;
    end();
    throw std::runtime_error("cannot start " + name_);
  }
  ~PeerProcess() { end(); }
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  /// What it says of itself, or next.
  nlohmann::json answer() {
    std::string line;
    for (int c = std::fgetc(in_); c != '\n'; c = std::fgetc(in_)) {
      if (c == EOF) throw std::runtime_error("the peer " + name_ + " ended before its answer");
      line += static_cast<char>(c);
    }
    return nlohmann::json::parse(line);
  }
  /// The one JSON value that it says until its end.
  nlohmann::json whole() {
    std::string text;
    for (int c = std::fgetc(in_); c != EOF; c = std::fgetc(in_)) text += static_cast<char>(c);
    if (text.empty()) throw std::runtime_error("the peer " + name_ + " ended before its answer");
    return nlohmann::json::parse(text);
  }
  nlohmann::json ask(const std::string& line) {
    std::fputs((line + "\n").c_str(), out_);
    std::fflush(out_);
    return answer();
  }

 private:
  void end() {
    std::fclose(out_);  // the peer's end of input, at which it ends
    std::fclose(in_);
    if (process_ > 0) waitpid(process_, nullptr, 0);
  }

  std::string name_;
  pid_t process_ = -1;
  FILE *in_ = nullptr, *out_ = nullptr;
};

/// The Python of --peer, or of `./dev peers`; empty, which is told: none.
inline std::string python_of(const std::string& given) {
  if (given == "none") return {};
  if (!given.empty()) return given;
  std::string path;
  if (FILE* pipe = popen("'" ATTN_SOURCE_DIR "/dev' peers --path 2>/dev/null", "r")) {
    for (int c = std::fgetc(pipe); c != EOF && c != '\n'; c = std::fgetc(pipe))
      path += static_cast<char>(c);
    pclose(pipe);
  }
  if (path.empty())
    std::cerr << "no Python of the peers to compare with: run ./dev peers, or name one by --peer; "
                 "what follows is ours alone\n";
  return path;
}

}  // namespace attn::bench
