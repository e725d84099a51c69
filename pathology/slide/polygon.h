// Point in polygon, many times over.
#pragma once

#include <cstdint>
#include <opencv2/core/types.hpp>
#include <vector>

namespace pathology {

/// A closed polygon (even-odd rule) with its edges sorted into horizontal bands, so that one test
/// looks at the edges of one band only: a contour of 10^5 points is asked for 10^5 tiles. Gives
/// what cv::pointPolygonTest gives.
class Polygon {
 public:
  explicit Polygon(const std::vector<cv::Point>& points);
  /// +1 inside, 0 on the boundary, -1 outside.
  int locate(double x, double y) const;
  const cv::Rect& bounds() const { return bounds_; }

 private:
  struct Edge {
    double x0, y0, x1, y1;
  };
  std::size_t band(double y) const;

  cv::Rect bounds_;
  double band_height_ = 1;
  std::vector<std::vector<Edge>> bands_;
};

}  // namespace pathology
