// Heat maps of many slides by one model: three pictures each, and a JSON file of what they show.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/chain/attention_map.h"
#include "pathology/chain/trained_model.h"

namespace pathology {

/// How slides are drawn.
struct HeatmapJob {
  const TrainedModel& model;
  SlidePipeline pipeline;
  FeatureStore store;
  std::optional<std::filesystem::path> truth;  ///< outlines of foci: a file, or a folder
  HeatmapOptions heatmap;
  TopTilesOptions top;
};

/// Where the outlines of one slide are to be: `truth` itself, or ID.geojson in that folder.
std::filesystem::path truth_place(const std::filesystem::path& truth, const std::string& slide);
/// The same; throws attn::Error when it is not there.
std::filesystem::path truth_file(const std::filesystem::path& truth, const std::string& slide);

/// Whether the pictures are there, and `facts` (the JSON file) says that they were made of the same
/// slide by the same job.
bool heatmap_current(const HeatmapJob& job, const Slide& slide, const AttentionFiles& files,
                     const nlohmann::json& facts);

/// Draws the pictures of one slide. Gives {"slide", "predicted", "probability", "tiles",
/// "attention_entropy", "attention_entropy_normalised", "unreadable", "attn_config"}, and with
/// truth "localisation" (`localise`).
nlohmann::json make_heatmap(const HeatmapJob& job, Slide slide, const AttentionFiles& files,
                            int threads, const attn::Hooks& hooks);

/// {CLASS: {auc, top_k, top_k_precision, attention_on_foci, focus_recall, tiles, positive_tiles}}
/// for those of `classes` that the GeoJSON `file` outlines; null for what is undefined.
nlohmann::json localise(const TileScores& tiles, const std::filesystem::path& file,
                        const std::vector<std::string>& classes);

}  // namespace pathology
