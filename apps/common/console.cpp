#include "apps/common/console.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "libattn/io/text.h"

namespace attn::app {
namespace {

bool line_on_screen =
    false;  // a progress line stands on the terminal and must go before anything else is written

void clear_line() {
  if (!line_on_screen) return;
  std::fputs("\r\x1b[K", stderr);
  line_on_screen = false;
}

bool on_terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && (term == nullptr || std::string_view(term) != "dumb");
}

size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

spdlog::logger& logger() {
  static const auto instance = [] {
    const bool plain = std::getenv("NO_COLOR") != nullptr || !on_terminal();
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
        plain ? spdlog::color_mode::never : spdlog::color_mode::automatic);
    auto made = std::make_shared<spdlog::logger>("", std::move(sink));
    made->set_pattern("%v");
    return made;
  }();
  return *instance;
}

// What every sentence goes through: names in it may hold anything, and a terminal obeys what it is
// sent.
std::string harmless(std::string_view text) {
  return io::one_line(text.substr(0, text.find_last_not_of("\n ") + 1), std::string_view::npos);
}

void write(spdlog::level::level_enum level, std::string_view text) {
  clear_line();
  logger().log(level, "{}", harmless(text));
}

}  // namespace

void start_log(Verbosity verbosity) {
  logger().set_level(verbosity == Verbosity::quiet     ? spdlog::level::err
                     : verbosity == Verbosity::verbose ? spdlog::level::debug
                                                       : spdlog::level::info);
  logger().set_pattern(verbosity == Verbosity::verbose ? "%H:%M:%S.%e %v" : "%v");
}

void log_debug(std::string_view text) {
  write(spdlog::level::debug, text);
}
void log_info(std::string_view text) {
  write(spdlog::level::info, text);
}
void log_warning(std::string_view text) {
  write(spdlog::level::warn, fmt::format("warning: {}", text));
}

void log_error(std::string_view text) {
  logger().set_pattern("%^error:%$ %v");
  write(spdlog::level::err, text);
}

Progress::Progress(Verbosity verbosity) : verbosity_(verbosity), terminal_(on_terminal()) {}

void Progress::update(std::string_view what, int64_t done, int64_t total) {
  if (verbosity_ == Verbosity::quiet) return;
  const auto now = Clock::now();
  if (what != what_ || done < last_done_) {
    what_ = what;
    first_done_ = done;
    job_start_ = now;
  }
  last_done_ = done;
  const std::chrono::duration<double> since_start = now - program_start_;
  const std::chrono::duration<double> since_shown = now - last_shown_;
  if (since_start.count() < 1 || since_shown.count() < (terminal_ ? 0.1 : 30)) return;
  last_shown_ = now;
  const std::string text =
      line(what, done, total, std::chrono::duration<double>(now - job_start_).count());
  if (!terminal_) {
    log_info(text);
    return;
  }
  std::fprintf(stderr, "\r\x1b[K%s", text.substr(0, terminal_width() - 1).c_str());
  std::fflush(stderr);
  line_on_screen = true;
}

std::string Progress::line(std::string_view what, int64_t done, int64_t total,
                           double seconds) const {
  std::string out = prefix_;
  if (total > 0) {
    constexpr int kCells = 24;
    const int filled = static_cast<int>(std::clamp<int64_t>(done * kCells / total, 0, kCells));
    if (terminal_)
      out += fmt::format("[{}{}] ", std::string(filled, '#'), std::string(kCells - filled, '.'));
    out += fmt::format("{} of {} {}", done, total, what);
  } else {
    out += fmt::format("{} {}", done, what);
  }
  const int64_t moved = done - first_done_;
  if (moved > 0 && seconds > 0) {
    const double rate = static_cast<double>(moved) / seconds;
    out += rate >= 1 ? fmt::format(", {:.3g}/s", rate) : fmt::format(", {:.3g}/min", rate * 60);
    if (total > done)
      out += ", " + duration_text(static_cast<double>(total - done) / rate) + " left";
  }
  return out;
}

void Progress::finish() {
  clear_line();
}

std::string duration_text(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 6000) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace attn::app
