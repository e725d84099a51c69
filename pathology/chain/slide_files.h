// What the verbs over slides leave of one slide: its tissue, its tiles, its features.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "attn/hooks.h"
#include "pathology/slide/features.h"
#include "pathology/slide/slide.h"
#include "pathology/slide/tiles.h"
#include "pathology/slide/tissue.h"

namespace pathology {

/// FOLDER/tissue/ID.json, FOLDER/previews/ID.jpg and FOLDER/outlines/ID.geojson.
struct TissueFiles {
  std::filesystem::path facts, preview, outlines;
};
TissueFiles tissue_files(const std::filesystem::path& folder, const std::string& id);
/// Whether they are there, made of the same slide with the same parameters.
bool tissue_files_current(const TissueFiles& files, const Slide& slide,
                          const TissueOptions& options);
/// Finds the tissue and writes them, the facts last: {"pieces", "pieces_found",
/// "saturation_threshold", "level", "unreadable", "unreadable_area", "area_mm2" where the
/// resolution is known, "attn_config"}. Throws as `find_tissue`.
void write_tissue_files(const TissueFiles& files, const Slide& slide, const TissueOptions& options,
                        int threads, const attn::Hooks& hooks);

/// FOLDER/patches/ID.h5 and FOLDER/previews/ID.jpg.
struct TileFiles {
  std::filesystem::path tiles, preview;
};
TileFiles tile_files(const std::filesystem::path& folder, const std::string& id);

/// How tiles are cut, and how much of a slide may be undecodable.
struct TileJob {
  TissueOptions tissue;
  TileOptions tile;
  double max_unreadable = kMaxUnreadable;
};
/// Whether they are there, made of the same slide by the same job.
bool tile_files_current(const TileFiles& files, const Slide& slide, const TileJob& job);
/// Cuts the slide and writes them, the tiles last. Warns of a resolution that was given in vain and
/// of a slide without tiles. Throws as `tile_slide`.
Tiles write_tile_files(const TileFiles& files, const Slide& slide, const TileJob& job, int threads,
                       const attn::Hooks& hooks);

/// How features are made of tile files.
struct FeatureJob {
  const Encoder& encoder;
  std::filesystem::path slides;     ///< folder to find the slides in by name; empty: as recorded
  std::optional<double> slide_mpp;  ///< of slides that state none, for other programs' tiles
  double max_unreadable = kMaxUnreadable;
};
/// A tile file, and its slide where that is not where the file says; else empty.
struct FeatureInput {
  std::filesystem::path tiles, slide;
};
/// What names the feature file of a tile file: the file's name less .h5; of other programs' files
/// the slide's id, "a" of TRIDENT's a_patches.h5, where they can be read and it can name a file.
std::string slide_id_of(const std::filesystem::path& tile_file);
/// Whether `path` holds the features of these tiles by the same job.
bool feature_file_current(const std::filesystem::path& path, const FeatureInput& input,
                          const FeatureJob& job);
/// Extracts and writes them. Throws as `open_slide_of` and `extract_features`.
Features write_feature_file(const std::filesystem::path& path, const FeatureInput& input,
                            const FeatureJob& job, int threads, const attn::Hooks& hooks);

/// Bytes held at most while features of these tile files are made, by `threads` at once.
double feature_bytes(const std::vector<FeatureInput>& inputs, const Encoder& encoder, int threads);

}  // namespace pathology
