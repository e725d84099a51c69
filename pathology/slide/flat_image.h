// Flat pictures (PNG, JPEG, one-page strip TIFF), for slides that were exported from a viewer.
//
// They are decoded by libpng, libjpeg-turbo and libtiff directly: OpenCV's imread fills what a
// damaged JPEG lacks with grey and prints to stderr, and tells neither the size before decoding nor
// the resolution tags.
#pragma once

#include <cstdint>
#include <filesystem>
#include <opencv2/core/mat.hpp>
#include <string>
#include <utility>
#include <vector>

#include "libattn/io/file_kind.h"

namespace pathology {

/// The extension with its dot, in lower case.
std::string lower_extension(const std::filesystem::path& path);

/// A decoded picture and its resolution tags.
struct FlatImage {
  cv::Mat rgb;                                    ///< 8UC3; transparency laid over white
  double px_per_metre_x = 0, px_per_metre_y = 0;  ///< 0 where the file does not tell
  std::string resolution_tag;  ///< "PNG pHYs", "JFIF density", "TIFF XResolution"
};

/// Decodes the picture of `kind` png, jpeg or tiff. Throws attn::Error with a reason: more than
/// `max_pixels` (found before anything is decoded), cut off, damaged in the slightest, several
/// pages, a tiled TIFF (OpenSlide would have taken it whole), CMYK, not 8 or 16 bits.
FlatImage read_flat_image(const std::filesystem::path& path, attn::io::FileKind kind,
                          int64_t max_pixels);

/// Sizes of the levels of a TIFF that OpenSlide 3.4 misreads with libtiff 4.5 (as in Debian 12):
/// those narrower or lower than one of their tiles, unless compressed by JPEG or JPEG 2000, which
/// OpenSlide decodes itself. libtiff shrinks the picture it is asked for, and OpenSlide takes it
/// for a whole tile: rows are shifted, without an error. Empty for other files.
std::vector<std::pair<int64_t, int64_t>> misread_tiff_levels(const std::filesystem::path& path);

}  // namespace pathology
