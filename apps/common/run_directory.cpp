#include "apps/common/run_directory.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"

namespace attn::app {
namespace {

constexpr int64_t kFormatVersion = 1;

// What two calls must share to be the same run: not how they talk, nor how many threads they use.
nlohmann::json comparable(nlohmann::json configuration) {
  for (const char* key : {"json", "quiet", "verbose", "threads", "attention-report", "resume"})
    configuration.erase(key);
  return configuration;
}

nlohmann::json describe(const Context& context, const std::string& status) {
  return {{"format_version", kFormatVersion},
          {"status", status},
          {"command", context.command},
          {"verb", context.verb},
          {"configuration", resolved(context.options)},
          {"seed", context.common.seed},
          {"threads", context.common.threads},
          {"device", context.common.device},
          {"versions", context.version()},
          {"written", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))}};
}

}  // namespace

RunDirectory RunDirectory::open(const std::filesystem::path& path, const Context& /*context*/) {
  io::make_directories(path);
  return {path, FileLock::lock(path / ".lock", path.string())};
}

bool RunDirectory::finished(const Context& context) const {
  if (!std::filesystem::exists(run_json())) return false;
  const auto before = io::read_json(run_json());
  const std::string where = run_json().string();
  return io::get_or<std::string>(before, "status", where, "") == "finished" &&
         io::get_or<std::string>(before, "verb", where, "") == context.verb &&
         comparable(io::get_or<nlohmann::json>(before, "configuration", where, {})) ==
             comparable(resolved(context.options));
}

void RunDirectory::begin(const Context& context) const {
  io::write_json(run_json(), describe(context, "running"));
}

void RunDirectory::end(const Context& context, const nlohmann::json& results) const {
  auto document = describe(context, "finished");
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start_;
  document["seconds"] = taken.count();
  document["metrics"] = results;
  io::write_json(run_json(), document);
}

}  // namespace attn::app
