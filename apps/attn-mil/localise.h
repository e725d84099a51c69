// --truth: attention against outlined foci.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/app.h"

namespace attn::app {

void declare_truth(std::optional<std::filesystem::path>& truth, OptionTable& table);

/// What a slide's facts say of localisation (pathology::localise), as a sentence with a blank
/// before it; empty when nothing was compared.
std::string localisation_sentence(const nlohmann::json& facts);

/// The same of several slides as rows of a table, its header first.
std::vector<std::vector<std::string>> localisation_rows(const std::vector<nlohmann::json>& facts);

}  // namespace attn::app
