#include "apps/common/run_directory.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/common/file_lock.h"
#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "libattn/io/run_json.h"

namespace attn::app {
namespace fs = std::filesystem;
namespace {

// What two calls must share to be the same run: not how they talk, nor how many threads they use.
nlohmann::json comparable(nlohmann::json configuration) {
  for (const char* key : {"json", "quiet", "verbose", "threads", "attention-report", "resume"})
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

  // Takes over when the run began, and the time that it took until it stopped.
  void go_on_from(const nlohmann::json& before) {
    const std::string where = file().string();
    if (io::get_or<std::string>(before, "status", where, "") == "finished" ||
        starts_anew(context) || !same_call(before, where, context))
      return;
    started = io::get_or<std::string>(before, "started", where, started);
    seconds_before = io::get_or<double>(before, "seconds", where, 0);
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

RunDirectory RunDirectory::open(const fs::path& path, const Context& context) {
  io::make_directories(path);
  auto lock = FileLock::lock(path / ".lock", path.string());
  return RunDirectory(std::make_unique<State>(path, std::move(lock), context));
}

const fs::path& RunDirectory::path() const {
  return state_->path;
}

bool RunDirectory::finished(const Context& context) const {
  if (!fs::exists(run_json())) return false;
  const auto before = io::read_run_json(path());
  const std::string where = run_json().string();
  return io::get_or<std::string>(before, "status", where, "") == "finished" &&
         same_call(before, where, context);
}

void RunDirectory::begin(const Context& /*context*/) const {
  try {
    if (fs::exists(run_json())) state_->go_on_from(io::read_run_json(path()));
  } catch (const NewerFormat&) {
    throw;
  } catch (const Error&) {
    state_->seconds_before = 0;  // damaged, and replaced now
  }
  io::write_json(run_json(), state_->describe("running"));
  state_->running = true;
}

void RunDirectory::end(const Context& /*context*/, const nlohmann::json& results) const {
  auto document = state_->describe("finished");
  document["metrics"] = results;
  io::write_json(run_json(), document);
  state_->running = false;
}

}  // namespace attn::app
