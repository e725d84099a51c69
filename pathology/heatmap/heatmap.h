// Attention over a slide as pictures: overlay by percentile, and the tiles that were looked at
// most.
//
// Pictures show tissue only: never the slide's label or macro image, nor anything that names a
// patient.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <opencv2/core/mat.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/slide/slide.h"

namespace pathology {

/// The tiles of one slide and what a model gave each. All vectors have one entry a tile.
struct TileScores {
  std::vector<std::array<int64_t, 2>> coords;  ///< (x, y) of the top-left corner, level-0 pixels
  int64_t footprint = 0;                       ///< side of a tile in level-0 pixels
  std::vector<double> score;                   ///< attention weight; any finite numbers
};

/// Share of `reference` that is below each score, ties counted half: rank_i = (#{r < s_i} + #{r =
/// s_i} / 2) / |r|, in [0, 1]. Without reference the scores are ranked among themselves. With
/// overlapping tiles CLAM ranks against the tiles without overlap: give those as reference. Throws
/// attn::Error when a score is NaN.
std::vector<double> percentile_rank(std::span<const double> score,
                                    std::span<const double> reference = {});

/// Indices of tiles of which no two overlap, in order: each that none before it overlaps. Of a
/// grid with overlap, about the grid without.
std::vector<int64_t> apart(const TileScores& tiles);

struct HeatmapOptions {
  int max_side = 2000;              ///< of the picture's slide part, pixels
  double alpha = 0.4;               ///< weight of the colour over the slide, 0 to 1
  std::string color_map = "turbo";  ///< turbo, jet, viridis, inferno, magma, cividis
  bool blur = false;   ///< Gaussian over the ranks, sigma half a tile, inside the tiles only
  bool legend = true;  ///< colour bar and scale bar in a margin
  std::string title;   ///< printed above when not empty
};

/// The overlay, RGB 8 bit. Ranks are within the slide: the tile looked at most is at the top of the
/// colours in every slide, with or without disease. Each pixel takes the mean percentile rank of
/// the tiles over it, coloured, over the slide read from its best level (in strips where there is
/// no low one). Pixels that no tile covers stay as they are. The scale bar is left out where the
/// slide states no resolution. Throws attn::Error for an unknown colour map, sizes that do not fit
/// together, or an unreadable slide.
cv::Mat draw_heatmap(const Slide& slide, const TileScores& tiles, const HeatmapOptions& options,
                     const attn::Hooks& hooks, std::span<const double> reference = {});

struct TopTilesOptions {
  int count = 15;
  int columns = 5;
  int tile_side = 224;  ///< pixels of each tile in the montage
  std::optional<std::filesystem::path>
      folder;  ///< also write every tile on its own as RANK_x_y.png
};

/// The `count` tiles of highest score, best first, ties in tile order, as indices into the vectors.
std::vector<int64_t> top_tiles(const TileScores& tiles, int count);

/// A montage of the top tiles with rank, score ("weight": shares of 1 over the slide) and level-0
/// coordinates under each, RGB 8 bit. An unreadable
/// tile is drawn grey with the word "unreadable" and told through hooks.warn.
cv::Mat draw_top_tiles(const Slide& slide, const TileScores& tiles, const TopTilesOptions& options,
                       const attn::Hooks& hooks);

/// Writes an RGB picture as PNG, atomically.
void write_png(const std::filesystem::path& path, const cv::Mat& rgb);

/// The PNG file's bytes, for embedding into a report.
std::string encode_png(const cv::Mat& rgb);

/// The same as JPEG, about a tenth of the size; `quality` 1 to 100.
std::string encode_jpeg(const cv::Mat& rgb, int quality = 85);

struct AttentionGeoJsonOptions {
  double min_percentile = 0;  ///< only tiles whose rank is at least this, 0 to 1
  std::string color_map = "turbo";
  int color_classes =
      10;  ///< the classes "Attention percentile 90-100" etc. that QuPath colours by
};

/// Writes one square a tile (QuPath: tile objects) with the measurements "attention" and
/// "attention_percentile" (0 to 1) and a class by percentile with its colour. Level-0 pixels.
/// `reference` as for percentile_rank.
void write_attention_geojson(const std::filesystem::path& path, const TileScores& tiles,
                             const AttentionGeoJsonOptions& options,
                             std::span<const double> reference = {});

}  // namespace pathology
