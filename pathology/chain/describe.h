// What a file is, by its content: behind `attn-mil info`.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "attn/hooks.h"

namespace pathology {

/// Facts about a slide, tile file, feature file, table, model file, JSON or GeoJSON file, run
/// directory, or folder of slides, tiles or features; "kind" names which it is. Nothing that could
/// name a patient is in it. Throws attn::Error when the file is none of these or is damaged.
nlohmann::json describe(const std::filesystem::path& path, const attn::Hooks& hooks);

}  // namespace pathology
