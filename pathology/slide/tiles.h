// Which tiles of a slide are looked at: their level-0 coordinates, and how their pixels are to be
// read.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <opencv2/core/mat.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/slide/slide.h"
#include "pathology/slide/tissue.h"

namespace pathology {

/// How the tile grid is laid over the tissue, and which of its tiles are kept.
enum class TileTest {
  four_points,  ///< any of the four points at centre +- footprint / 4 lies in the outline (CLAM
                ///< four_pt)
  four_points_hard,  ///< all four (CLAM four_pt_hard)
  center,            ///< the centre (CLAM center)
  corner             ///< the top-left corner (CLAM basic)
};

/// Parameters of `tile_slide`.
struct TileOptions {
  double mpp = 0.5;  ///< microns per pixel of the tiles
  int size = 256;    ///< side of the tiles, px at `mpp`
  int overlap = 0;   ///< px at `mpp` shared by neighbours; 0 <= overlap < size
  TileTest test = TileTest::four_points;
  bool padding = true;    ///< tiles may pass the slide's right and lower edge (filled with white)
  double min_tissue = 0;  ///< smallest share of a tile that must be mask, 0..1
  double max_upsampling = 1.25;  ///< how much finer than level 0 `mpp` may be
  bool operator==(const TileOptions&) const = default;
};

nlohmann::json to_json(const TileOptions& options);
/// Throws attn::Error for a missing or ill-typed key, or a value outside its range.
TileOptions tile_options_from_json(const nlohmann::json& json);
/// Throws attn::UsageError for a value outside its range.
void check(const TileOptions& options);

/// How a tile's pixels come from the slide: `read_size` px of `level`, resampled to `size`.
struct TileGeometry {
  int level = 0;
  int read_size = 256;      ///< px at `level`
  int size = 256;           ///< px of the tile
  int64_t footprint = 256;  ///< side in level-0 px
  int64_t step = 256;       ///< grid step in level-0 px
};

nlohmann::json to_json(const TileGeometry& geometry);

/// Geometry for tiles of `options` on a slide of `mpp`. The level is one whose resolution is within
/// 1 % of the request (then nothing is resampled), else the nearest finer one. Throws attn::Error,
/// naming both resolutions, where the request is finer than level 0 by more than `max_upsampling`.
TileGeometry tile_geometry(const Slide& slide, const TileOptions& options);

/// The tiles of one slide.
struct Tiles {
  std::string slide_id;
  std::filesystem::path slide_path;  ///< empty where a file of another program does not say
  std::vector<std::array<int64_t, 2>>
      coords;  ///< (x, y) of the top-left corner, level-0 px; may be negative or outside
  int64_t footprint = 256;  ///< side in level-0 px (== geometry.footprint)
  TileGeometry geometry;
  double mpp = 0;  ///< microns per pixel of the tiles as read; 0 = unknown (CLAM's own files)
  std::array<double, 2> downsample{1, 1};   ///< of geometry.level
  std::array<int64_t, 2> level_size{0, 0};  ///< width, height of geometry.level
  double unreadable = 0;  ///< share of the tissue that could not be decoded while it was sought
  std::string reason;     ///< why `coords` is empty; empty otherwise
  nlohmann::json config;  ///< the file's attn_config; null for CLAM's own files
};

/// Tiles of a slide. Per piece of tissue a grid anchored at its bounding box (as CLAM: coordinates
/// can be compared), column by column; a tile is kept where `test` holds, its centre lies in no
/// hole, and `min_tissue` is met. No tissue gives no coordinates and a `reason`, no exception.
/// Throws attn::Error without a resolution (`Slide::require_mpp`) or for too much upsampling;
/// Interrupted; also where the grids have more than five million places, or more than the share
/// `max_unreadable` of the tissue cannot be decoded. Equal tiles of two pieces whose grids coincide
/// are kept once.
Tiles tile_slide(const Slide& slide, const TissueOptions& tissue, const TileOptions& options,
                 const attn::Hooks& hooks = {}, int threads = 1, double max_unreadable = 1);
/// The same on a mask that is already there.
Tiles tile_slide(const Slide& slide, const TissueMask& mask, const TissueOptions& tissue,
                 const TileOptions& options, const attn::Hooks& hooks = {});

/// Pixels of one tile (size x size, RGB): read at `geometry`, reduced by area or enlarged
/// bicubically. Throws UnreadableRegion.
cv::Mat read_tile(const Slide& slide, const TileGeometry& geometry, int64_t x, int64_t y);

/// All that determines a slide's tiles, as written to `attn_config`:
/// {format_version, kind: "tiles", slide: {path, name, bytes, mtime_ns, id, width, height, vendor},
/// mpp, mpp_source,
///  tissue: {...}, tile: {...}, geometry: {...}}. `slide.path` only finds the slide again and is
///  not compared.
nlohmann::json tiles_config(const Slide& slide, const TissueOptions& tissue,
                            const TileOptions& options);

/// Writes CLAM's layout: dataset `coords` int64 (N,2), chunks (1,2), unlimited rows, with the
/// attributes patch_size (px at patch_level), patch_level, downsample, downsampled_level_dim,
/// level_dim, name, save_path; and the root attribute `attn_config`, and `unreadable_share` where
/// that is not 0. N = 0 is written too. Whole or not at all. Throws attn::Error with the reason.
void write_tiles(const std::filesystem::path& path, const Tiles& tiles);

/// Reads what `write_tiles` or CLAM wrote (int32 or int64 coordinates). Throws attn::Error for
/// anything else, and for a file of a newer format version.
Tiles read_tiles(const std::filesystem::path& path);

/// Whether `path` exists, reads whole, was made with `config` (as by `tiles_config`), and no more
/// than the share `max_unreadable` of the tissue could not be decoded. Throws attn::NewerFormat for
/// a file of a newer format version, which is not to be made again.
bool tiles_current(const std::filesystem::path& path, const nlohmann::json& config,
                   double max_unreadable = 1);

/// CSV: slide_id, tiles, mpp, tile_px, level, footprint_px, slide_mpp, slide_mpp_source, unreadable
/// (share of the tissue), note; a row for each tile file in `folder` that reads whole, sorted by
/// name. Atomic.
void write_tile_table(const std::filesystem::path& path, const std::filesystem::path& folder);

}  // namespace pathology
