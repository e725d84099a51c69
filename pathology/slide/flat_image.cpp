#include "pathology/slide/flat_image.h"

#include <png.h>
#include <tiffio.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <string_view>
#include <vector>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/text.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;
using attn::io::FileKind;

[[noreturn]] void refuse(const fs::path& path, const std::string& why) {
  throw attn::Error(path.string() + " cannot be read as a picture: " + why);
}

void check_size(const fs::path& path, int64_t width, int64_t height, int64_t max_pixels) {
  if (width < 1 || height < 1) refuse(path, "it has no pixels");
  if (width > max_pixels / height)
    refuse(path, "it has " + std::to_string(width) + " x " + std::to_string(height) +
                     " pixels, and flat pictures are held in memory whole up to " +
                     std::to_string(max_pixels) + "; convert it to a tiled pyramidal TIFF");
}

std::string cut_line(const std::string& text) {
  return text.substr(0, text.find_first_of("\r\n"));
}

uint32_t big_endian(std::string_view bytes, std::size_t at, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// ---- PNG ----

/// pHYs (px per metre): 4 + 4 + 1 bytes, among the chunks before the first IDAT.
void png_resolution(std::string_view file, FlatImage& image) {
  std::size_t at = 8;
  while (at + 12 <= file.size()) {
    const std::size_t length = big_endian(file, at, 4);
    const std::string_view type = file.substr(at + 4, 4);
    if (type == "IDAT" || length > file.size() - at - 12) return;
    if (type == "pHYs" && length == 9 && file[at + 16] == 1) {
      image.px_per_metre_x = big_endian(file, at + 8, 4);
      image.px_per_metre_y = big_endian(file, at + 12, 4);
      return;
    }
    at += length + 12;
  }
}

FlatImage read_png(const fs::path& path, int64_t max_pixels) {
  const std::string file = attn::io::read_file(path);
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, void (*)(png_image*)> owner(
      &png, [](png_image* p) { png_image_free(p); });
  if (png_image_begin_read_from_memory(&png, file.data(), file.size()) == 0)
    refuse(path, png.message);
  check_size(path, png.width, png.height, max_pixels);
  png.format = PNG_FORMAT_RGB;
  FlatImage image;
  image.rgb.create(static_cast<int>(png.height), static_cast<int>(png.width), CV_8UC3);
  const png_color white{255, 255, 255};
  if (png_image_finish_read(&png, &white, image.rgb.data, static_cast<png_int_32>(image.rgb.step),
                            nullptr) == 0 ||
      png.warning_or_error != 0)
    refuse(path, std::string("libpng says \"") + png.message + "\"");
  png_resolution(file, image);
  image.resolution_tag = "PNG pHYs";
  return image;
}

// ---- JPEG ----

/// JFIF APP0: unit (1 px per inch, 2 px per cm) and two densities.
void jpeg_resolution(std::string_view file, FlatImage& image) {
  if (file.size() < 18 || file.substr(2, 2) != "\xff\xe0" || file.substr(6, 4) != "JFIF") return;
  const double per_metre = file[13] == 1 ? 1 / 0.0254 : file[13] == 2 ? 100.0 : 0.0;
  image.px_per_metre_x = big_endian(file, 14, 2) * per_metre;
  image.px_per_metre_y = big_endian(file, 16, 2) * per_metre;
}

FlatImage read_jpeg(const fs::path& path, int64_t max_pixels) {
  const std::string file = attn::io::read_file(path);
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (!decoder) refuse(path, "libjpeg-turbo could not be started");
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
  int width = 0, height = 0, sampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder.get(), bytes, file.size(), &width, &height, &sampling,
                          &colours) != 0)
    refuse(path, std::string("libjpeg-turbo says \"") + tjGetErrorStr2(decoder.get()) + "\"");
  check_size(path, width, height, max_pixels);
  if (colours == TJCS_CMYK || colours == TJCS_YCCK)
    refuse(path, "it is in CMYK; expected RGB or grey");
  FlatImage image;
  image.rgb.create(height, width, CV_8UC3);
  // A warning ("premature end", "corrupt data") means invented pixels: as bad as an error here.
  if (tjDecompress2(decoder.get(), bytes, file.size(), image.rgb.data, width,
                    static_cast<int>(image.rgb.step), height, TJPF_RGB, TJFLAG_ACCURATEDCT) != 0)
    refuse(path, std::string("libjpeg-turbo says \"") + tjGetErrorStr2(decoder.get()) + "\"");
  jpeg_resolution(file, image);
  image.resolution_tag = "JFIF density";
  return image;
}

// ---- TIFF ----

int keep_first_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto& message = *static_cast<std::string*>(user);
  std::array<char, 512> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  if (message.empty()) message = text.data();
  return 1;
}
int ignore_warning(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

using TiffFile = std::unique_ptr<TIFF, void (*)(TIFF*)>;

TiffFile open_tiff(const fs::path& path, std::string& error) {
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options, keep_first_error, &error);
  TIFFOpenOptionsSetWarningHandlerExtR(options, ignore_warning, nullptr);
  TiffFile tiff(TIFFOpenExt(path.c_str(), "rm", options), TIFFClose);
  TIFFOpenOptionsFree(options);
  return tiff;
}

