#include "pathology/slide/tiles.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <set>

#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "pathology/slide/polygon.h"

namespace pathology {
namespace {

using attn::io::number_text;

constexpr double kExactLevel = 0.01;  // a level this near to the request is taken as it is
constexpr int kMaxTileRead = 8192;    // px a side: 450 MB while one tile is made
constexpr double kMostPlaces = 5e6;   // of all grids of a slide
constexpr int kTestCount = 4;
constexpr const char* kTestNames[kTestCount] = {"four_pt", "four_pt_hard", "center",
                                                "basic"};  // CLAM's words

double mean_downsample(const SlideLevel& level) {
  return (level.downsample_x + level.downsample_y) / 2;
}

/// CLAM's contour tests at one candidate.
bool passes(const Polygon& outline, TileTest test, int64_t x, int64_t y, int64_t footprint) {
  const auto inside = [&](int64_t px, int64_t py) {
    return outline.locate(static_cast<double>(px), static_cast<double>(py)) >= 0;
  };
  const int64_t cx = x + footprint / 2, cy = y + footprint / 2;
  const int64_t shift = footprint / 2 / 2;
  switch (test) {
    case TileTest::corner:
      return inside(x, y);
    case TileTest::center:
      return inside(cx, cy);
    case TileTest::four_points:
      return inside(cx - shift, cy - shift) || inside(cx + shift, cy + shift) ||
             inside(cx + shift, cy - shift) || inside(cx - shift, cy + shift);
    case TileTest::four_points_hard:
      return inside(cx - shift, cy - shift) && inside(cx + shift, cy + shift) &&
             inside(cx + shift, cy - shift) && inside(cx - shift, cy + shift);
  }
  return false;
}

/// Share of a tile that is tissue in the mask; what lies outside the mask is none.
double tissue_share(const TissueMask& mask, int64_t x, int64_t y, int64_t footprint) {
  const auto at = [](double value, double scale) {
    return static_cast<int>(std::lround(value / scale));
  };
  const auto fx = static_cast<double>(x), fy = static_cast<double>(y),
             side = static_cast<double>(footprint);
  const cv::Rect whole(
      cv::Point(at(fx, mask.downsample_x), at(fy, mask.downsample_y)),
      cv::Size(std::max(1, at(side, mask.downsample_x)), std::max(1, at(side, mask.downsample_y))));
  const cv::Rect part = whole & cv::Rect({0, 0}, mask.mask.size());
  return part.empty() ? 0.0 : static_cast<double>(cv::countNonZero(mask.mask(part))) / whole.area();
}

/// Refuses grids that would never be walked through.
void check_places(const Slide& slide, const TissueMask& mask, const TileOptions& options,
                  const TileGeometry& geometry) {
  const auto step = static_cast<double>(geometry.step);
  double places = 0;
  for (const TissuePiece& piece : mask.pieces) {
    const cv::Rect box = cv::boundingRect(piece.outline);
    places += std::ceil(box.width / step) * std::ceil(box.height / step);
  }
  if (places > kMostPlaces)
    throw attn::UsageError(
        "slide " + slide.path().string() + ": tiles of " + std::to_string(options.size) +
        " px with an overlap of " + std::to_string(options.overlap) + " px have " +
        number_text(std::round(places / 1e5) / 10) +
        " million places on its tissue; expected at most " + number_text(kMostPlaces / 1e6) +
        ": ask for larger tiles or less overlap");
}

/// Adds the tiles of one piece to `found`, column by column.
void tile_piece(const Slide& slide, const TissuePiece& piece, const TissueMask& mask,
                const TileOptions& options, const TileGeometry& geometry, const attn::Hooks& hooks,
                std::set<std::array<int64_t, 2>>& seen,
                std::vector<std::array<int64_t, 2>>& found) {
  const Polygon outline(piece.outline);
  std::vector<Polygon> holes;
  for (const Contour& hole : piece.holes) holes.emplace_back(hole);
  const cv::Rect& box = outline.bounds();
  int64_t stop_x = box.x + box.width, stop_y = box.y + box.height;
  if (!options.padding) {
    stop_x = std::min(stop_x, slide.width() - geometry.footprint + 1);
    stop_y = std::min(stop_y, slide.height() - geometry.footprint + 1);
  }
  const double half = static_cast<double>(geometry.footprint) / 2;
  for (int64_t x = box.x; x < stop_x; x += geometry.step) {
    hooks.check();
    for (int64_t y = box.y; y < stop_y; y += geometry.step) {
      if (!passes(outline, options.test, x, y, geometry.footprint)) continue;
      const auto in_hole = [&](const Polygon& hole) {
        return hole.locate(static_cast<double>(x) + half, static_cast<double>(y) + half) > 0;
      };
      if (std::any_of(holes.begin(), holes.end(), in_hole)) continue;
      if (options.min_tissue > 0 &&
          tissue_share(mask, x, y, geometry.footprint) < options.min_tissue)
        continue;
      if (seen.insert({x, y}).second) found.push_back({x, y});
    }
  }
}

std::string why_empty(const Slide& slide, const TissueMask& mask, const TileOptions& options,
                      const TileGeometry& geometry) {
  const std::string advice =
      (mask.unreadable_area > 0
           ? "; " + percent_text(mask.unreadable_area) + " of the slide cannot be decoded"
           : "") +
      "; look at the tissue preview, and try a lower saturation threshold or the preset biopsy";
  if (mask.pieces_found == 0)
    return "no tissue: no pixel is more saturated than " + number_text(mask.threshold) + advice;
  if (mask.pieces.empty())
    return "no tissue: all of the " + std::to_string(mask.pieces_found) +
           " pieces found are smaller than the smallest area kept" + advice;
  if (!options.padding && std::min(slide.width(), slide.height()) < geometry.footprint)
    return "the slide of " + std::to_string(slide.width()) + " x " +
           std::to_string(slide.height()) + " px is smaller than one tile of " +
           std::to_string(geometry.footprint) + " px, and padding is off";
  return "no tile passes the contour test and the smallest share of tissue (" +
         number_text(options.min_tissue) + ")";
}

}  // namespace

void check(const TileOptions& o) {
  const auto demand = [](bool holds, const std::string& sentence) {
    if (!holds) throw attn::UsageError("tile options: " + sentence);
  };
  demand(o.mpp >= kMinMpp && o.mpp <= 4 * kMaxMpp, "mpp is " + number_text(o.mpp) + "; expected " +
                                                       number_text(kMinMpp) + " to " +
                                                       number_text(4 * kMaxMpp) + " um per pixel");
  demand(o.size >= 8 && o.size <= 4096,
         "size is " + std::to_string(o.size) + "; expected 8 to 4096 px");
  demand(o.overlap >= 0 && o.overlap < o.size, "overlap is " + std::to_string(o.overlap) +
                                                   "; expected 0 to " + std::to_string(o.size - 1) +
                                                   " px");
  demand(o.min_tissue >= 0 && o.min_tissue <= 1,
         "min_tissue is " + number_text(o.min_tissue) + "; expected 0 to 1");
  demand(o.max_upsampling >= 1 && o.max_upsampling <= 16,
         "max_upsampling is " + number_text(o.max_upsampling) + "; expected 1 to 16");
}

nlohmann::json to_json(const TileOptions& o) {
  return {{"mpp", o.mpp},
          {"size", o.size},
          {"overlap", o.overlap},
          {"test", kTestNames[static_cast<int>(o.test)]},
          {"padding", o.padding},
          {"min_tissue", o.min_tissue},
          {"max_upsampling", o.max_upsampling}};
}

TileOptions tile_options_from_json(const nlohmann::json& json) {
  const std::string where = "tile options";
  TileOptions o;
  o.mpp = attn::io::get<double>(json, "mpp", where);
  o.size = attn::io::get<int>(json, "size", where);
  o.overlap = attn::io::get<int>(json, "overlap", where);
  const auto test = attn::io::get<std::string>(json, "test", where);
  const auto* const name = std::find(kTestNames, kTestNames + kTestCount, test);
  if (name == kTestNames + kTestCount)
    throw attn::Error("tile options: key test: found " + attn::io::quote_text(test) +
                      "; expected four_pt, four_pt_hard, center or basic");
  o.test = static_cast<TileTest>(name - kTestNames);
  o.padding = attn::io::get<bool>(json, "padding", where);
  o.min_tissue = attn::io::get<double>(json, "min_tissue", where);
  o.max_upsampling = attn::io::get<double>(json, "max_upsampling", where);
  check(o);
  return o;
}

TileGeometry tile_geometry(const Slide& slide, const TileOptions& options) {
  check(options);
  const double slide_mpp = slide.require_mpp();
  double scale = options.mpp / slide_mpp;  // level-0 px per px of the tile
  if (scale * options.max_upsampling < 1 - kExactLevel)
    throw attn::UsageError("slide " + slide.path().string() + " has " + number_text(slide_mpp) +
                           " um per pixel, and tiles of " + number_text(options.mpp) +
                           " would enlarge it " + number_text(std::round(100 / scale) / 100) +
                           " times; ask for " + number_text(slide_mpp) +
                           " or more, or allow it with --max-upsampling (now " +
                           number_text(options.max_upsampling) + ")");
  TileGeometry geometry;
  geometry.size = options.size;
  geometry.read_size = options.size;
  bool exact = false;
  double nearest = kExactLevel;
  for (int i = 0; i < slide.level_count(); ++i) {
    const double off = std::abs(mean_downsample(slide.level(i)) / scale - 1);
    if (off > nearest || (exact && off == nearest)) continue;
    exact = true;
    nearest = off;
    geometry.level = i;
  }
  if (exact) {
    scale = mean_downsample(slide.level(geometry.level));
  } else {
    geometry.level = slide.best_level(scale);
    const double reading = options.size * scale / mean_downsample(slide.level(geometry.level));
    if (reading > kMaxTileRead)
      throw attn::UsageError(
          "slide " + slide.path().string() + ": a tile of " + std::to_string(options.size) +
          " px at " + number_text(options.mpp) + " um per pixel would be read from " +
          number_text(std::round(reading)) + " px of level " + std::to_string(geometry.level) +
          "; expected at most " + std::to_string(kMaxTileRead) + ": ask for a smaller mpp or tile");
    geometry.read_size = std::max(1, static_cast<int>(std::lround(reading)));
  }
  geometry.footprint = std::max<int64_t>(1, std::llround(options.size * scale));
  geometry.step = std::max<int64_t>(1, std::llround((options.size - options.overlap) * scale));
  return geometry;
}

Tiles tile_slide(const Slide& slide, const TissueMask& mask, const TissueOptions& tissue,
                 const TileOptions& options, const attn::Hooks& hooks) {
  Tiles tiles;
  tiles.slide_id = slide.id();
  tiles.slide_path = slide.path();
  tiles.geometry = tile_geometry(slide, options);
  tiles.footprint = tiles.geometry.footprint;
  tiles.mpp = slide.require_mpp() * static_cast<double>(tiles.footprint) / options.size;
  const SlideLevel& level = slide.level(tiles.geometry.level);
  tiles.downsample = {level.downsample_x, level.downsample_y};
  tiles.level_size = {level.width, level.height};
  tiles.config = tiles_config(slide, tissue, options);
  tiles.unreadable = mask.unreadable;
  check_places(slide, mask, options, tiles.geometry);
  std::set<std::array<int64_t, 2>> seen;
  for (const TissuePiece& piece : mask.pieces)
    tile_piece(slide, piece, mask, options, tiles.geometry, hooks, seen, tiles.coords);
  if (tiles.coords.empty()) tiles.reason = why_empty(slide, mask, options, tiles.geometry);
  return tiles;
}

Tiles tile_slide(const Slide& slide, const TissueOptions& tissue, const TileOptions& options,
                 const attn::Hooks& hooks, int threads, double max_unreadable) {
  tile_geometry(slide, options);  // refuses before the work
  const TissueMask mask = find_tissue(slide, tissue, hooks, threads, max_unreadable);
  return tile_slide(slide, mask, tissue, options, hooks);
}

cv::Mat read_tile(const Slide& slide, const TileGeometry& geometry, int64_t x, int64_t y) {
  cv::Mat rgb = slide.read(geometry.level, x, y, geometry.read_size, geometry.read_size);
  if (geometry.read_size == geometry.size) return rgb;
  cv::Mat tile;
  cv::resize(rgb, tile, {geometry.size, geometry.size}, 0, 0,
             geometry.read_size > geometry.size ? cv::INTER_AREA : cv::INTER_CUBIC);
  return tile;
}

}  // namespace pathology
