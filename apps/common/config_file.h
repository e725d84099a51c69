// Options from a TOML file, and the resolved options written as one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/common/options.h"

namespace attn::app {

/// Assigns every option that no stronger source has set from `file`. Keys are option names without
/// dashes; keys at the top are for this verb, and so is the table [VERB]; tables of the program's
/// other verbs are left alone, so that one file can serve a whole chain. Throws UsageError naming
/// file, line and key: unreadable file, TOML error, unknown key (with the nearest name), wrong
/// value.
void assign_from_file(OptionTable& table, const std::filesystem::path& file,
                      const std::string& verb, const std::vector<std::string>& all_verbs);

/// The resolved options as TOML that `--config` reads back: one commented block per group.
std::string dump_config(const OptionTable& table, const std::string& program,
                        const std::string& verb);

}  // namespace attn::app
