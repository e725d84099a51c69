#include "pathology/simulate/tiff_pyramid.h"

#include <tiffio.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "libattn/io/atomic_file.h"

namespace pathology::sim {
namespace {

// libtiff would print its errors; return codes tell what we need.
int quiet(TIFF* /*tiff*/, void* /*user*/, const char* /*module*/, const char* /*format*/,
          va_list /*args*/) {
  return 1;
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using TiffPtr = std::unique_ptr<TIFF, CloseTiff>;

TiffPtr open_tiff(const std::filesystem::path& path, const char* mode) {
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                             TIFFOpenOptionsFree);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), quiet, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), quiet, nullptr);
  return TiffPtr(TIFFOpenExt(path.c_str(), mode, options.get()));
}

void set_tags(TIFF* tiff, const PyramidOptions& options, int level, int width, int height) {
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<uint32_t>(width));
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<uint32_t>(height));
  TIFFSetField(tiff, TIFFTAG_TILEWIDTH, static_cast<uint32_t>(kTiffTile));
  TIFFSetField(tiff, TIFFTAG_TILELENGTH, static_cast<uint32_t>(kTiffTile));
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 3);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_JPEG);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_YCBCR);
  TIFFSetField(tiff, TIFFTAG_YCBCRSUBSAMPLING, 2, 2);
  TIFFSetField(tiff, TIFFTAG_JPEGQUALITY, options.jpeg_quality);
  TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  const auto per_cm = static_cast<float>(1e4 / options.mpp / (1 << level));
  TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER);
  TIFFSetField(tiff, TIFFTAG_XRESOLUTION, per_cm);
  TIFFSetField(tiff, TIFFTAG_YRESOLUTION, per_cm);
  TIFFSetField(tiff, TIFFTAG_SOFTWARE, options.software.c_str());
  if (level == 0) {
    TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, options.description.c_str());
  } else {
    TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
  }
}

// Writes the tiles of the level's rows [y, y + strip.rows); y is a multiple of the tile side.
bool write_tiles_of(TIFF* tiff, const cv::Mat3b& strip, int y) {
  for (int ty = 0; ty < strip.rows; ty += kTiffTile) {
    for (int tx = 0; tx < strip.cols; tx += kTiffTile) {
      const int w = std::min(kTiffTile, strip.cols - tx);
      const int h = std::min(kTiffTile, strip.rows - ty);
      cv::Mat tile;
      cv::copyMakeBorder(strip(cv::Rect(tx, ty, w, h)), tile, 0, kTiffTile - h, 0, kTiffTile - w,
                         cv::BORDER_REPLICATE);
      const uint32_t index =
          TIFFComputeTile(tiff, static_cast<uint32_t>(tx), static_cast<uint32_t>(y + ty), 0, 0);
      const auto bytes = static_cast<tmsize_t>(tile.total() * tile.elemSize());
      if (TIFFWriteEncodedTile(tiff, index, tile.data, bytes) < 0) return false;
    }
  }
  return true;
}

// Halves an even part of the picture; an odd last row or column is left out, as libvips does.
cv::Mat3b halved(const cv::Mat3b& picture) {
  const cv::Size size(std::max(picture.cols / 2, 1), std::max(picture.rows / 2, 1));
  const cv::Rect even(0, 0, std::min(2 * size.width, picture.cols),
                      std::min(2 * size.height, picture.rows));
  cv::Mat3b out;
  cv::resize(picture(even), out, size, 0, 0, cv::INTER_AREA);
  return out;
}

bool write_levels(TIFF* tiff, const PyramidOptions& options, const StripSource& pixels) {
  set_tags(tiff, options, 0, options.width, options.height);
  cv::Mat3b next(std::max(options.height / 2, 1), std::max(options.width / 2, 1));
  for (int y = 0; y < options.height; y += kStripRows) {
    const cv::Mat3b strip = pixels(y, std::min(kStripRows, options.height - y));
    if (!write_tiles_of(tiff, strip, y)) return false;
    const cv::Mat3b half = halved(strip);
    const int rows = std::min(half.rows, next.rows - y / 2);
    if (rows > 0) half.rowRange(0, rows).copyTo(next.rowRange(y / 2, y / 2 + rows));
  }
  if (TIFFWriteDirectory(tiff) == 0) return false;
  int longest = std::max(options.width, options.height);
  for (int level = 1; longest > 512; ++level, longest /= 2) {
    set_tags(tiff, options, level, next.cols, next.rows);
    if (!write_tiles_of(tiff, next, 0) || TIFFWriteDirectory(tiff) == 0) return false;
    next = halved(next);
  }
  return true;
}

}  // namespace

void write_pyramid(const std::filesystem::path& path, const PyramidOptions& options,
                   const StripSource& pixels) {
  attn::io::AtomicFile file(path);
  // Beyond 4 GiB of tiles only BigTIFF can address them; a pixel takes less than one byte.
  const bool big = static_cast<double>(options.width) * options.height > 3e9;
  TiffPtr tiff = open_tiff(file.temp_path(), big ? "w8" : "w");
  bool written = tiff != nullptr && write_levels(tiff.get(), options, pixels);
  if (written) written = TIFFFlush(tiff.get()) != 0;
  tiff.reset();
  if (!written) throw attn::io::write_error(path);
  file.commit();
}

std::string whole_pyramid_description(const std::filesystem::path& path) {
  std::error_code failed;
  const uint64_t bytes = std::filesystem::file_size(path, failed);
  if (failed) return {};
  const TiffPtr tiff = open_tiff(path, "r");
  if (tiff == nullptr) return {};
  const char* text = nullptr;
  if (TIFFGetField(tiff.get(), TIFFTAG_IMAGEDESCRIPTION, &text) == 0) return {};
  std::string description = text;
  uint32_t width = 0;
  uint32_t height = 0;
  do {
    TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
    const uint32_t tiles = TIFFNumberOfTiles(tiff.get());
    for (uint32_t i = 0; i < tiles; ++i) {
      const uint64_t size = TIFFGetStrileByteCount(tiff.get(), i);
      if (size == 0 || TIFFGetStrileOffset(tiff.get(), i) + size > bytes) return {};
    }
  } while (TIFFReadDirectory(tiff.get()) != 0);
  return std::max(width, height) <= 512 ? description : std::string{};
}

}  // namespace pathology::sim
