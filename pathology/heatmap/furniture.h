// Inside the room: what stands around a picture: title, colour bar, scale bar, captions.
#pragma once

#include <opencv2/core/mat.hpp>
#include <optional>
#include <string>

#include "pathology/heatmap/color_map.h"

namespace pathology {

struct Furniture {
  std::string title;                   ///< empty: none
  bool color_bar = true;               ///< "attention percentile in this slide", 0 to 100
  std::optional<double> um_per_pixel;  ///< of the picture; without it no scale bar
};

/// The picture (RGB) on a white page with its furniture in the margins; the picture itself is not
/// written on.
cv::Mat with_furniture(const cv::Mat& picture, const Furniture& furniture, const ColorMap& colors);

/// A length of 1, 2 or 5 times a power of ten micrometres that is at most `share` of `width`
/// pixels; at least 1 um.
double scale_bar_um(double um_per_pixel, int width, double share = 0.25);

/// Writes text with its left baseline at `origin`, `height` pixels high. ASCII only; other bytes
/// are shown as '?'.
void put_text(cv::Mat& rgb, const std::string& text, cv::Point origin, double height,
              const cv::Scalar& color = {30, 30, 30});
/// Its width in pixels.
int text_width(const std::string& text, double height);

}  // namespace pathology
