#include "pathology/slide/tissue.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "pathology/slide/blocks.h"

namespace pathology {
namespace {

constexpr double kAreaUnit = 512.0 * 512.0;  // level-0 px
constexpr double kMinArea = 100;             // CLAM's defaults, in units
constexpr double kMinHoleArea = 16;

/// Ink and black glue: hues between yellow-green and blue, glaring red, and what is nearly black.
/// Thresholds on OpenCV's HSV (hue 0..179); stained tissue lies at hue 120..175.
void mark_ink(const cv::Mat& hsv, cv::Mat& ink) {
  cv::Mat part;
  cv::inRange(hsv, cv::Scalar(35, 80, 0), cv::Scalar(115, 255, 255), ink);
  cv::inRange(hsv, cv::Scalar(0, 190, 0), cv::Scalar(5, 255, 255), part);
  ink |= part;
  cv::inRange(hsv, cv::Scalar(176, 190, 0), cv::Scalar(179, 255, 255), part);
  ink |= part;
  cv::inRange(hsv, cv::Scalar(0, 0, 0), cv::Scalar(179, 255, 50), part);
  ink |= part;
}

struct Saturation {
  cv::Mat s, ink;   // ink is empty unless asked for
  cv::Mat unknown;  // 255 where nothing could be decoded; empty where all could
  BlockCount blocks;
};

Saturation read_saturation(const Slide& slide, int level, int factor, bool find_ink, int threads,
                           double max_unreadable, const attn::Hooks& hooks) {
  Saturation result;
  const cv::Size size = reduced_size(slide, level, factor);
  result.s = cv::Mat::zeros(size, CV_8UC1);
  if (find_ink) result.ink = cv::Mat::zeros(size, CV_8UC1);
  const auto take = [&](int x, int y, const cv::Mat& rgb) {
    const cv::Rect place(x, y, rgb.cols, rgb.rows);
    cv::Mat hsv;
    cv::cvtColor(rgb, hsv, cv::COLOR_RGB2HSV);
    cv::extractChannel(hsv, result.s(place), 1);
    if (!find_ink) return;
    cv::Mat ink;
    mark_ink(hsv, ink);
    ink.copyTo(result.ink(place));
  };
  result.blocks = read_reduced(slide, level, factor, threads, hooks, take, max_unreadable);
  if (!result.blocks.unreadable.empty()) result.unknown = cv::Mat::zeros(size, CV_8UC1);
  for (const cv::Rect& place : result.blocks.unreadable) result.unknown(place).setTo(255);
  return result;
}

Contour to_level0(const Contour& contour, double scale_x, double scale_y) {
  Contour scaled;
  scaled.reserve(contour.size());
  for (const cv::Point& p : contour)
    scaled.emplace_back(static_cast<int>(p.x * scale_x), static_cast<int>(p.y * scale_y));
  return scaled;
}

/// Area limits in px of the mask.
struct AreaLimits {
  double piece, hole;
};

AreaLimits area_limits(const Slide& slide, const TissueOptions& options, double scale_x,
                       double scale_y) {
  const double unit = std::floor(kAreaUnit / (scale_x * scale_y));  // whole px, as CLAM
  const double slide_units =
      static_cast<double>(slide.width()) * static_cast<double>(slide.height()) / kAreaUnit;
  const double largest = options.small_slide_share * slide_units;
  const double shrink = options.min_area ? 1.0 : std::min(1.0, largest / kMinArea);
  return {options.min_area.value_or(kMinArea * shrink) * unit,
          options.min_hole_area.value_or(kMinHoleArea * shrink) * unit};
}

/// The holes of one contour that are kept: the `max_holes` largest, where above the limit.
std::vector<int> kept_holes(const std::vector<int>& holes, const std::vector<double>& areas,
                            int max_holes, double min_area) {
  std::vector<int> kept = holes;
  std::stable_sort(kept.begin(), kept.end(), [&](int a, int b) { return areas[a] > areas[b]; });
  if (std::ssize(kept) > max_holes) kept.resize(static_cast<std::size_t>(max_holes));
  std::erase_if(kept, [&](int hole) { return !(areas[hole] > min_area); });
  return kept;
}

/// Contours of the thresholded mask -> pieces, and the mask redrawn with the kept ones alone.
void keep_pieces(const Slide& slide, const TissueOptions& options, TissueMask& tissue) {
  std::vector<Contour> contours;
  std::vector<cv::Vec4i> tree;  // next, previous, first child, parent
  cv::findContours(tissue.mask, contours, tree, cv::RETR_CCOMP, cv::CHAIN_APPROX_NONE);
  std::vector<double> areas(contours.size());
  std::vector<std::vector<int>> children(contours.size());
  for (std::size_t i = 0; i < contours.size(); ++i) {
    areas[i] = cv::contourArea(contours[i]);
    if (tree[i][3] >= 0)
      children[static_cast<std::size_t>(tree[i][3])].push_back(static_cast<int>(i));
  }
  const AreaLimits limits = area_limits(slide, options, tissue.downsample_x, tissue.downsample_y);
  struct Kept {
    int outline;
    std::vector<int> holes;
  };
  std::vector<Kept> kept;
  for (std::size_t i = 0; i < contours.size(); ++i) {
    if (tree[i][3] >= 0) continue;
    ++tissue.pieces_found;
    double area = areas[i];
    for (const int hole : children[i]) area -= areas[static_cast<std::size_t>(hole)];
    if (area <= 0 || !(area > limits.piece)) continue;
    kept.push_back(
        {static_cast<int>(i), kept_holes(children[i], areas, options.max_holes, limits.hole)});
    TissuePiece piece{to_level0(contours[i], tissue.downsample_x, tissue.downsample_y), {}};
    for (const int hole : kept.back().holes)
      piece.holes.push_back(to_level0(contours[static_cast<std::size_t>(hole)], tissue.downsample_x,
                                      tissue.downsample_y));
    tissue.pieces.push_back(std::move(piece));
  }
  // The largest first: a piece inside another's hole is drawn after the hole.
  std::stable_sort(kept.begin(), kept.end(), [&](const Kept& a, const Kept& b) {
    return areas[a.outline] > areas[b.outline];
  });
  tissue.mask.setTo(0);
  for (const Kept& k : kept) {
    cv::drawContours(tissue.mask, contours, k.outline, cv::Scalar(255), cv::FILLED);
    for (const int hole : k.holes) {
      cv::drawContours(tissue.mask, contours, hole, cv::Scalar(0), cv::FILLED);
      cv::drawContours(tissue.mask, contours, hole, cv::Scalar(255),
                       1);  // a hole's contour runs on tissue
    }
  }
}

int reduction(const Slide& slide, int level, int64_t max_pixels) {
  int factor = 1;
  for (; reduced_size(slide, level, factor).area() > 0; ++factor) {
    const cv::Size size = reduced_size(slide, level, factor);
    if (static_cast<int64_t>(size.width) * size.height <= max_pixels) break;
  }
  return factor;
}

/// Before the tissue is known: what cannot be decoded is a smaller share of the slide than of it.
void check_blocks(const Slide& slide, const BlockCount& blocks, double max_unreadable,
                  const attn::Hooks& hooks) {
  if (blocks.unreadable.empty()) return;
  if (blocks.unreadable_pixels == blocks.pixels)
    throw attn::Error("the tissue of slide " + slide.path().string() +
                      " cannot be found: none of its pixels can be decoded (" + blocks.first_error +
                      ")");
  if (blocks.unreadable_share() > max_unreadable)
    throw too_unreadable(slide, percent_text(blocks.unreadable_share()) + " or more", "area",
                         max_unreadable, blocks.first_error);
  hooks.warning("slide " + slide.path().string() + ": " + percent_text(blocks.unreadable_share()) +
                " of its area cannot be decoded while tissue is sought, and counts as tissue (" +
                blocks.first_error + ")");
}

/// How much of the tissue is nothing but unknown.
void measure_unknown(const Slide& slide, const Saturation& read, double max_unreadable,
                     TissueMask& tissue) {
  tissue.unreadable_area = read.blocks.unreadable_share();
  const int found = cv::countNonZero(tissue.mask);
  if (read.unknown.empty() || found == 0) return;
  tissue.unreadable = static_cast<double>(cv::countNonZero(tissue.mask & read.unknown)) / found;
  if (tissue.unreadable > max_unreadable)
    throw too_unreadable(slide, percent_text(tissue.unreadable), "tissue", max_unreadable,
                         read.blocks.first_error);
}

nlohmann::json number_or_null(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

/// A number, or null for an unset one. A missing key is an error.
std::optional<double> optional_number(const nlohmann::json& json, const char* key,
                                      const std::string& where) {
  const nlohmann::json* value = attn::io::find(json, key, where);
  if (value != nullptr && value->is_null()) return {};
  return attn::io::get<double>(json, key, where);
}

}  // namespace

TissueOptions tissue_preset(const std::string& name) {
  TissueOptions options;
  if (name == "default") return options;
  options.small_slide_share = 1;
  if (name == "biopsy") {
    options.saturation_threshold = 15;
    options.median = 11;
    options.close = 2;
    options.min_area = 1;
    options.min_hole_area = 1;
    options.max_holes = 2;
  } else if (name == "tcga") {
    options.min_area = 16;
    options.min_hole_area = 4;
  } else {
    throw attn::UsageError("there is no tissue preset " + attn::io::quote_text(name) +
                           "; expected default, biopsy or tcga");
  }
  return options;
}

void check(const TissueOptions& o) {
  const auto demand = [](bool holds, const std::string& sentence) {
    if (!holds) throw attn::UsageError("tissue options: " + sentence);
  };
  using attn::io::number_text;
  demand(o.downsample >= 1 && o.downsample <= 1e4,
         "downsample is " + number_text(o.downsample) + "; expected 1 to 10000");
  demand(
      o.saturation_threshold >= 0 && o.saturation_threshold <= 254,
      "saturation_threshold is " + std::to_string(o.saturation_threshold) + "; expected 0 to 254");
  demand(o.median >= 1 && o.median <= 255 && o.median % 2 == 1,
         "median is " + std::to_string(o.median) + "; expected an odd number from 1 to 255");
  demand(o.close >= 0 && o.close <= 1000,
         "close is " + std::to_string(o.close) + "; expected 0 to 1000");
  const auto demand_area = [&](const std::optional<double>& area, const std::string& name) {
    demand(!area || (*area >= 0 && std::isfinite(*area)),
           name + " is " + number_text(area.value_or(0)) + "; expected 0 or more");
  };
  demand_area(o.min_area, "min_area");
  demand_area(o.min_hole_area, "min_hole_area");
  demand(o.max_holes >= 0, "max_holes is " + std::to_string(o.max_holes) + "; expected 0 or more");
  demand(o.small_slide_share > 0 && o.small_slide_share <= 1, "small_slide_share is " +
                                                                  number_text(o.small_slide_share) +
                                                                  "; expected above 0 and up to 1");
  demand(
      o.max_mask_pixels >= 1 << 16 && o.max_mask_pixels <= 1 << 30,
      "max_mask_pixels is " + std::to_string(o.max_mask_pixels) + "; expected 65536 to 1073741824");
}

nlohmann::json to_json(const TissueOptions& o) {
  return {{"downsample", o.downsample},
          {"saturation_threshold", o.saturation_threshold},
          {"otsu", o.otsu},
          {"median", o.median},
          {"close", o.close},
          {"min_area", number_or_null(o.min_area)},
          {"min_hole_area", number_or_null(o.min_hole_area)},
          {"max_holes", o.max_holes},
          {"small_slide_share", o.small_slide_share},
          {"remove_pen", o.remove_pen},
          {"max_mask_pixels", o.max_mask_pixels}};
}

TissueOptions tissue_options_from_json(const nlohmann::json& json) {
  const std::string where = "tissue options";
  TissueOptions o;
  o.downsample = attn::io::get<double>(json, "downsample", where);
  o.saturation_threshold = attn::io::get<int>(json, "saturation_threshold", where);
  o.otsu = attn::io::get<bool>(json, "otsu", where);
  o.median = attn::io::get<int>(json, "median", where);
  o.close = attn::io::get<int>(json, "close", where);
  o.min_area = optional_number(json, "min_area", where);
  o.min_hole_area = optional_number(json, "min_hole_area", where);
  o.max_holes = attn::io::get<int>(json, "max_holes", where);
  o.small_slide_share = attn::io::get<double>(json, "small_slide_share", where);
  o.remove_pen = attn::io::get<bool>(json, "remove_pen", where);
  o.max_mask_pixels = attn::io::get<int64_t>(json, "max_mask_pixels", where);
  check(o);
  return o;
}

double TissueMask::area_mm2(double mpp) const {
  const double pixel_um2 = downsample_x * downsample_y * mpp * mpp;
  return static_cast<double>(cv::countNonZero(mask)) * pixel_um2 / 1e6;
}

std::string percent_text(double share) {
  return attn::io::number_text(std::max(1.0, std::round(1000 * share)) / 10) + " %";
}

attn::Error too_unreadable(const Slide& slide, const std::string& share, const std::string& what,
                           double max_unreadable, const std::string& why) {
  return attn::Error("slide " + slide.path().string() + ": " + share + " of its " + what +
                     " cannot be decoded (" + why + "), and " + percent_text(max_unreadable) +
                     " may be; copy it again from its origin, or allow more with --max-unreadable");
}

TissueMask find_tissue(const Slide& slide, const TissueOptions& options, const attn::Hooks& hooks,
                       int threads, double max_unreadable) {
  check(options);
  TissueMask tissue;
  tissue.level = slide.best_level(options.downsample);
  const int factor = reduction(slide, tissue.level, options.max_mask_pixels);
  tissue.downsample_x = slide.level(tissue.level).downsample_x * factor;
  tissue.downsample_y = slide.level(tissue.level).downsample_y * factor;
  Saturation read = read_saturation(slide, tissue.level, factor, options.remove_pen, threads,
                                    max_unreadable, hooks);
  check_blocks(slide, read.blocks, max_unreadable, hooks);
  if (options.remove_pen) {
    cv::dilate(read.ink, read.ink, cv::getStructuringElement(cv::MORPH_ELLIPSE, {5, 5}));
    read.s.setTo(0, read.ink);
    read.ink.release();
  }
  hooks.check();
  if (options.median > 1) cv::medianBlur(read.s, read.s, options.median);
  tissue.threshold =
      cv::threshold(read.s, tissue.mask, options.saturation_threshold, 255,
                    options.otsu ? cv::THRESH_BINARY | cv::THRESH_OTSU : cv::THRESH_BINARY);
  read.s.release();
  if (!read.unknown.empty()) tissue.mask |= read.unknown;
  if (options.close > 0)
    cv::morphologyEx(tissue.mask, tissue.mask, cv::MORPH_CLOSE,
                     cv::Mat::ones(options.close, options.close, CV_8UC1));
  hooks.check();
  keep_pieces(slide, options, tissue);
  measure_unknown(slide, read, max_unreadable, tissue);
  return tissue;
}

cv::Mat tissue_preview(const Slide& slide, const TissueMask& tissue, int longest_side) {
  cv::Mat picture = slide.thumbnail(longest_side);
  const double to_x = static_cast<double>(picture.cols) / static_cast<double>(slide.width());
  const double to_y = static_cast<double>(picture.rows) / static_cast<double>(slide.height());
  const int thickness = std::max(1, longest_side / 500);
  const auto draw = [&](const Contour& contour, const cv::Scalar& colour) {
    const Contour scaled = to_level0(contour, to_x, to_y);
    cv::polylines(picture, std::vector<Contour>{scaled}, true, colour, thickness);
  };
  for (const TissuePiece& piece : tissue.pieces) {
    draw(piece.outline, cv::Scalar(0, 170, 0));
    for (const Contour& hole : piece.holes) draw(hole, cv::Scalar(0, 0, 255));
  }
  return picture;
}

void write_picture(const std::filesystem::path& path, const cv::Mat& rgb) {
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<uint8_t> bytes;
  bool encoded = false;
  try {
    encoded = cv::imencode(path.extension().string(), bgr, bytes);
  } catch (const cv::Exception&) {
    encoded = false;
  }
  if (!encoded)
    throw attn::Error("cannot make the picture " + path.string() + " of " +
                      std::to_string(rgb.cols) + " x " + std::to_string(rgb.rows) +
                      " px; expected a name in .png or .jpg, and for .jpg sides up to 65500");
  attn::io::write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace pathology
