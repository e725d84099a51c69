// Writing a pyramidal, tiled, JPEG-compressed TIFF from strips of pixels, with bounded memory.
#pragma once

#include <filesystem>
#include <functional>
#include <opencv2/core/mat.hpp>
#include <string>

namespace pathology::sim {

struct PyramidOptions {
  int width = 0, height = 0;  ///< of level 0
  double mpp = 0.5;           ///< written as XResolution and YResolution in pixels per centimetre
  int jpeg_quality = 85;
  std::string description;  ///< ImageDescription of level 0
  std::string software;
};

/// Side of the tiles, and height of the strips that `pixels` is asked for.
inline constexpr int kTiffTile = 256;
inline constexpr int kStripRows = 2 * kTiffTile;

/// Rows [y, y + rows) of level 0 as RGB, full width.
using StripSource = std::function<cv::Mat3b(int y, int rows)>;

/// Writes levels /1, /2, /4 ... until the longer side is at most 512 px; each is the mean of 2 x 2
/// pixels of the one before. The strips are asked for once, from the top. Level 1 and a strip are
/// held in memory. The file depends on the pixels and options only (no time stamp). Throws
/// attn::Error.
void write_pyramid(const std::filesystem::path& path, const PyramidOptions& options,
                   const StripSource& pixels);

/// ImageDescription of the first level when every level of the TIFF is there and all its tiles lie
/// inside the file; an empty string for anything else, also when the file does not exist.
std::string whole_pyramid_description(const std::filesystem::path& path);

}  // namespace pathology::sim
