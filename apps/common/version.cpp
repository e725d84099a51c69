#include "apps/common/version.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/common/revision.h"
#include "attn/core.h"

namespace attn::app {

nlohmann::json version_json(const App& app) {
  auto libraries = nlohmann::json::object();
  if (app.libraries)
    for (const auto& [name, version] : app.libraries()) libraries[name] = version;
  return {{"program", app.name},
          {"version", ATTN_VERSION},
          {"revision", git_revision()},
          {"build_type", ATTN_BUILD_TYPE},
          {"compiler", ATTN_COMPILER},
          {"simd", attn::core::simd_target()},
          {"cuda", nullptr},
          {"libraries", libraries}};
}

std::string version_text(const App& app) {
  const nlohmann::json facts = version_json(app);
  std::string out = fmt::format("{} {} (revision {}, {} build, {})\n", app.name, ATTN_VERSION,
                                git_revision(), ATTN_BUILD_TYPE, ATTN_COMPILER);
  out += fmt::format("SIMD       {}\nCUDA       CPU only\n", facts["simd"].get<std::string>());
  for (const auto& [name, version] : facts["libraries"].items())
    out += fmt::format("{:<10} {}\n", name, version.get<std::string>());
  return out;
}

}  // namespace attn::app
