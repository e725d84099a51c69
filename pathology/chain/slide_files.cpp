#include "pathology/chain/slide_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "pathology/chain/pipeline.h"
#include "pathology/geojson/geojson.h"

namespace pathology {
namespace fs = std::filesystem;
namespace {

Ring ring_of(const Contour& contour) {
  Ring ring;
  for (const cv::Point& point : contour)
    ring.push_back({static_cast<double>(point.x), static_cast<double>(point.y)});
  return ring;
}

std::vector<Outline> outlines_of(const TissueMask& mask) {
  std::vector<Outline> outlines;
  for (const TissuePiece& piece : mask.pieces) {
    if (piece.outline.size() < 3) continue;
    Outline outline;
    outline.region.exterior = ring_of(piece.outline);
    for (const Contour& hole : piece.holes)
      if (hole.size() >= 3) outline.region.holes.push_back(ring_of(hole));
    outline.classification = "Tissue";
    outlines.push_back(std::move(outline));
  }
  return outlines;
}

/// What determines a slide's tissue. Its resolution may be unknown; it only gives the area.
nlohmann::json tissue_config(const Slide& slide, const TissueOptions& options) {
  return {{"format_version", 1},
          {"kind", "tissue"},
          {"slide",
           {{"id", slide.id()},
            {"name", slide.file().name},
            {"bytes", slide.file().bytes},
            {"mtime_ns", slide.file().mtime_ns},
            {"width", slide.width()},
            {"height", slide.height()}}},
          {"mpp", slide.mpp() ? nlohmann::json(*slide.mpp()) : nlohmann::json()},
          {"tissue", to_json(options)}};
}

/// The tiles of an input with their resolution; other programs' without one where their slide is
/// not at hand.
Tiles tiles_of(const FeatureInput& input, const FeatureJob& job) {
  Tiles tiles = read_tiles(input.tiles);
  if (!input.slide.empty()) tiles.slide_path = input.slide;
  if (tiles.mpp != 0 || tiles.coords.empty()) return tiles;
  try {
    return with_mpp(tiles, open_slide_of(input.tiles, tiles, job.slides, job.slide_mpp));
  } catch (const attn::Error&) {
    return tiles;
  }
}

}  // namespace

TissueFiles tissue_files(const fs::path& folder, const std::string& id) {
  return {folder / "tissue" / (id + ".json"), folder / "previews" / (id + ".jpg"),
          folder / "outlines" / (id + ".geojson")};
}

bool tissue_files_current(const TissueFiles& files, const Slide& slide,
                          const TissueOptions& options) {
  return fs::exists(files.preview) && fs::exists(files.outlines) &&
         attn::io::read_json(files.facts).at("attn_config") == tissue_config(slide, options);
}

void write_tissue_files(const TissueFiles& files, const Slide& slide, const TissueOptions& options,
                        int threads, const attn::Hooks& hooks) {
  const TissueMask mask = find_tissue(slide, options, hooks, threads);
  for (const fs::path& file : {files.preview, files.outlines, files.facts})
    attn::io::make_directories(file.parent_path());
  write_picture(files.preview, tissue_preview(slide, mask));
  write_geojson(files.outlines, outlines_of(mask));
  nlohmann::json facts{{"pieces", mask.pieces.size()},
                       {"pieces_found", mask.pieces_found},
                       {"saturation_threshold", mask.threshold},
                       {"level", mask.level},
                       {"unreadable", mask.unreadable},
                       {"unreadable_area", mask.unreadable_area},
                       {"attn_config", tissue_config(slide, options)}};
  if (slide.mpp()) facts["area_mm2"] = mask.area_mm2(*slide.mpp());
  if (mask.pieces.empty()) hooks.warning(slide.id() + ": no tissue found");
  attn::io::write_json(files.facts, facts);
}

TileFiles tile_files(const fs::path& folder, const std::string& id) {
  return {folder / "patches" / (id + ".h5"), folder / "previews" / (id + ".jpg")};
}

bool tile_files_current(const TileFiles& files, const Slide& slide, const TileJob& job) {
  return fs::exists(files.preview) &&
         tiles_current(files.tiles, tiles_config(slide, job.tissue, job.tile), job.max_unreadable);
}

Tiles write_tile_files(const TileFiles& files, const Slide& slide, const TileJob& job, int threads,
                       const attn::Hooks& hooks) {
  tile_geometry(slide, job.tile);  // refuses before the work
  if (!slide.resolution().note.empty())
    hooks.warning("slide " + slide.path().string() + ": " + slide.resolution().note);
  const TissueMask mask = find_tissue(slide, job.tissue, hooks, threads, job.max_unreadable);
  Tiles tiles = tile_slide(slide, mask, job.tissue, job.tile, hooks);
  if (tiles.coords.empty()) hooks.warning(slide.id() + ": no tiles: " + tiles.reason);
  for (const fs::path& file : {files.preview, files.tiles})
    attn::io::make_directories(file.parent_path());
  write_picture(files.preview, tissue_preview(slide, mask));
  write_tiles(files.tiles, tiles);
  return tiles;
}

std::string slide_id_of(const fs::path& tile_file) {
  try {
    const Tiles tiles = read_tiles(tile_file);
    std::string id = tiles.config.is_null() ? tiles.slide_id : tile_file.stem().string();
    if (!id.empty() && id.find('/') == std::string::npos && !id.starts_with('.')) return id;
  } catch (const attn::Error&) {
    return tile_file.stem().string();  // its turn will come, and say what is wrong
  }
  return tile_file.stem().string();
}

bool feature_file_current(const fs::path& path, const FeatureInput& input, const FeatureJob& job) {
  return features_current(path, features_config(tiles_of(input, job), job.encoder),
                          job.max_unreadable);
}

Features write_feature_file(const fs::path& path, const FeatureInput& input, const FeatureJob& job,
                            int threads, const attn::Hooks& hooks) {
  Tiles tiles = read_tiles(input.tiles);
  if (!input.slide.empty()) tiles.slide_path = input.slide;
  const Slide slide = open_slide_of(input.tiles, tiles, job.slides, job.slide_mpp);
  Features features =
      extract_features(slide, tiles, job.encoder, threads, hooks, job.max_unreadable);
  write_features(path, features);
  return features;
}

double feature_bytes(const std::vector<FeatureInput>& inputs, const Encoder& encoder, int threads) {
  double values = 0, pixels = 0;
  for (const FeatureInput& input : inputs) {
    try {
      const Tiles tiles = read_tiles(input.tiles);
      values = std::max(values, static_cast<double>(tiles.coords.size()));
      pixels = std::max(pixels, static_cast<double>(tiles.geometry.read_size) *
                                    static_cast<double>(tiles.geometry.read_size));
    } catch (const attn::Error&) {
      continue;  // its turn will come, and say what is wrong
    }
  }
  constexpr double kBytesPerPixel = 4 + 3 + 20;  // as read, as RGB, in the encoder's planes
  return values * static_cast<double>(encoder.dim()) * sizeof(float) +
         threads * encoder.batch_size() * pixels * kBytesPerPixel;
}

}  // namespace pathology
