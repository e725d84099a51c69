// One slide opened for reading: a whole-slide image through OpenSlide, or a flat picture where
// OpenSlide knows no vendor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <opencv2/core/mat.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attn/error.h"
#include "pathology/slide/resolution.h"

namespace pathology {

/// A region whose pixels cannot be decoded. The slide itself stays usable: other regions can still
/// be read.
class UnreadableRegion : public attn::Error {
 public:
  using attn::Error::Error;
};

/// One level of the pyramid. `downsample` is level-0 px per px of this level, for x and y apart:
/// sizes are rounded when a level is made, so the two differ a little.
struct SlideLevel {
  int64_t width = 0, height = 0;
  double downsample_x = 1.0, downsample_y = 1.0;
  int tile_width = 0, tile_height = 0;  ///< of the stored tiles, px of this level; 0: not known
};

/// What ties an output file to its slide: a change of any of these makes the output stale.
struct SlideFile {
  std::string name;      ///< file name without folders
  int64_t bytes = 0;     ///< size of the file that was named
  int64_t mtime_ns = 0;  ///< time of last change, ns since 1970
};

/// Size and time of `path` as they are now. Throws attn::Error where there is no regular file.
SlideFile stat_file(const std::filesystem::path& path);

/// A slide. Copies share the open file. Label and macro pictures of the glass are never read: they
/// may name the patient.
///
/// Threads: `read` may be called from several threads at once on one Slide. They share one
/// OpenSlide handle and its tile cache, which is no slower than a handle each (figures in
/// slide.cpp).
///
/// Memory: OpenSlide keeps a cache of 32 MiB per slide; a flat picture is held whole (3 bytes a
/// pixel, at most kMaxFlatPixels).
class Slide {
 public:
  /// Opens `path`. `mpp` is what is known of its resolution from elsewhere; `id` goes before the
  /// file's stem. Throws attn::Error where the file is absent, is no slide or picture, is a
  /// recognised but broken slide, or is a picture beyond the pixel limit. A slide without a known
  /// resolution opens: see `require_mpp`.
  static Slide open(const std::filesystem::path& path, const GivenMpp& mpp = {},
                    const std::string& id = {});

  const std::string& id() const;  ///< names the outputs: the stem of the file, or as given
  const std::filesystem::path& path() const;  ///< absolute
  const std::string& vendor()
      const;  ///< OpenSlide's vendor ("aperio", "generic-tiff"), or "flat-image"
  const SlideFile& file() const;
  int64_t width() const;  ///< of level 0, px
  int64_t height() const;
  int level_count() const;
  const SlideLevel& level(int index) const;
  /// The level with the largest downsample not above `downsample` (level 0 where none is).
  int best_level(double downsample) const;

  const Resolution& resolution() const;
  std::optional<double> mpp() const;  ///< microns per pixel of level 0
  /// `mpp`, or an attn::Error that says what the file states and names `--slide-mpp` and the
  /// manifest column `mpp`.
  double require_mpp() const;

  /// RGB pixels (h x w, 8UC3) of `level`, with its top-left corner at level-0 pixel (x0, y0), which
  /// may be negative. Transparent pixels and pixels outside the slide are white. A flat picture has
  /// level 0 only. Throws UnreadableRegion where the data are damaged (OpenSlide's handle, dead
  /// after an error, is reopened first), and attn::Error for a level that does not exist or a size
  /// outside 1..kMaxReadSide.
  cv::Mat read(int level, int64_t x0, int64_t y0, int w, int h) const;

  /// The whole slide, reduced by area so that its longer side has at most `longest_side` px. Reads
  /// in bounded blocks from the best level. Unreadable blocks are grey (128) and counted in
  /// `unreadable` where given.
  cv::Mat thumbnail(int longest_side, int64_t* unreadable = nullptr) const;

  class Source;  ///< where pixels come from; defined in slide.cpp

 private:
  explicit Slide(std::shared_ptr<Source> source) : source_(std::move(source)) {}
  std::shared_ptr<Source> source_;
};

/// Largest flat picture that is read: 2^28 px are 805 MB of memory. Larger ones belong into a
/// pyramid.
inline constexpr int64_t kMaxFlatPixels = int64_t{1} << 28;
/// Largest side of one `Slide::read`.
inline constexpr int kMaxReadSide = 1 << 14;

}  // namespace pathology
