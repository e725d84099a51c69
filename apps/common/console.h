// What a program says on stderr: log lines, progress, errors.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace attn::app {

enum class Verbosity { quiet, normal, verbose };

/// Call once before anything is logged. Quiet keeps errors only; verbose adds debug lines and
/// times. Whatever is logged is one line: control characters, and bytes that are not UTF-8, in the
/// names it holds are shown as \xNN.
void start_log(Verbosity verbosity);
void log_debug(std::string_view text);
void log_info(std::string_view text);
void log_warning(std::string_view text);
/// The one `error: ` line; shown whatever the verbosity.
void log_error(std::string_view text);

/// Progress of a long job on stderr. On a terminal: one line redrawn in place, from one second
/// after the start, with rate and time left. Elsewhere: one plain line every 30 seconds. Quiet:
/// nothing.
class Progress {
 public:
  explicit Progress(Verbosity verbosity);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shown before the inner job's progress: "slide 3/40 ".
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  /// `done` of `total` units of `what`; total 0 when unknown.
  void update(std::string_view what, int64_t done, int64_t total);
  /// Takes the line off the terminal.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(std::string_view what, int64_t done, int64_t total, double seconds) const;

  Verbosity verbosity_;
  bool terminal_;
  std::string prefix_;
  std::string what_;
  int64_t first_done_ = 0;
  int64_t last_done_ = 0;
  Clock::time_point program_start_ = Clock::now();
  Clock::time_point job_start_ = Clock::now();
  Clock::time_point last_shown_ = Clock::now();
};

/// "0.4 s", "12 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);

}  // namespace attn::app
