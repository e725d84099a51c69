// The command line of one verb, read by CLI11.
#pragma once

#include <string>
#include <vector>

#include "apps/common/options.h"

namespace attn::app {

/// Assigns the options of `table` that `args` (without program and verb) names, with Source::flag.
/// Accepts
/// `--name value`, `--name=value`, `-v`, flags, `--no-name` for flags that are on by default, and
/// positional arguments in the order declared; a repeated single-valued option takes the last
/// value. Throws UsageError: unknown option (with the nearest name), missing value, too many
/// arguments, wrong value.
void parse_arguments(OptionTable& table, const std::vector<std::string>& args);

}  // namespace attn::app
