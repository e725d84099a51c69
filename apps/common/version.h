// What --version tells.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apps/common/app.h"

namespace attn::app {

/// Program, version, git revision, build type, compiler, CUDA architectures or null, SIMD target
/// found at run time, and the libraries the program names.
nlohmann::json version_json(const App& app);
/// The same for people, one fact a line.
std::string version_text(const App& app);

}  // namespace attn::app
