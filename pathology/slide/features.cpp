#include "pathology/slide/features.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>

#include "pathology/slide/parallel.h"

namespace pathology {
namespace {

/// Tiles in an order in which neighbours follow one another in both directions, so that the slide's
/// own tiles, which several of ours share, are still in OpenSlide's cache: blocks of kOrderBlock x
/// kOrderBlock tiles.
std::vector<std::size_t> reading_order(const Tiles& tiles) {
  constexpr int64_t kOrderBlock = 8;
  const int64_t side = std::max<int64_t>(1, tiles.footprint) * kOrderBlock;
  const auto key = [&](std::size_t i) {
    const auto [x, y] = tiles.coords[i];
    return std::array<int64_t, 4>{y / side, x / side, y, x};
  };
  std::vector<std::size_t> order(tiles.coords.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  return order;
}

/// Features of all tiles, and which of them exist.
struct Sheet {
  std::vector<float> values;   // (tiles, dim), rows of unreadable tiles unset
  std::vector<char> readable;  // per tile
  std::size_t first_unreadable = std::numeric_limits<std::size_t>::max();
  std::string first_error;  // of tile `first_unreadable`: the same for any number of threads
};

Sheet encode_all(const Slide& slide, const Tiles& tiles, const Encoder& encoder, int threads,
                 const attn::Hooks& hooks, double max_unreadable) {
  const auto count = static_cast<int64_t>(tiles.coords.size());
  const auto dim = static_cast<std::size_t>(encoder.dim());
  const int64_t batch = std::max(1, encoder.batch_size());
  const std::vector<std::size_t> order = reading_order(tiles);
  const double most = max_unreadable * static_cast<double>(count);
  int64_t unreadable = 0;
  Sheet sheet;
  sheet.values.resize(tiles.coords.size() * dim);
  sheet.readable.resize(tiles.coords.size());
  std::mutex mutex;
  parallel_for((count + batch - 1) / batch, threads, batch == 1 ? "tiles" : "batches", hooks,
               [&](int64_t index) {
                 std::vector<cv::Mat> pixels;
                 std::vector<std::size_t> rows;
                 for (int64_t i = index * batch; i < std::min(count, (index + 1) * batch); ++i) {
                   const std::size_t row = order[static_cast<std::size_t>(i)];
                   try {
                     pixels.push_back(read_tile(slide, tiles.geometry, tiles.coords[row][0],
                                                tiles.coords[row][1]));
                     rows.push_back(row);
                   } catch (const UnreadableRegion& error) {
                     const std::lock_guard lock(mutex);
                     if (row < sheet.first_unreadable) {
                       sheet.first_unreadable = row;
                       sheet.first_error = error.what();
                     }
                     if (static_cast<double>(++unreadable) > most && unreadable < count)
                       throw too_unreadable(slide, "more than " + percent_text(max_unreadable),
                                            std::to_string(count) + " tiles", max_unreadable,
                                            sheet.first_error);
                   }
                 }
                 std::vector<float> out(rows.size() * dim);
                 if (!rows.empty()) encoder.encode(pixels, tiles.mpp, out);
                 for (std::size_t i = 0; i < rows.size(); ++i) {
                   std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(i * dim), dim,
                               sheet.values.begin() + static_cast<std::ptrdiff_t>(rows[i] * dim));
                   sheet.readable[rows[i]] = 1;
                 }
               });
  return sheet;
}

}  // namespace

Tiles with_mpp(Tiles tiles, const Slide& slide) {
  if (tiles.mpp == 0)
    tiles.mpp = slide.require_mpp() * static_cast<double>(tiles.footprint) / tiles.geometry.size;
  return tiles;
}

Features extract_features(const Slide& slide, const Tiles& given, const Encoder& encoder,
                          int threads, const attn::Hooks& hooks, double max_unreadable) {
  const Tiles tiles = given.coords.empty() ? given : with_mpp(given, slide);
  Features features;
  features.slide_id = slide.id();
  features.dim = encoder.dim();
  features.footprint = tiles.footprint;
  features.reason = tiles.reason;
  features.config = features_config(tiles, encoder);
  for (const FeatureName& feature : encoder.feature_names()) features.names.push_back(feature.name);
  if (tiles.coords.empty()) return features;
  slide.level(tiles.geometry.level);  // the tiles' file may be another slide's

  Sheet sheet = encode_all(slide, tiles, encoder, threads, hooks, max_unreadable);
  const auto dim = static_cast<std::size_t>(features.dim);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < tiles.coords.size(); ++i) {
    if (sheet.readable[i] == 0) {
      features.unreadable_coords.push_back(tiles.coords[i]);
      continue;
    }
    if (kept != i)
      std::copy_n(sheet.values.begin() + static_cast<std::ptrdiff_t>(i * dim), dim,
                  sheet.values.begin() + static_cast<std::ptrdiff_t>(kept * dim));
    features.coords.push_back(tiles.coords[i]);
    ++kept;
  }
  features.unreadable = static_cast<int64_t>(features.unreadable_coords.size());
  if (kept == 0)
    throw attn::Error("slide " + slide.path().string() + ": not one of its " +
                      std::to_string(tiles.coords.size()) + " tiles can be decoded (" +
                      sheet.first_error + "); copy it again from its origin");
  if (features.unreadable > 0)
    hooks.warning("slide " + slide.path().string() + ": " + std::to_string(features.unreadable) +
                  " of " + std::to_string(tiles.coords.size()) +
                  " tiles cannot be decoded and are left out (" + sheet.first_error + ")");
  sheet.values.resize(kept * dim);
  features.values = std::move(sheet.values);
  return features;
}

}  // namespace pathology
