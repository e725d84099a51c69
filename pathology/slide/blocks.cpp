#include "pathology/slide/blocks.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <opencv2/imgproc.hpp>

#include "pathology/slide/parallel.h"

namespace pathology {
namespace {

constexpr int kBlockSide = 2048;

}  // namespace

cv::Size reduced_size(const Slide& slide, int level, int factor) {
  const SlideLevel& l = slide.level(level);
  return {static_cast<int>((l.width + factor - 1) / factor),
          static_cast<int>((l.height + factor - 1) / factor)};
}

BlockCount read_reduced(const Slide& slide, int level, int factor, int threads,
                        const attn::Hooks& hooks,
                        const std::function<void(int x, int y, const cv::Mat& rgb)>& take) {
  const SlideLevel& l = slide.level(level);
  const cv::Size size = reduced_size(slide, level, factor);
  const int side = std::max(1, kBlockSide / factor);  // of a block in the reduced picture
  const int64_t columns = (size.width + side - 1) / side;
  const int64_t rows = (size.height + side - 1) / side;
  BlockCount count{columns * rows, 0, {}};
  std::mutex mutex;
  parallel_for(count.blocks, threads, "blocks", hooks, [&](int64_t index) {
    const int x = static_cast<int>(index % columns) * side;
    const int y = static_cast<int>(index / columns) * side;
    const int w = std::min(side, size.width - x);
    const int h = std::min(side, size.height - y);
    const int64_t x0 = std::llround(static_cast<double>(x) * factor * l.downsample_x);
    const int64_t y0 = std::llround(static_cast<double>(y) * factor * l.downsample_y);
    try {
      cv::Mat rgb = slide.read(level, x0, y0, w * factor, h * factor);
      if (factor > 1) {
        cv::Mat reduced;
        cv::resize(rgb, reduced, {w, h}, 0, 0, cv::INTER_AREA);
        rgb = reduced;
      }
      take(x, y, rgb);
    } catch (const UnreadableRegion& error) {
      const std::lock_guard lock(mutex);
      if (count.unreadable++ == 0) count.first_error = error.what();
    }
  });
  return count;
}

}  // namespace pathology
