// Slides and pictures made for tests.
#pragma once

#include <tiffio.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"

namespace pathology::test {

using attn::test::TempFolder;

inline std::filesystem::path data(const std::string& name) {
  return attn::test::shared_data("pathology") / name;
}

struct TiffOptions {
  int tile = 256;  ///< 0: strips
  uint16_t compression = COMPRESSION_ADOBE_DEFLATE;
  uint16_t unit = RESUNIT_CENTIMETER;
  float resolution = 20000;  ///< px per unit: 0.5 um per px; 0: no tags
  float resolution_y = 0;    ///< 0: as x
  std::string description;
};

/// Writes `levels` (RGB, the largest first) as the pages of one TIFF.
inline void write_tiff(const std::filesystem::path& path, const std::vector<cv::Mat>& levels,
                       const TiffOptions& o = {}) {
  const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(TIFFOpen(path.c_str(), "w"), TIFFClose);
  for (std::size_t page = 0; page < levels.size(); ++page) {
    const cv::Mat& rgb = levels[page];
    TIFF* t = tiff.get();
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, rgb.cols);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, rgb.rows);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 3);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
    TIFFSetField(t, TIFFTAG_COMPRESSION, o.compression);
    if (page > 0) TIFFSetField(t, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    if (o.resolution > 0) {
      TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, o.unit);
      TIFFSetField(t, TIFFTAG_XRESOLUTION, o.resolution);
      TIFFSetField(t, TIFFTAG_YRESOLUTION, o.resolution_y > 0 ? o.resolution_y : o.resolution);
    }
    if (!o.description.empty() && page == 0)
      TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, o.description.c_str());
    if (o.tile > 0) {
      TIFFSetField(t, TIFFTAG_TILEWIDTH, o.tile);
      TIFFSetField(t, TIFFTAG_TILELENGTH, o.tile);
      for (int y = 0; y < rgb.rows; y += o.tile)
        for (int x = 0; x < rgb.cols; x += o.tile) {
          cv::Mat tile(o.tile, o.tile, CV_8UC3, cv::Scalar::all(255));
          const cv::Rect part = cv::Rect(x, y, o.tile, o.tile) & cv::Rect({0, 0}, rgb.size());
          rgb(part).copyTo(tile(cv::Rect({0, 0}, part.size())));
          TIFFWriteTile(t, tile.data, static_cast<uint32_t>(x), static_cast<uint32_t>(y), 0, 0);
        }
    } else {
      TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 64);
      for (int y = 0; y < rgb.rows; ++y)
        TIFFWriteScanline(t, const_cast<uint8_t*>(rgb.ptr<uint8_t>(y)), static_cast<uint32_t>(y),
                          0);
    }
    TIFFWriteDirectory(t);
  }
}

/// Zeroes the data of the TIFF tile at (x, y) of page `page`.
inline void damage_tile(const std::filesystem::path& path, int x, int y, int page = 0) {
  uint64_t offset = 0, size = 0;
  {
    const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(TIFFOpen(path.c_str(), "r"), TIFFClose);
    TIFFSetDirectory(tiff.get(), static_cast<tdir_t>(page));
    const uint32_t tile =
        TIFFComputeTile(tiff.get(), static_cast<uint32_t>(x), static_cast<uint32_t>(y), 0, 0);
    offset = TIFFGetStrileOffset(tiff.get(), tile);
    size = TIFFGetStrileByteCount(tiff.get(), tile);
  }
  std::string bytes = attn::test::slurp(path);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), size, '\0');
  attn::test::put(path, bytes);
}

/// White glass with round pieces of "tissue" (pink with darker dots, deterministic).
inline cv::Mat draw_tissue(int width, int height,
                           const std::vector<std::pair<cv::Point, int>>& pieces) {
  cv::Mat rgb(height, width, CV_8UC3, cv::Scalar(244, 243, 245));
  for (const auto& [centre, radius] : pieces)
    cv::circle(rgb, centre, radius, cv::Scalar(225, 150, 190), cv::FILLED);
  uint32_t state = 1;
  for (int i = 0; i < width * height / 900; ++i) {
    state = state * 1664525U + 1013904223U;
    const int x = static_cast<int>((state >> 8) % static_cast<uint32_t>(width));
    state = state * 1664525U + 1013904223U;
    const int y = static_cast<int>((state >> 8) % static_cast<uint32_t>(height));
    if (rgb.at<cv::Vec3b>(y, x)[1] < 200)
      cv::circle(rgb, {x, y}, 5, cv::Scalar(100, 60, 150), cv::FILLED);
  }
  return rgb;
}

/// The picture and its halves, as the levels of a pyramid.
inline std::vector<cv::Mat> pyramid(const cv::Mat& rgb, int levels) {
  std::vector<cv::Mat> all{rgb};
  while (static_cast<int>(all.size()) < levels) {
    cv::Mat half;
    cv::resize(all.back(), half, {all.back().cols / 2, all.back().rows / 2}, 0, 0, cv::INTER_AREA);
    all.push_back(half);
  }
  return all;
}

}  // namespace pathology::test
