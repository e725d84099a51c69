#include "pathology/slide/slide.h"

#include <openslide.h>
#include <sys/stat.h>
#include <tiffio.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <set>
#include <shared_mutex>
#include <utility>

#include "libattn/io/file_kind.h"
#include "libattn/io/text.h"
#include "pathology/slide/blocks.h"
#include "pathology/slide/flat_image.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;
using attn::io::FileKind;

bool is_dicom(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic(4, '\0');
  file.seekg(128).read(magic.data(), 4);
  return file && magic == "DICM";
}

/// One line, for OpenSlide's messages.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

/// Premultiplied native-endian ARGB over white: v + (255 - alpha) per channel.
void over_white(const uint32_t* argb, cv::Mat& rgb) {
  uint8_t* to = rgb.data;  // freshly created: continuous
  const std::size_t count = rgb.total();
  for (std::size_t i = 0; i < count; ++i, to += 3) {
    const uint32_t pixel = argb[i];
    const uint32_t rest = 255 - (pixel >> 24);
    to[0] = static_cast<uint8_t>(std::min<uint32_t>(255, (pixel >> 16 & 255) + rest));
    to[1] = static_cast<uint8_t>(std::min<uint32_t>(255, (pixel >> 8 & 255) + rest));
    to[2] = static_cast<uint8_t>(std::min<uint32_t>(255, (pixel & 255) + rest));
  }
}

struct CloseHandle {
  void operator()(openslide_t* handle) const { openslide_close(handle); }
};
using Handle = std::unique_ptr<openslide_t, CloseHandle>;

Handle open_handle(const fs::path& path, const std::string& vendor) {
  Handle handle(openslide_open(path.c_str()));
  if (!handle)
    throw attn::Error(
        path.string() + " is a broken " + vendor +
        " slide: OpenSlide detects its vendor and cannot open it; copy it again from its origin");
  if (const char* error = openslide_get_error(handle.get()))
    throw attn::Error(path.string() + " is a broken " + vendor + " slide: OpenSlide says \"" +
                      one_line(error) + "\"; copy it again from its origin");
  return handle;
}

}  // namespace

class Slide::Source {
 public:
  virtual ~Source() = default;
  /// Level and size are valid.
  virtual cv::Mat read(int level, int64_t x0, int64_t y0, int w, int h) = 0;

  std::string id, vendor;
  fs::path path;
  SlideFile file;
  std::vector<SlideLevel> levels;
  Resolution resolution;
};

namespace {

// One handle serves all threads: OpenSlide decodes outside its cache's lock. Measured with two
// threads, 256 px tiles, per CPU-second: shared 648 and 675 (Aperio slide, tiled TIFF), a handle
// each 538 and 670; a plain loop over openslide_read_region on one thread 690 and 763, `read` 689
// and 734. After an error a handle is dead for good, and the reads that other threads had under way
// on it fail with it. So a failed read takes the lock alone, reopens, and tries once more where
// nobody can disturb it: what fails then is truly unreadable. The handle that died of it is
// replaced by the next read: a bad region costs one opening, which takes a second on some formats.
class OpenSlideSource : public Slide::Source {
 public:
  OpenSlideSource(const fs::path& slide_path, const std::string& slide_vendor)
      : handle_(open_handle(slide_path, slide_vendor)) {
    path = slide_path;
    vendor = slide_vendor;
    const int count = openslide_get_level_count(handle_.get());
    for (int i = 0; i < count; ++i) {
      SlideLevel level;
      openslide_get_level_dimensions(handle_.get(), i, &level.width, &level.height);
      if (level.width < 1 || level.height < 1)
        throw attn::Error(path.string() + " is a broken slide: level " + std::to_string(i) +
                          " has no pixels");
      const SlideLevel& first = levels.empty() ? level : levels.front();
      level.downsample_x = static_cast<double>(first.width) / static_cast<double>(level.width);
      level.downsample_y = static_cast<double>(first.height) / static_cast<double>(level.height);
      const std::string name = "openslide.level[" + std::to_string(i) + "].tile-";
      level.tile_width = std::atoi(property(name + "width").value_or("0").c_str());
      level.tile_height = std::atoi(property(name + "height").value_or("0").c_str());
      levels.push_back(level);
    }
    drop_misread_levels();
    if (levels.empty()) throw attn::Error(path.string() + " is a broken slide: it has no levels");
  }

