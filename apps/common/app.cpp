#include "apps/common/app.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>

#include "apps/common/completion.h"
#include "apps/common/config_file.h"
#include "apps/common/console.h"
#include "apps/common/help.h"
#include "apps/common/parse.h"
#include "apps/common/run_directory.h"
#include "apps/common/signals.h"
#include "apps/common/version.h"
#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace attn::app {

void declare_common(Common& common, const Verb& verb, OptionTable& table) {
  if (verb.batch) {
    table.group("Batch");
    table.add({.name = "overwrite",
               .target = &common.overwrite,
               .help = "redo what is finished",
               .control = true});
    table.add({.name = "shard",
               .target = &common.shard_text,
               .help = "do only part I of N of the items",
               .unit = "I/N",
               .control = true});
    table.add({.name = "dry-run",
               .target = &common.dry_run,
               .help = "tell what would be done, and do nothing",
               .control = true});
  }
  table.group("Common");
  table.add({.name = "config",
             .target = &common.config,
             .help = "options from a TOML file",
             .unit = "FILE.toml",
             .control = true});
  table.add({.name = "dump-config",
             .target = &common.dump_config,
             .help = "print the resolved options as TOML and end",
             .control = true});
  table.add({.name = "seed",
             .target = &common.seed,
             .help = "seed of everything random",
             .unit = "N",
             .min = 0});
  table.add({.name = "threads",
             .target = &common.threads,
             .help = "0: one for each core allowed",
             .unit = "N",
             .min = 0,
             .max = 4096});
  table.add({.name = "device",
             .target = &common.device,
             .help = "where models run",
             .choices = {"cpu", "cuda", "auto"}});
  table.add({.name = "json", .target = &common.json, .help = "print the result as JSON"});
  table.add({.name = "quiet",
             .target = &common.quiet,
             .help = "no log, no progress; errors only",
             .short_name = 'q'});
  table.add(
      {.name = "verbose", .target = &common.verbose, .help = "log details", .short_name = 'v'});
  table.add({.name = kAttentionReport,
             .target = &common.attention_report,
             .help = "write a page on the attention entropy of every layer and head",
             .unit = "FILE.html"});
}