void tiff_resolution(TIFF* tiff, FlatImage& image) {
  float x = 0, y = 0;
  uint16_t unit = RESUNIT_NONE;
  if (TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &x) == 0 ||
      TIFFGetField(tiff, TIFFTAG_YRESOLUTION, &y) == 0)
    return;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_RESOLUTIONUNIT, &unit);
  const double per_metre = unit == RESUNIT_INCH         ? 1 / 0.0254
                           : unit == RESUNIT_CENTIMETER ? 100.0
                                                        : 0.0;
  image.px_per_metre_x = static_cast<double>(x) * per_metre;
  image.px_per_metre_y = static_cast<double>(y) * per_metre;
}

FlatImage read_tiff(const fs::path& path, int64_t max_pixels) {
  std::string error;
  const TiffFile tiff = open_tiff(path, error);
  if (!tiff) refuse(path, "libtiff says \"" + error + "\"; the file may be cut off");
  uint32_t width = 0, height = 0;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  check_size(path, width, height, max_pixels);
  if (TIFFIsTiled(tiff.get()) != 0)
    refuse(path,
           "it is a tiled TIFF that OpenSlide does not recognise; the file may be cut off, or its "
           "compression unknown");
  if (TIFFLastDirectory(tiff.get()) == 0)
    refuse(path, "it has several pages; expected a single picture or a tiled pyramid");
  std::array<char, 1024> why{};
  if (TIFFRGBAImageOK(tiff.get(), why.data()) == 0) refuse(path, cut_line(why.data()));
  cv::Mat rgba(static_cast<int>(height), static_cast<int>(width), CV_8UC4);
  const int done =
      TIFFReadRGBAImageOriented(tiff.get(), width, height, reinterpret_cast<uint32_t*>(rgba.data),
                                ORIENTATION_TOPLEFT, /*stop=*/1);
  if (done == 0 || !error.empty()) refuse(path, "libtiff says \"" + cut_line(error) + "\"");
  FlatImage image;
  // libtiff hands out premultiplied RGBA: over white means adding what the alpha leaves.
  image.rgb.create(rgba.size(), CV_8UC3);
  for (int y = 0; y < rgba.rows; ++y) {
    const uint8_t* from = rgba.ptr<uint8_t>(y);
    uint8_t* to = image.rgb.ptr<uint8_t>(y);
    for (int x = 0; x < rgba.cols; ++x, from += 4, to += 3)
      for (int c = 0; c < 3; ++c) to[c] = cv::saturate_cast<uint8_t>(from[c] + 255 - from[3]);
  }
  tiff_resolution(tiff.get(), image);
  image.resolution_tag = "TIFF XResolution";
  return image;
}

}  // namespace

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

std::vector<std::pair<int64_t, int64_t>> misread_tiff_levels(const fs::path& path) {
  constexpr int kMostPages = 64;
  constexpr uint16_t kAperioJpeg2000Ycbcr = 33003, kAperioJpeg2000Rgb = 33005;
  std::vector<std::pair<int64_t, int64_t>> sizes;
  if (attn::io::file_kind_of(path) != FileKind::tiff) return sizes;
  std::string error;
  const TiffFile tiff = open_tiff(path, error);
  if (!tiff) return sizes;
  int page = 0;
  do {
    uint32_t width = 0, height = 0, tile_width = 0, tile_height = 0;
    uint16_t compression = 0;
    TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
    TIFFGetField(tiff.get(), TIFFTAG_TILEWIDTH, &tile_width);
    TIFFGetField(tiff.get(), TIFFTAG_TILELENGTH, &tile_height);
    TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_COMPRESSION, &compression);
    const bool direct = compression == COMPRESSION_JPEG || compression == kAperioJpeg2000Ycbcr ||
                        compression == kAperioJpeg2000Rgb;
    if (!direct && (width < tile_width || height < tile_height)) sizes.emplace_back(width, height);
  } while (++page < kMostPages && TIFFReadDirectory(tiff.get()) != 0);
  return sizes;
}

FlatImage read_flat_image(const fs::path& path, FileKind kind, int64_t max_pixels) {
  try {
    switch (kind) {
      case FileKind::png:
        return read_png(path, max_pixels);
      case FileKind::jpeg:
        return read_jpeg(path, max_pixels);
      case FileKind::tiff:
        return read_tiff(path, max_pixels);
      default:
        break;
    }
  } catch (const cv::Exception& error) {  // out of memory
    refuse(path, cut_line(error.what()));
  }
  refuse(path, "it is " + std::string(attn::io::describe(kind)) + "; expected PNG, JPEG or TIFF");
}

}  // namespace pathology
