#include "apps/common/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "apps/common/signals.h"
#include "attn/error.h"

namespace attn::app {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

struct Options {
  std::string how = "well";
};

void declare(Options& options, OptionTable& table) {
  table.add({.name = "how", .target = &options.how, .help = "how it ends"});
}

int end_so(const Options& options, const Context& context) {
  if (options.how == "error") throw Error("slide a.tif is broken");
  if (options.how == "lines")
    throw std::runtime_error("first line\nException raised from somewhere\nframe #0");
  if (options.how == "memory") throw std::bad_alloc();
  if (options.how == "usage") throw UsageError("--how: wrong");
  if (options.how == "interrupted") throw Interrupted();
  if (options.how == "for nothing") {
    context.if_interrupted = "nothing is kept";
    throw Interrupted();
  }
  if (options.how == "name") throw Error("a\nb \x1b[31mred\xff is broken");
  if (options.how == "torch")
    throw std::runtime_error(
        "[enforce fail at x.cpp:1] DefaultCPUAllocator: can't allocate memory");
  if (options.how == "json") nlohmann::json("\xff").dump();
  if (options.how == "threads") {
    print(std::to_string(context.common.threads) + "\n");
    return kDone;
  }
  if (options.how == "seven") throw 7;  // not an exception class
  print(context.command + "\n");
  return kDone;
}

App test_app() {
  App app{.name = "attn-test", .summary = "tests", .example = "attn-test end", .verbs = {}};
  app.verbs.push_back(
      bind(Verb{.name = "end", .summary = "ends", .example = "attn-test end"}, declare, end_so));
  app.libraries = [] { return std::vector<std::pair<std::string, std::string>>{{"Lib", "1.2"}}; };
  return app;
}

struct Outcome {
  int code = -1;
  std::string out, err;
};

Outcome run(std::vector<std::string> args) {
  args.insert(args.begin(), "attn-test");
  std::vector<char*> argv;
  for (auto& arg : args) argv.push_back(arg.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = run_app(test_app(), static_cast<int>(argv.size()), argv.data());
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

void expect_failure(const Outcome& outcome, int code, const std::string& part) {
  EXPECT_EQ(outcome.code, code);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, MatchesRegex("error: [^\n]*\n"));
  EXPECT_THAT(outcome.err, HasSubstr(part));
}

TEST(App, ExitCodesAndOneErrorLine) {
  EXPECT_EQ(run({"end"}).code, 0);
  expect_failure(run({"end", "--how", "error"}), 1, "slide a.tif is broken");
  expect_failure(run({"end", "--how", "lines"}), 1, "first line\n");
  expect_failure(run({"end", "--how", "memory"}), 1, "out of memory");
  expect_failure(run({"end", "--how", "seven"}), 1, "unknown failure");
  expect_failure(run({"end", "--how", "usage"}), 2, "--how: wrong");
  expect_failure(run({"end", "--how", "interrupted"}), 130,
                 "interrupted; what was finished is kept, and the same command goes on");
  expect_failure(run({"end", "--how", "for nothing"}), 130, "interrupted; nothing is kept");
}

TEST(App, AMessageIsOneHarmlessLine) {
  expect_failure(run({"end", "--how", "name"}), 1, "a\\x0ab \\x1b[31mred\\xff is broken");
  expect_failure(run({"end", "--how", "torch"}), 1, "out of memory; use fewer --threads");
  expect_failure(run({"end", "--how", "json"}), 1, "a name is not UTF-8");
  expect_failure(run({"end", "--how", "\xff"}), 2, "--how: '\\xff' is not UTF-8");
}

TEST(App, MoreThreadsThanServeAreNotStarted) {
  const auto many = run({"end", "--how", "threads", "--threads", "4096"});
  EXPECT_LE(std::stoul(many.out), 4 * std::thread::hardware_concurrency());
  EXPECT_THAT(many.err, HasSubstr("warning: --threads 4096 is taken as " + many.out.substr(0, 1)));
  EXPECT_EQ(run({"end", "--how", "threads", "--threads", "3", "--quiet"}).out, "3\n");
}

TEST(App, WrongUsageEndsWithTwo) {
  expect_failure(run({"ends"}), 2, "unknown verb 'ends'; did you mean 'end'?");
  expect_failure(run({"--frobnicate"}), 2, "unknown option '--frobnicate'");
  expect_failure(run({"end", "--sed", "1"}), 2, "did you mean '--seed'?");
  expect_failure(run({"end", "extra"}), 2, "one argument too many: 'extra'");
  expect_failure(run({"end", "--device", "cuda"}), 2, "this build runs on the CPU only");
  expect_failure(run({"end", "--config", "/nonexistent.toml"}), 2, "no such file");
  expect_failure(run({"end", "--attention-report", "x.html"}), 2, "runs no attention model");
  expect_failure(run({"end", "--quiet", "-v"}), 2, "exclude each other");
  EXPECT_EQ(run({}).code, 2);
}

TEST(App, HelpVersionAndConfigurationGoToStdout) {
  EXPECT_THAT(run({"--help"}).out, HasSubstr("Verbs:\n  end"));
  EXPECT_THAT(run({"end", "--help"}).out, HasSubstr("Exit codes: 0 done"));
  EXPECT_THAT(run({"help", "end"}).out, HasSubstr("--how"));
  EXPECT_THAT(run({"--version"}).out, HasSubstr("revision"));
  const auto version = nlohmann::json::parse(run({"--version", "--json"}).out);
  EXPECT_EQ(version["program"], "attn-test");
  EXPECT_EQ(version["libraries"]["Lib"], "1.2");
  EXPECT_FALSE(version["simd"].get<std::string>().empty());
  EXPECT_THAT(run({"end", "--seed", "5", "--dump-config"}).out, HasSubstr("seed = 5  # N\n"));
}

TEST(App, TheCommandIsRecordedAsAShellWouldReadIt) {
  EXPECT_EQ(run({"end", "--how", "it's well"}).out, "attn-test end --how 'it'\\''s well'\n");
}

TEST(App, CompletionListsVerbsOptionsAndChoices) {
  EXPECT_THAT(run({"__complete"}).out, HasSubstr("end\n"));
  EXPECT_THAT(run({"__complete", "end"}).out, HasSubstr("--threads\n"));
  EXPECT_EQ(run({"__complete", "end", "--device"}).out, "cpu\ncuda\nauto\n");
}

TEST(AppDeathTest, AHandlerLeavesErrnoAndAClosingTerminalIsOneSignal) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        install_signal_handlers();
        close(STDERR_FILENO);  // the handler's write() fails
        errno = ENOSPC;
        std::raise(SIGHUP);
        const bool kept = errno == ENOSPC;
        std::raise(SIGHUP);
        _exit(kept && stop_flag() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(AppDeathTest, TheSecondSignalEndsAtOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        install_signal_handlers();
        std::raise(SIGINT);
        if (!stop_flag()) _exit(1);
        std::raise(SIGINT);
        _exit(2);
      },
      testing::ExitedWithCode(130), "once more to stop at once");
}

}  // namespace
}  // namespace attn::app
