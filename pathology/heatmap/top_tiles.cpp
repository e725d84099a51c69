#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "pathology/heatmap/furniture.h"
#include "pathology/heatmap/heatmap.h"
#include "pathology/heatmap/tile_scores.h"

namespace pathology {
namespace {

// The tile's pixels at about `side` x `side`, from the best level and never enlarged beyond level
// 0's own pixels first.
cv::Mat tile_pixels(const Slide& slide, const TileScores& tiles, int64_t index, int side) {
  const auto& corner = tiles.coords[static_cast<size_t>(index)];
  const double wanted = static_cast<double>(tiles.footprint) / side;
  const int level = slide.best_level(std::max(wanted, 1.0));
  const SlideLevel& at = slide.level(level);
  const int w = std::max(
      static_cast<int>(std::lround(static_cast<double>(tiles.footprint) / at.downsample_x)), 1);
  const int h = std::max(
      static_cast<int>(std::lround(static_cast<double>(tiles.footprint) / at.downsample_y)), 1);
  cv::Mat pixels = slide.read(level, corner[0], corner[1], w, h);
  cv::Mat out;
  cv::resize(pixels, out, {side, side}, 0, 0, w >= side ? cv::INTER_AREA : cv::INTER_CUBIC);
  return out;
}

void check(const TopTilesOptions& options) {
  if (options.count < 1 || options.count > 1000) {
    throw attn::UsageError(
        fmt::format("top tiles: {} tiles asked for, expected 1 to 1000", options.count));
  }
  if (options.columns < 1 || options.columns > 100 || options.tile_side < 16 ||
      options.tile_side > 2048) {
    throw attn::UsageError(fmt::format(
        "top tiles: {} columns of {} pixels, expected 1 to 100 columns of 16 to 2048 pixels",
        options.columns, options.tile_side));
  }
}

}  // namespace

cv::Mat draw_top_tiles(const Slide& slide, const TileScores& tiles, const TopTilesOptions& options,
                       const attn::Hooks& hooks) {
  check(options);
  const std::vector<int64_t> best = top_tiles(tiles, options.count);
  if (best.empty())
    throw attn::Error(fmt::format("{}: no tiles, so there are no top tiles to show", slide.id()));
  if (options.folder) attn::io::make_directories(*options.folder);
  const int side = options.tile_side;
  const double text = std::clamp(side / 21.0, 7.0, 14.0);
  const int gap = 8;
  const int caption = static_cast<int>(5 * text);
  const auto count = static_cast<int>(best.size());
  const int columns = std::min(options.columns, count);
  const int rows = (count + columns - 1) / columns;
  cv::Mat page(rows * (side + caption) + gap, columns * (side + gap) + gap, CV_8UC3,
               cv::Scalar(255, 255, 255));
  for (int k = 0; k < count; ++k) {
    hooks.check();
    const int64_t index = best[static_cast<size_t>(k)];
    const auto& corner = tiles.coords[static_cast<size_t>(index)];
    const cv::Rect place(gap + k % columns * (side + gap), gap + k / columns * (side + caption),
                         side, side);
    cv::Mat pixels;
    try {
      pixels = tile_pixels(slide, tiles, index, side);
    } catch (const UnreadableRegion& failure) {
      hooks.warning(failure.what());
      pixels = cv::Mat(side, side, CV_8UC3, cv::Scalar(160, 160, 160));
      put_text(pixels, "unreadable", {side / 8, side / 2}, text);
    }
    pixels.copyTo(page(place));
    if (options.folder)
      write_png(*options.folder / fmt::format("{:02}_{}_{}.png", k + 1, corner[0], corner[1]),
                pixels);
    const int y = place.y + side + static_cast<int>(1.6 * text);
    put_text(page, fmt::format("{}: weight {:.3g}", k + 1, tiles.score[static_cast<size_t>(index)]),
             {place.x, y}, text);
    put_text(page, fmt::format("x {} y {} px", corner[0], corner[1]),
             {place.x, y + static_cast<int>(1.6 * text)}, text);
    hooks.report("top tiles", k + 1, count);
  }
  return page;
}

}  // namespace pathology
