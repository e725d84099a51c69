// A program is a table of verbs; everything else that programs have in common is behind run_app().
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/common/console.h"
#include "apps/common/options.h"
#include "attn/hooks.h"

namespace attn::app {

/// What a program returns to the shell.
enum ExitCode : int { kDone = 0, kFailed = 1, kUsage = 2, kInterrupted = 130 };

/// `--shard I/N`: this call takes the items whose number, counted from 0, leaves I - 1 when divided
/// by N.
struct Shard {
  int64_t index = 1;
  int64_t count = 1;
  bool takes(int64_t item) const { return item % count == index - 1; }
};

/// The options every verb has.
struct Common {
  std::optional<std::filesystem::path> config;
  std::optional<std::filesystem::path> attention_report;
  std::string device = "auto";  ///< resolved to "cpu" before the verb runs
  int64_t seed = 1;
  int threads = 0;  ///< resolved to 1 or more before the verb runs
  bool dump_config = false;
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  // Batch verbs only:
  bool overwrite = false;
  bool dry_run = false;
  std::string shard_text = "1/1";
  Shard shard;  ///< read from shard_text
};

/// What a running verb is handed.
struct Context {
  const Common& common;
  const OptionTable& options;
  const Hooks&
      hooks;  ///< progress, warnings and the stop flag, joined to the terminal and to signals
  Progress& progress;   ///< what `hooks.progress` draws on
  std::string command;  ///< the command line as typed, quoted for a shell
  std::string verb;
  /// Revision, build and libraries, as `--version --json` prints them.
  std::function<nlohmann::json()> version;
  /// What is told after `error: interrupted; `. A verb that keeps nothing, or only with an option
  /// that is not given, says that instead, before its work.
  mutable std::string if_interrupted =
      "what was finished is kept, and the same command goes on from there";
  /// Run directories whose run began and did not end: what ended it is noted there.
  mutable std::vector<std::filesystem::path> unended_runs = {};
};

struct Verb {
  std::string name;
  std::string summary;       ///< one line
  std::string example;       ///< one command that runs as written
  std::string details = {};  ///< lines for the help page, when the summary is not enough
  bool batch = false;        ///< has --overwrite, --shard and --dry-run
  bool attention =
      false;  ///< runs an attention model, so that --attention-report has something to tell
  std::function<void(OptionTable&)> declare = {};
  std::function<int(const Context&)> run = {};
};

struct App {
  std::string name;     ///< as typed: "attn-mil"
  std::string summary;  ///< one line
  std::string example;
  std::vector<Verb> verbs;
  /// Called once before the verb with the number of threads to use.
  std::function<void(int threads)> start = {};
  /// Names and versions of the libraries the program runs with, for --version.
  std::function<std::vector<std::pair<std::string, std::string>>()> libraries = {};
};

/// Joins a verb's plain options struct to its declarations and its function:
/// `return bind(Verb{...}, declare_train, run_train)` with `void declare_train(TrainOptions&,
/// OptionTable&)` and `int run_train(const TrainOptions&, const Context&)`.
template <class Options>
Verb bind(Verb verb, void (*declare)(Options&, OptionTable&),
          int (*run)(const Options&, const Context&)) {
  auto options = std::make_shared<Options>();
  verb.declare = [options, declare](OptionTable& table) { declare(*options, table); };
  verb.run = [options, run](const Context& context) { return run(*options, context); };
  return verb;
}

/// Every verb knows this option, and those without an attention model refuse it; their help page
/// leaves it out.
inline constexpr const char* kAttentionReport = "attention-report";

/// Declares the options every verb has (and those of batch verbs for a batch verb) after the verb's
/// own.
void declare_common(Common& common, const Verb& verb, OptionTable& table);

/// The whole of main(): finds the verb, reads its options, runs it, and turns whatever happens into
/// an exit code and, on failure, one `error: ` line on stderr.
int run_app(const App& app, int argc, char** argv);

/// Writes a result to stdout. A reader that has gone away is no error; any other failure throws
/// attn::Error.
void print(std::string_view text);
/// The same, one JSON document and a line end.
void print_json(const nlohmann::json& document);

/// One sentence, on one line, for whatever was thrown: of a library's message the first line, and
/// for lack of memory what to do.
std::string sentence_of(const std::exception& error);

}  // namespace attn::app
