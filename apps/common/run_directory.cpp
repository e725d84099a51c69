#include "apps/common/run_directory.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "apps/common/file_lock.h"
#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/run_json.h"

namespace attn::app {
namespace fs = std::filesystem;
namespace {

// What two calls must share to be the same run: not how they talk, how many threads they use, or
// how they spell the folder.
nlohmann::json comparable(nlohmann::json configuration) {
  for (const char* key :
       {"json", "quiet", "verbose", "threads", "attention-report", "resume", "out"})
    configuration.erase(key);
  return configuration;
}

bool same_call(const nlohmann::json& run, const std::string& where, const Context& context) {
  return io::get_or<std::string>(run, "verb", where, "") == context.verb &&
         comparable(io::get_or<nlohmann::json>(run, "configuration", where, {})) ==
             comparable(resolved(context.options));
}

bool starts_anew(const Context& context) {
  return context.common.overwrite || !resolved(context.options).value("resume", true);
}

// "--aem 0.1, now 0; --seed 1, now 2": options that two calls differ in.
std::string differences(const nlohmann::json& before, const nlohmann::json& now) {
  std::vector<std::string> out;
  const auto text = [](const nlohmann::json& options, const std::string& name) {
    return options.contains(name) ? options.at(name).dump() : std::string("not set");
  };
  nlohmann::json all = before;
  all.update(now);
  for (const auto& [name, value] : all.items())
    if (text(before, name) != text(now, name))
      out.push_back(fmt::format("--{} {}, now {}", name, text(before, name), text(now, name)));
  return io::list_names(out, 4);
}

std::string now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace

struct RunDirectory::State {
  State(fs::path folder, FileLock held, const Context& verb_context)
      : path(std::move(folder)), lock(std::move(held)), context(verb_context) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  fs::path path;
  FileLock lock;
  const Context& context;
  bool running = false;
  std::string started = now();
  double seconds_before = 0;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

  fs::path file() const { return path / "run.json"; }

  // Calls `use` with run.json and its name, where there is one that will not be replaced anyway: a
  // damaged one is, and a newer program's is with --overwrite.
  void look_at_earlier(
      const std::function<void(const nlohmann::json&, const std::string&)>& use) const {
    if (!fs::exists(file())) return;
    try {
      use(io::read_run_json(path), file().string());
    } catch (const NewerFormat&) {
      if (!context.common.overwrite) throw;
    } catch (const StorageError&) {
      throw;
    } catch (const Error&) {
      return;
    }
  }

  // Says so where a finished run of other options will be gone.
  void tell_replaced(const nlohmann::json& before, const std::string& where) const {
    if (io::get_or<std::string>(before, "status", where, "") != "finished" ||
        starts_anew(context) || same_call(before, where, context))
      return;
    const auto verb = io::get_or<std::string>(before, "verb", where, "");
    context.hooks.warning(
        fmt::format("{} holds a finished run of {}, which this one replaces", path.string(),
                    verb != context.verb ? "the verb " + verb
                                         : "other options (" +
                                               differences(comparable(io::get_or<nlohmann::json>(
                                                               before, "configuration", where, {})),
                                                           comparable(resolved(context.options))) +
                                               ")"));
  }

  // Takes over when the run began, and the time that it took until it stopped.
  void go_on_from(const nlohmann::json& before, const std::string& where) {
    if (io::get_or<std::string>(before, "status", where, "") == "finished" ||
        starts_anew(context) || !same_call(before, where, context))
      return;
    const auto seconds = io::get_or<double>(before, "seconds", where, 0);
    started = io::get_or<std::string>(before, "started", where, started);
    seconds_before = seconds;
  }

  nlohmann::json describe(const char* status) const {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    return {{"format_version", io::kRunFormatVersion},
            {"status", status},
            {"command", context.command},
            {"verb", context.verb},
            {"configuration", resolved(context.options)},
            {"seed", context.common.seed},
            {"threads", context.common.threads},
            {"device", context.common.device},
            {"versions", context.version()},
            {"started", started},
            {"written", now()},
            {"seconds", seconds_before + taken.count()}};
  }

  ~State() {
    if (!running) return;
    try {
      if (!context.hooks.stopping()) context.unended_runs.push_back(path);
      io::write_json(file(), describe(context.hooks.stopping() ? "interrupted" : "failed"));
    } catch (const std::exception&) {
      return;  // what ended the run is told by the caller, and may be this very folder
    }
  }
};

RunDirectory::RunDirectory(std::unique_ptr<State> state) : state_(std::move(state)) {}
RunDirectory::~RunDirectory() = default;
RunDirectory::RunDirectory(RunDirectory&&) noexcept = default;
RunDirectory& RunDirectory::operator=(RunDirectory&&) noexcept = default;

RunDirectory RunDirectory::open(const fs::path& path, const Context& context,
                                bool part_of_another) {
  io::make_directories(path);
  auto state =
      std::make_unique<State>(path, FileLock::lock(path / ".lock", path.string()), context);
  if (!part_of_another)
    state->look_at_earlier([&](const nlohmann::json& before, const std::string& where) {
      state->tell_replaced(before, where);
    });
  return RunDirectory(std::move(state));
}

const fs::path& RunDirectory::path() const {
  return state_->path;
}

bool RunDirectory::finished(const Context& context) const {
  bool found = false;
  state_->look_at_earlier([&](const nlohmann::json& before, const std::string& where) {
    found = io::get_or<std::string>(before, "status", where, "") == "finished" &&
            same_call(before, where, context);
  });
  return found;
}

void RunDirectory::begin(const Context& /*context*/) const {
  state_->look_at_earlier([this](const nlohmann::json& before, const std::string& where) {
    state_->go_on_from(before, where);
  });
  io::write_json(run_json(), state_->describe("running"));
  state_->running = true;
}

void RunDirectory::end(const Context& /*context*/, const nlohmann::json& results) const {
  auto document = state_->describe("finished");
  document["metrics"] = results;
  io::write_json(run_json(), document);
  state_->running = false;
}

void note_error(const fs::path& run, const std::string& sentence) noexcept {
  try {
    const auto lock = FileLock::try_lock(run / ".lock");
    if (!lock.locked()) return;
    auto document = io::read_run_json(run);
    if (document.value("status", "") != "failed") return;
    document["error"] = sentence;
    io::write_json(run / "run.json", document);
  } catch (const std::exception&) {
    return;  // as the header says
  }
}

}  // namespace attn::app