  std::optional<std::string> property(const std::string& name) const {
    const char* value = openslide_get_property_value(handle_.get(), name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  }

  cv::Mat read(int level, int64_t x0, int64_t y0, int w, int h) override {
    std::vector<uint32_t> argb(static_cast<std::size_t>(w) * static_cast<std::size_t>(h));
    bool done = false;
    {
      const std::shared_lock lock(mutex_);
      done = try_read(argb, level, x0, y0, w, h);
    }
    if (!done) read_alone(argb, level, x0, y0, w, h);
    cv::Mat rgb(h, w, CV_8UC3);
    over_white(argb.data(), rgb);
    return rgb;
  }

 private:
  /// They are the last ones: nothing of use is lost, and the others keep their numbers.
  void drop_misread_levels() {
    const auto misread = misread_tiff_levels(path);
    const auto first = std::find_if(levels.begin(), levels.end(), [&](const SlideLevel& level) {
      return std::find(misread.begin(), misread.end(), std::pair(level.width, level.height)) !=
             misread.end();
    });
    if (first == levels.begin() && !levels.empty())
      throw attn::Error(
          path.string() +
          " is smaller than one of its tiles, which OpenSlide misreads unless they are "
          "compressed by JPEG; save it as a JPEG-compressed TIFF or as PNG");
    levels.erase(first, levels.end());
  }

  bool try_read(std::vector<uint32_t>& argb, int level, int64_t x0, int64_t y0, int w, int h) {
    if (!handle_) return false;
    openslide_read_region(handle_.get(), argb.data(), x0, y0, level, w, h);
    return openslide_get_error(handle_.get()) == nullptr;
  }

  void read_alone(std::vector<uint32_t>& argb, int level, int64_t x0, int64_t y0, int w, int h) {
    const std::unique_lock lock(mutex_);
    if (!handle_ || openslide_get_error(handle_.get()) != nullptr) reopen();
    if (try_read(argb, level, x0, y0, w, h)) return;
    const std::string why = one_line(openslide_get_error(handle_.get()));
    throw UnreadableRegion("slide " + path.string() + ": the " + std::to_string(w) + " x " +
                           std::to_string(h) + " px at level " + std::to_string(level) + ", x " +
                           std::to_string(x0) + ", y " + std::to_string(y0) +
                           " cannot be decoded: " + why);
  }

  void reopen() {
    handle_.reset();
    handle_ = open_handle(path, vendor);
  }

  std::shared_mutex mutex_;
  Handle handle_;  // empty only where reopening failed
};

class FlatSource : public Slide::Source {
 public:
  FlatSource(const fs::path& slide_path, FileKind kind, const GivenMpp& mpp)
      : image_(read_flat_image(slide_path, kind, kMaxFlatPixels)) {
    path = slide_path;
    vendor = "flat-image";
    levels = {{image_.rgb.cols, image_.rgb.rows, 1.0, 1.0}};
    resolution =
        flat_resolution(image_.px_per_metre_x, image_.px_per_metre_y, image_.resolution_tag, mpp);
  }

  cv::Mat read(int, int64_t x0, int64_t y0, int w, int h) override {
    cv::Mat rgb(h, w, CV_8UC3, cv::Scalar::all(255));
    const int64_t left = std::max<int64_t>(0, x0),
                  right = std::min<int64_t>(image_.rgb.cols, x0 + w);
    const int64_t top = std::max<int64_t>(0, y0),
                  bottom = std::min<int64_t>(image_.rgb.rows, y0 + h);
    if (left >= right || top >= bottom) return rgb;
    const auto rect = [&](int64_t dx, int64_t dy) {
      return cv::Rect(static_cast<int>(left - dx), static_cast<int>(top - dy),
                      static_cast<int>(right - left), static_cast<int>(bottom - top));
    };
    image_.rgb(rect(0, 0)).copyTo(rgb(rect(x0, y0)));
    return rgb;
  }

