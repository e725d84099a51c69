// Ranks, best tiles and GeoJSON: what needs no pixel of the slide.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "attn/error.h"
#include "pathology/geojson/geojson.h"
#include "pathology/heatmap/color_map.h"
#include "pathology/heatmap/heatmap.h"
#include "pathology/heatmap/tile_scores.h"

namespace pathology {

void check(const TileScores& tiles) {
  if (tiles.coords.size() != tiles.score.size()) {
    throw attn::Error(fmt::format(
        "heat map: {} tile coordinates but {} attention values; both must come from the same bag",
        tiles.coords.size(), tiles.score.size()));
  }
  if (!tiles.coords.empty() && tiles.footprint <= 0) {
    throw attn::Error(
        fmt::format("heat map: the tiles' side is {} level-0 pixels, expected a positive number",
                    tiles.footprint));
  }
  for (size_t i = 0; i < tiles.score.size(); ++i) {
    if (!std::isfinite(tiles.score[i])) {
      throw attn::Error(fmt::format(
          "heat map: the attention of tile {} is {}, expected a finite number", i, tiles.score[i]));
    }
  }
}

std::vector<double> percentile_rank(std::span<const double> score,
                                    std::span<const double> reference) {
  std::vector<double> sorted(reference.begin(), reference.end());
  if (reference.empty()) sorted.assign(score.begin(), score.end());
  for (const std::span<const double> values : {score, std::span<const double>(sorted)}) {
    if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
      throw attn::Error("percentile rank: an attention value is not a number");
    }
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> rank;
  rank.reserve(score.size());
  for (const double s : score) {
    const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), s);
    const auto below = static_cast<double>(low - sorted.begin());
    const auto ties = static_cast<double>(high - low);
    rank.push_back((below + ties / 2) / static_cast<double>(sorted.size()));
  }
  return rank;
}

std::vector<int64_t> apart(const TileScores& tiles) {
  check(tiles);
  const int64_t side = std::max<int64_t>(1, tiles.footprint);
  const auto cell = [&](int64_t v) { return v >= 0 ? v / side : -((side - 1 - v) / side); };
  std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> taken;  // by cells of one tile's side
  const auto is_free = [&](int64_t x, int64_t y) {
    for (int64_t cy = cell(y) - 1; cy <= cell(y) + 1; ++cy)
      for (int64_t cx = cell(x) - 1; cx <= cell(x) + 1; ++cx) {
        const auto found = taken.find({cx, cy});
        if (found == taken.end()) continue;
        for (const size_t i : found->second)
          if (std::abs(tiles.coords[i][0] - x) < side && std::abs(tiles.coords[i][1] - y) < side)
            return false;
      }
    return true;
  };
  std::vector<int64_t> chosen;
  for (size_t i = 0; i < tiles.coords.size(); ++i) {
    const auto [x, y] = tiles.coords[i];
    if (!is_free(x, y)) continue;
    taken[{cell(x), cell(y)}].push_back(i);
    chosen.push_back(static_cast<int64_t>(i));
  }
  return chosen;
}

std::vector<int64_t> top_tiles(const TileScores& tiles, int count) {
  check(tiles);
  std::vector<int64_t> order(tiles.score.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return tiles.score[static_cast<size_t>(a)] > tiles.score[static_cast<size_t>(b)];
  });
  order.resize(std::min(order.size(), static_cast<size_t>(std::max(count, 0))));
  return order;
}

void write_attention_geojson(const std::filesystem::path& path, const TileScores& tiles,
                             const AttentionGeoJsonOptions& options,
                             std::span<const double> reference) {
  check(tiles);
  if (options.color_classes < 1 || options.color_classes > 100) {
    throw attn::UsageError(
        fmt::format("heat map: {} colour classes, expected 1 to 100", options.color_classes));
  }
  const ColorMap colors(options.color_map);
  const std::vector<double> rank = percentile_rank(tiles.score, reference);
  std::vector<Outline> outlines;
  for (size_t i = 0; i < rank.size(); ++i) {
    if (rank[i] < options.min_percentile) continue;
    const int last = options.color_classes - 1;
    const int part = std::min(static_cast<int>(rank[i] * options.color_classes), last);
    const double low = 100.0 * part / options.color_classes;
    const double high = 100.0 * (part + 1) / options.color_classes;
    const auto x = static_cast<double>(tiles.coords[i][0]);
    const auto y = static_cast<double>(tiles.coords[i][1]);
    const auto side = static_cast<double>(tiles.footprint);
    Outline outline;
    outline.region.exterior = {{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}};
    outline.object_type = "tile";
    outline.classification = fmt::format("Attention percentile {:.0f}-{:.0f}", low, high);
    outline.color = colors(last == 0 ? 1.0 : static_cast<double>(part) / last);
    outline.measurements = {{"attention", tiles.score[i]}, {"attention_percentile", rank[i]}};
    outlines.push_back(std::move(outline));
  }
  write_geojson(path, outlines);
}

}  // namespace pathology