namespace {

// Whether memory ran out here, in LibTorch or in OpenCV; the latter two throw errors of their own.
bool lacks_memory(const std::exception& error) {
  const std::string_view text = error.what();
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         text.find("DefaultCPUAllocator") != std::string_view::npos ||
         text.find("Insufficient memory") != std::string_view::npos;
}

int cores_allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

Shard parse_shard(const std::string& text) {
  Shard shard;
  int used = 0;
  long index = 0;
  long count = 0;
  const bool read = std::sscanf(text.c_str(), "%9ld/%9ld%n", &index, &count, &used) == 2;
  if (!read || used != static_cast<int>(text.size()) || count < 1 || index < 1 || index > count)
    throw UsageError(fmt::format("--shard: '{}' is not I/N with 1 <= I <= N, such as 2/4", text));
  shard.index = index;
  shard.count = count;
  return shard;
}

void resolve(Common& common, const Verb& verb) {
  if (common.device == "cuda")
    throw UsageError("--device cuda: this build runs on the CPU only; use --device cpu or auto");
  common.device = "cpu";
  if (common.threads == 0) common.threads = cores_allowed();
  const int most = 4 * cores_allowed();
  if (common.threads > most) {
    log_warning(
        fmt::format("--threads {} is taken as {}: more than four for each core allowed only "
                    "cost memory",
                    common.threads, most));
    common.threads = most;
  }
  common.shard = parse_shard(common.shard_text);
  if (common.quiet && common.verbose) throw UsageError("--quiet and --verbose exclude each other");
  if (common.attention_report && !verb.attention)
    throw UsageError(fmt::format(
        "--attention-report: '{}' runs no attention model, so there is nothing to report",
        verb.name));
}

std::string shell_quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789-_=+./,:@%") == std::string::npos;
  if (plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::vector<std::string> verb_names(const App& app) {
  std::vector<std::string> names;
  for (const auto& verb : app.verbs) names.push_back(verb.name);
  return names;
}

const Verb& find_verb(const App& app, const std::string& name) {
  for (const auto& verb : app.verbs)
    if (verb.name == name) return verb;
  const auto names = verb_names(app);
  throw UsageError(fmt::format("unknown {} '{}'{}; {} --help lists the verbs",
                               name.starts_with("-") ? "option" : "verb", name,
                               io::did_you_mean(name, names), app.name));
}

bool asks_help(const std::vector<std::string>& args) {
  return std::any_of(args.begin(), args.end(),
                     [](const auto& a) { return a == "--help" || a == "-h"; });
}

int run_verb(const App& app, const Verb& verb, const std::vector<std::string>& args,
             const std::string& command) {
  Common common;
  OptionTable table;
  verb.declare(table);
  declare_common(common, verb, table);
  if (asks_help(args)) {
    print(verb_help(app, verb, table));
    return kDone;
  }
  parse_arguments(table, args);
  assign_from_environment(table);
  if (common.config) assign_from_file(table, *common.config, verb.name, verb_names(app));
  if (common.dump_config) {
    print(dump_config(table, app.name, verb.name));
    return kDone;
  }
  require_all(table);
  const Verbosity verbosity = common.quiet     ? Verbosity::quiet
                              : common.verbose ? Verbosity::verbose
                                               : Verbosity::normal;
  start_log(verbosity);
  resolve(common, verb);

  Progress progress(verbosity);
  Hooks hooks;
  hooks.progress = [&](std::string_view what, int64_t done, int64_t total) {
    progress.update(what, done, total);
  };
  hooks.warn = [](std::string_view sentence) { log_warning(sentence); };
  hooks.stop = &stop_flag();
  if (app.start) app.start(common.threads);
  const Context context{
      common, table, hooks, progress, command, verb.name, [&app] { return version_json(app); }};
  try {
    return verb.run(context);
  } catch (const Interrupted&) {
    log_error("interrupted; " + context.if_interrupted);
    return kInterrupted;
  } catch (const std::exception& error) {
    for (const auto& run : context.unended_runs) note_error(run, sentence_of(error));
    throw;
  }
}

int dispatch(const App& app, const std::vector<std::string>& args, const std::string& command) {
  if (args.empty()) {
    std::fputs(program_help(app).c_str(), stderr);
    return kUsage;
  }
  const std::string& first = args.front();
  const std::vector<std::string> rest(args.begin() + 1, args.end());
  if (first == "--version" || first == "-V") {
    for (const auto& arg : rest)
      if (arg != "--json")
        throw UsageError(fmt::format("--version takes --json only, found '{}'", arg));
    if (rest.empty())
      print(version_text(app));
    else
      print_json(version_json(app));
    return kDone;
  }
  if (first == "--help" || first == "-h" || (first == "help" && rest.empty())) {
    print(program_help(app));
    return kDone;
  }
  if (first == "help") return run_verb(app, find_verb(app, rest.front()), {"--help"}, command);
  if (first == kCompletionVerb) {
    print(completion_words(app, rest));
    return kDone;
  }
  return run_verb(app, find_verb(app, first), rest, command);
}

int guarded(const std::function<int()>& work) {
  try {
    return work();
  } catch (const UsageError& error) {
    log_error(sentence_of(error));
    return kUsage;
  } catch (const std::exception& error) {
    log_error(sentence_of(error));
    return kFailed;
  } catch (...) {
    log_error("an unknown failure; please report it with the output of --version");
    return kFailed;
  }
}

}  // namespace

std::string sentence_of(const std::exception& error) {
  if (lacks_memory(error))
    return "out of memory; use fewer --threads, smaller inputs or a machine with more memory";
  std::string text = error.what();
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
    text = fmt::format("{}: {}", file->path1().string(), file->code().message());
  else if (dynamic_cast<const nlohmann::json::type_error*>(&error) != nullptr &&
           text.find("invalid UTF-8") != std::string::npos)
    text = "a name is not UTF-8, and our files can hold no other names; rename the file";
  else if (dynamic_cast<const Error*>(&error) == nullptr)
    text = text.substr(0, text.find('\n'));  // a library's: what follows is where it came from
  if (text.empty())
    text = "a failure without a message; please report it with the output of --version";
  return io::one_line(text, std::string::npos);
}

void print(std::string_view text) {
  errno = 0;
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written && errno != EPIPE)
    throw Error(fmt::format("cannot write to stdout: {}", std::strerror(errno)));
}

void print_json(const nlohmann::json& document) {
  print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

int run_app(const App& app, int argc, char** argv) {
  install_signal_handlers();
  const std::vector<std::string> args(argv + std::min(argc, 1), argv + argc);
  std::string command = app.name;
  for (const auto& arg : args) command.append(1, ' ').append(shell_quoted(arg));
  return guarded([&] { return dispatch(app, args, command); });
}

}  // namespace attn::app
