#include "pathology/slide/blocks.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <opencv2/imgproc.hpp>

#include "pathology/slide/parallel.h"

namespace pathology {
namespace {

constexpr int kBlockSide = 2048;
constexpr int kPartSide = 64;    // an unreadable block is cut down to this, or to a stored tile
constexpr int kReducedPart = 8;  // and no further than this in the reduced picture
constexpr int kProbeSide = 256;  // of the parts looked at before a large block is cut
constexpr int64_t kFinerSide = 4096;  // largest read of a part at the next finer level

constexpr int64_t kManyBlocks = 16;  // above: look at a few parts before a block is cut

/// One call of `read_reduced`.
struct Job {
  const Slide& slide;
  int level, factor;
  const attn::Hooks& hooks;
  const std::function<void(int x, int y, const cv::Mat& rgb)>& take;
};

/// `place` of the reduced picture, read from level `from`. Throws UnreadableRegion.
cv::Mat read_place(const Job& job, const cv::Rect& place, int from) {
  const SlideLevel& l = job.slide.level(job.level);
  const SlideLevel& f = job.slide.level(from);
  const auto side = [&](int length, double ratio) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(length) * job.factor * ratio));
  };
  const int64_t w = side(place.width, l.downsample_x / f.downsample_x);
  const int64_t h = side(place.height, l.downsample_y / f.downsample_y);
  if (from != job.level && std::max(w, h) > kFinerSide)
    throw UnreadableRegion("the next finer level is too fine to stand in");
  const int64_t x0 = std::llround(static_cast<double>(place.x) * job.factor * l.downsample_x);
  const int64_t y0 = std::llround(static_cast<double>(place.y) * job.factor * l.downsample_y);
  cv::Mat rgb = job.slide.read(from, x0, y0, static_cast<int>(w), static_cast<int>(h));
  if (rgb.size() == place.size()) return rgb;
  cv::Mat reduced;
  cv::resize(rgb, reduced, place.size(), 0, 0, cv::INTER_AREA);
  return reduced;
}

/// Whether one of five parts spread over `block` can be read. On a large slide that is unreadable
/// as a whole this saves all the failing reads of cutting.
bool any_part_readable(const Job& job, const cv::Rect& block) {
  const int side = std::max(1, kProbeSide / job.factor);
  const int right = std::max(0, block.width - side), down = std::max(0, block.height - side);
  for (const cv::Point& at : {cv::Point(right / 2, down / 2), cv::Point(0, 0), cv::Point(right, 0),
                              cv::Point(0, down), cv::Point(right, down)}) {
    try {
      read_place(job, cv::Rect(block.tl() + at, cv::Size(side, side)) & block, job.level);
      return true;
    } catch (const UnreadableRegion&) {
      continue;
    }
  }
  return false;
}

/// A length of the reduced picture, and the side of the slide's stored tiles along it (0: not
/// known, or not on whole pixels of the picture). Damage ends where a stored tile does, and an
/// unreadable read costs an opening of the slide, so cuts along tiles are both sharper and far
/// fewer.
struct Span {
  int from, length, tile;
  bool in_one_tile() const { return tile > 0 && from / tile == (from + length - 1) / tile; }
  /// Where to cut: at the tiles' line nearest to the middle, or half-way.
  int cut() const {
    if (tile > 0 && !in_one_tile()) {
      const int middle = from + length / 2;
      return std::clamp((middle + tile / 2) / tile * tile - from, 1, length - 1);
    }
    return length / 2;
  }
};

/// The two parts of an unreadable place; none where it is as small as damage is told.
std::vector<cv::Rect> parts_of(const Job& job, const cv::Rect& place) {
  const SlideLevel& l = job.slide.level(job.level);
  const bool aligned = job.level == 0 && job.factor == 1 && l.tile_width > 0 && l.tile_height > 0;
  const Span x{place.x, place.width, aligned ? l.tile_width : 0};
  const Span y{place.y, place.height, aligned ? l.tile_height : 0};
  const int smallest = std::max(kReducedPart, kPartSide / job.factor);
  if (aligned ? x.in_one_tile() && y.in_one_tile() : std::max(x.length, y.length) <= smallest)
    return {};
  const bool across = !x.in_one_tile() && (y.in_one_tile() || x.length >= y.length);
  cv::Rect one = place, other = place;
  if (across) {
    one.width = x.cut();
    other.x += one.width;
    other.width -= one.width;
  } else {
    one.height = y.cut();
    other.y += one.height;
    other.height -= one.height;
  }
  return {one, other};
}

/// Reads and takes `place`, or what of it can be read; lists the rest in `count`.
void read_or_cut(const Job& job, const cv::Rect& place, bool probe, BlockCount& count) {
  job.hooks.check();
  std::string why;
  try {
    job.take(place.x, place.y, read_place(job, place, job.level));
    return;
  } catch (const UnreadableRegion& error) {
    why = error.what();
  }
  const std::vector<cv::Rect> parts = parts_of(job, place);
  if (!parts.empty() && !(probe && !any_part_readable(job, place))) {
    for (const cv::Rect& part : parts) read_or_cut(job, part, false, count);
    return;
  }
  try {
    if (job.level > 0) {
      job.take(place.x, place.y, read_place(job, place, job.level - 1));
      return;
    }
  } catch (const UnreadableRegion&) {
    // As it was: the coarser level's reason is the one to tell.
  }
  if (count.unreadable.empty()) count.first_error = why;
  count.unreadable.push_back(place);
  count.unreadable_pixels += place.area();
}

}  // namespace

cv::Size reduced_size(const Slide& slide, int level, int factor) {
  const SlideLevel& l = slide.level(level);
  return {static_cast<int>((l.width + factor - 1) / factor),
          static_cast<int>((l.height + factor - 1) / factor)};
}

BlockCount read_reduced(const Slide& slide, int level, int factor, int threads,
                        const attn::Hooks& hooks,
                        const std::function<void(int x, int y, const cv::Mat& rgb)>& take,
                        double most_unreadable) {
  const cv::Size size = reduced_size(slide, level, factor);
  const int side = std::max(1, kBlockSide / factor);  // of a block in the reduced picture
  const int64_t columns = (size.width + side - 1) / side;
  const int64_t rows = (size.height + side - 1) / side;
  const Job job{slide, level, factor, hooks, take};
  BlockCount count{static_cast<int64_t>(size.width) * size.height, {}, 0, {}};
  const bool probe = level == 0 && columns * rows > kManyBlocks;
  int64_t first_block = columns * rows;  // with an unreadable part
  std::mutex mutex;
  parallel_for(columns * rows, threads, "blocks", hooks, [&](int64_t index) {
    if (const std::lock_guard lock(mutex); count.unreadable_share() > most_unreadable) return;
    const cv::Point corner(static_cast<int>(index % columns) * side,
                           static_cast<int>(index / columns) * side);
    BlockCount own;
    read_or_cut(job, cv::Rect(corner, cv::Size(side, side)) & cv::Rect({0, 0}, size), probe, own);
    if (own.unreadable.empty()) return;
    const std::lock_guard lock(mutex);
    count.unreadable.insert(count.unreadable.end(), own.unreadable.begin(), own.unreadable.end());
    count.unreadable_pixels += own.unreadable_pixels;
    if (index < first_block) {
      first_block = index;
      count.first_error = own.first_error;
    }
  });
  return count;
}

}  // namespace pathology
