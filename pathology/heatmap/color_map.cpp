#include "pathology/heatmap/color_map.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "attn/error.h"
#include "libattn/io/nearest_name.h"

namespace pathology {
namespace {

const std::vector<std::pair<std::string, int>>& known() {
  static const std::vector<std::pair<std::string, int>> kKnown{
      {"turbo", cv::COLORMAP_TURBO},     {"jet", cv::COLORMAP_JET},
      {"viridis", cv::COLORMAP_VIRIDIS}, {"inferno", cv::COLORMAP_INFERNO},
      {"magma", cv::COLORMAP_MAGMA},     {"cividis", cv::COLORMAP_CIVIDIS}};
  return kKnown;
}

}  // namespace

const std::vector<std::string>& color_map_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const auto& entry : known()) names.push_back(entry.first);
    return names;
  }();
  return kNames;
}

ColorMap::ColorMap(const std::string& name) {
  const auto found = std::find_if(known().begin(), known().end(),
                                  [&](const auto& entry) { return entry.first == name; });
  if (found == known().end()) {
    throw attn::UsageError("colour map '" + name + "' is unknown, expected one of " +
                           attn::io::list_names(color_map_names()) +
                           attn::io::did_you_mean(name, color_map_names()));
  }
  cv::Mat1b ramp(1, 256);
  for (int i = 0; i < 256; ++i) ramp(0, i) = static_cast<uchar>(i);
  cv::Mat3b bgr;
  cv::applyColorMap(ramp, bgr, found->second);
  for (int i = 0; i < 256; ++i) {
    const cv::Vec3b& c = bgr(0, i);
    colors_[static_cast<size_t>(i)] = {c[2], c[1], c[0]};
  }
}

std::array<uint8_t, 3> ColorMap::operator()(double value) const {
  const double clamped = std::isnan(value) ? 0 : std::clamp(value, 0.0, 1.0);
  return colors_[static_cast<size_t>(std::lround(clamped * 255))];
}

}  // namespace pathology
