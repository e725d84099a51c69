// The help pages, written from the same declarations that parse the command line.
#pragma once

#include <string>

#include "apps/common/app.h"
#include "apps/common/options.h"

namespace attn::app {

/// Purpose, one runnable example, usage, options in groups with units and defaults, exit codes.
std::string verb_help(const App& app, const Verb& verb, const OptionTable& table);
/// The verbs with their one-line summaries.
std::string program_help(const App& app);

}  // namespace attn::app