 private:
  FlatImage image_;
};

std::shared_ptr<Slide::Source> open_flat(const fs::path& path, const GivenMpp& mpp) {
  static const std::set<std::string> kExtensions = {".png", ".jpg", ".jpeg", ".tif", ".tiff"};
  const std::string extension = lower_extension(path);
  const FileKind kind = attn::io::file_kind_of(path);
  const bool picture = kind == FileKind::png || kind == FileKind::jpeg || kind == FileKind::tiff;
  if (picture && kExtensions.count(extension) != 0)
    return std::make_shared<FlatSource>(path, kind, mpp);
  if (is_dicom(path))
    throw attn::Error(path.string() +
                      " is DICOM, which OpenSlide reads from version 4 on; convert it to TIFF");
  throw attn::Error(
      path.string() + " is no slide: OpenSlide recognises no vendor, and by its content it is " +
      std::string(attn::io::describe(kind)) + "; it may be cut off or of another type");
}

/// libtiff prints warnings of its own through OpenSlide unless its process-wide handlers are taken
/// away.
void silence_libtiff() {
  static std::once_flag once;
  std::call_once(once, [] {
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
  });
}

}  // namespace

SlideFile stat_file(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw attn::StorageError("there is no slide at " + path.string());
  if (S_ISDIR(status.st_mode))
    throw attn::Error(path.string() + " is a folder; expected a slide file");
  if (!S_ISREG(status.st_mode))
    throw attn::Error(path.string() + " is no regular file; expected a slide file");
  return {path.filename().string(), static_cast<int64_t>(status.st_size),
          static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Slide Slide::open(const fs::path& path, const GivenMpp& mpp, const std::string& id) {
  silence_libtiff();
  const SlideFile file = stat_file(path);
  const fs::path absolute = fs::absolute(path).lexically_normal();
  if (attn::io::find_invalid_utf8(absolute.string()) != std::string::npos)
    throw attn::Error("the name of the slide " +
                      attn::io::one_line(absolute.string(), absolute.string().size()) +
                      " holds bytes that are not UTF-8, so no file can record it; rename it");
  if (!std::ifstream(absolute))
    throw attn::StorageError(path.string() + " cannot be read: permission denied");
  std::shared_ptr<Source> source;
  if (const char* vendor = openslide_detect_vendor(absolute.c_str())) {
    const auto slide = std::make_shared<OpenSlideSource>(absolute, vendor);
    slide->resolution =
        find_resolution([&](const std::string& name) { return slide->property(name); }, mpp);
    source = slide;
  } else {
    source = open_flat(absolute, mpp);
  }
  source->file = file;
  source->id = id.empty() ? absolute.stem().string() : id;
  return Slide(std::move(source));
}

const std::string& Slide::id() const {
  return source_->id;
}
const fs::path& Slide::path() const {
  return source_->path;
}
const std::string& Slide::vendor() const {
  return source_->vendor;
}
const SlideFile& Slide::file() const {
  return source_->file;
}
int64_t Slide::width() const {
  return source_->levels.front().width;
}
int64_t Slide::height() const {
  return source_->levels.front().height;
}
int Slide::level_count() const {
  return static_cast<int>(source_->levels.size());
}
const Resolution& Slide::resolution() const {
  return source_->resolution;
}
std::optional<double> Slide::mpp() const {
  return source_->resolution.mpp;
}

const SlideLevel& Slide::level(int index) const {
  if (index < 0 || index >= level_count())
    throw attn::Error("slide " + path().string() + " has no level " + std::to_string(index) +
                      "; it has 0 to " + std::to_string(level_count() - 1));
  return source_->levels[static_cast<std::size_t>(index)];
}

int Slide::best_level(double downsample) const {
  int best = 0;
  for (int i = 1; i < level_count(); ++i)
    if ((level(i).downsample_x + level(i).downsample_y) / 2 <= downsample) best = i;
  return best;
}

double Slide::require_mpp() const {
  if (const auto value = mpp()) return *value;
  throw attn::Error(
      "slide " + path().string() + " has no known resolution: " + resolution().problem +
      "; give the microns per pixel with --slide-mpp, or per slide in the manifest column mpp");
}

cv::Mat Slide::read(int level_index, int64_t x0, int64_t y0, int w, int h) const {
  level(level_index);  // throws where there is none
  if (w < 1 || h < 1 || w > kMaxReadSide || h > kMaxReadSide)
    throw attn::Error("slide " + path().string() + ": a region of " + std::to_string(w) + " x " +
                      std::to_string(h) + " px was asked for; expected sides of 1 to " +
                      std::to_string(kMaxReadSide));
  return source_->read(level_index, x0, y0, w, h);
}

cv::Mat Slide::thumbnail(int longest_side, int64_t* unreadable) const {
  const double wanted =
      std::max(1.0, static_cast<double>(std::max(width(), height())) / std::max(1, longest_side));
  const int from = best_level(wanted);
  const SlideLevel& l = level(from);
  const int factor =
      std::max(1, static_cast<int>(wanted / std::max(l.downsample_x, l.downsample_y)));
  cv::Mat reduced(reduced_size(*this, from, factor), CV_8UC3, cv::Scalar::all(128));
  const BlockCount count =
      read_reduced(*this, from, factor, 1, {}, [&](int x, int y, const cv::Mat& rgb) {
        rgb.copyTo(reduced(cv::Rect(x, y, rgb.cols, rgb.rows)));
      });
  if (unreadable != nullptr) *unreadable = std::ssize(count.unreadable);
  const cv::Size size(
      std::max(1, static_cast<int>(std::lround(static_cast<double>(width()) / wanted))),
      std::max(1, static_cast<int>(std::lround(static_cast<double>(height()) / wanted))));
  if (size == reduced.size()) return reduced;
  cv::Mat result;
  cv::resize(reduced, result, size, 0, 0, cv::INTER_AREA);
  return result;
}

}  // namespace pathology
