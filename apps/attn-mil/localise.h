// --truth: attention against outlined foci.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/app.h"
#include "pathology/heatmap/heatmap.h"

namespace attn::app {

void declare_truth(std::optional<std::filesystem::path>& truth, OptionTable& table);

/// The outlines of one slide: `truth` itself, or ID.geojson in that folder. Throws attn::Error when
/// it is not there.
std::filesystem::path truth_file(const std::filesystem::path& truth, const std::string& slide);

/// {CLASS: {auc, top_k, top_k_precision, attention_on_foci, focus_recall, tiles, positive_tiles}}
/// for those of `classes` that the GeoJSON `file` outlines; null for what is undefined.
nlohmann::json localise(const pathology::TileScores& tiles, const std::filesystem::path& file,
                        const std::vector<std::string>& classes);

/// What a slide's facts say of localisation, as a sentence with a blank before it; empty when
/// nothing was compared.
std::string localisation_sentence(const nlohmann::json& facts);

/// The same of several slides as rows of a table, its header first.
std::vector<std::vector<std::string>> localisation_rows(const std::vector<nlohmann::json>& facts);

}  // namespace attn::app
