#include "pathology/heatmap/heatmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "pathology/heatmap/color_map.h"
#include "pathology/heatmap/furniture.h"
#include "pathology/heatmap/tile_scores.h"

namespace pathology {
namespace {

void check(const HeatmapOptions& options) {
  if (options.max_side < 64 || options.max_side > 20000) {
    throw attn::UsageError(
        fmt::format("heat map: picture side {}, expected 64 to 20000 pixels", options.max_side));
  }
  if (!(options.alpha >= 0 && options.alpha <= 1)) {
    throw attn::UsageError(fmt::format("heat map: alpha {}, expected 0 to 1", options.alpha));
  }
}

// Mean rank of the tiles over each pixel of the picture, and how many there are.
struct RankMap {
  cv::Mat1f sum;
  cv::Mat1f count;
};

cv::Rect tile_rect(const TileScores& tiles, size_t i, double scale_x, double scale_y,
                   cv::Size size) {
  const auto x = static_cast<double>(tiles.coords[i][0]);
  const auto y = static_cast<double>(tiles.coords[i][1]);
  const auto side = static_cast<double>(tiles.footprint);
  const auto at = [](double value) {
    return static_cast<int>(std::lround(std::clamp(value, -1e6, 1e6)));
  };
  const cv::Point from(at(x * scale_x), at(y * scale_y));
  // Rounding both ends the same way leaves no gap between neighbours; a tile keeps at least one
  // pixel.
  const cv::Point to(std::max(at((x + side) * scale_x), from.x + 1),
                     std::max(at((y + side) * scale_y), from.y + 1));
  return cv::Rect(from, to) & cv::Rect({0, 0}, size);
}

RankMap rank_map(const TileScores& tiles, const std::vector<double>& rank, double scale_x,
                 double scale_y, cv::Size size) {
  RankMap map{cv::Mat1f(size, 0.0F), cv::Mat1f(size, 0.0F)};
  for (size_t i = 0; i < rank.size(); ++i) {
    const cv::Rect rect = tile_rect(tiles, i, scale_x, scale_y, size);
    if (rect.area() == 0) continue;
    map.sum(rect) += static_cast<float>(rank[i]);
    map.count(rect) += 1.0F;
  }
  return map;
}

// Gaussian mean over covered pixels only: blurred values over blurred coverage, so that borders do
// not fade.
void blur_inside(RankMap& map, double sigma) {
  cv::Mat1f mean(map.sum.size(), 0.0F);
  cv::Mat1f cover(map.sum.size(), 0.0F);
  const cv::Mat1b covered = map.count > 0;
  cv::divide(map.sum, map.count, mean);
  mean.setTo(0, ~covered);
  cover.setTo(1, covered);
  cv::Mat1f cover_blurred;
  cv::GaussianBlur(mean, mean, {0, 0}, sigma);
  cv::GaussianBlur(cover, cover_blurred, {0, 0}, sigma);
  cv::divide(mean, cv::max(cover_blurred, 1e-6F), map.sum);
  cover.copyTo(map.count);
}

void lay_over(cv::Mat3b picture, const RankMap& map, const ColorMap& colors, double alpha) {
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      if (map.count(y, x) <= 0) continue;
      const std::array<uint8_t, 3> color = colors(map.sum(y, x) / map.count(y, x));
      for (int c = 0; c < 3; ++c) {
        picture(y, x)[c] = cv::saturate_cast<uchar>((1 - alpha) * picture(y, x)[c] +
                                                    alpha * color[static_cast<size_t>(c)]);
      }
    }
  }
}

std::string encode(const cv::Mat& rgb, const std::string& extension,
                   const std::vector<int>& parameters) {
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<uchar> bytes;
  if (!cv::imencode(extension, bgr, bytes, parameters)) {
    throw attn::Error("a picture of " + std::to_string(rgb.cols) + " x " +
                      std::to_string(rgb.rows) + " pixels could not be encoded as " + extension);
  }
  return {bytes.begin(), bytes.end()};
}

}  // namespace

cv::Mat draw_heatmap(const Slide& slide, const TileScores& tiles, const HeatmapOptions& options,
                     const attn::Hooks& hooks, std::span<const double> reference) {
  check(options);
  check(tiles);
  const ColorMap colors(options.color_map);
  const std::vector<double> rank = percentile_rank(tiles.score, reference);
  hooks.check();
  int64_t unreadable = 0;
  cv::Mat picture = slide.thumbnail(options.max_side, &unreadable);
  if (unreadable > 0) {
    hooks.warning(
        fmt::format("{}: {} blocks of the slide cannot be read and are grey in the heat map",
                    slide.id(), unreadable));
  }
  hooks.check();
  const double scale_x = picture.cols / static_cast<double>(slide.width());
  const double scale_y = picture.rows / static_cast<double>(slide.height());
  RankMap map = rank_map(tiles, rank, scale_x, scale_y, picture.size());
  if (options.blur && !rank.empty()) {
    blur_inside(map, std::max(0.5 * static_cast<double>(tiles.footprint) * scale_x, 0.5));
  }
  lay_over(picture, map, colors, options.alpha);
  if (!options.legend && options.title.empty()) return picture;
  Furniture furniture;
  furniture.title = options.title;
  furniture.color_bar = options.legend;
  if (options.legend && slide.mpp()) furniture.um_per_pixel = *slide.mpp() / scale_x;
  return with_furniture(picture, furniture, colors);
}

std::string encode_png(const cv::Mat& rgb) {
  return encode(rgb, ".png", {});
}

std::string encode_jpeg(const cv::Mat& rgb, int quality) {
  return encode(rgb, ".jpg", {cv::IMWRITE_JPEG_QUALITY, std::clamp(quality, 1, 100)});
}

void write_png(const std::filesystem::path& path, const cv::Mat& rgb) {
  attn::io::write_file(path, encode_png(rgb));
}

}  // namespace pathology
