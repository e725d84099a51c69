#include "pathology/slide/polygon.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace pathology {

Polygon::Polygon(const std::vector<cv::Point>& points) {
  if (points.empty()) return;
  bounds_ = cv::boundingRect(points);
  const std::size_t bands = std::clamp<std::size_t>(points.size() / 8, 1, 4096);
  band_height_ = std::max(1.0, static_cast<double>(bounds_.height) / static_cast<double>(bands));
  bands_.resize(static_cast<std::size_t>(bounds_.height / band_height_) + 1);
  cv::Point before = points.back();
  for (const cv::Point& point : points) {
    const Edge edge{static_cast<double>(before.x), static_cast<double>(before.y),
                    static_cast<double>(point.x), static_cast<double>(point.y)};
    const std::size_t last = band(std::max(edge.y0, edge.y1));
    for (std::size_t i = band(std::min(edge.y0, edge.y1)); i <= last; ++i)
      bands_[i].push_back(edge);
    before = point;
  }
}

std::size_t Polygon::band(double y) const {
  const double index = (y - bounds_.y) / band_height_;
  return std::min(bands_.size() - 1, static_cast<std::size_t>(std::max(0.0, index)));
}

int Polygon::locate(double x, double y) const {
  if (bands_.empty() || y < bounds_.y || y > bounds_.y + bounds_.height - 1 || x < bounds_.x ||
      x > bounds_.x + bounds_.width - 1)
    return -1;
  bool inside = false;
  for (const Edge& e : bands_[band(y)]) {
    const double low = std::min(e.y0, e.y1), high = std::max(e.y0, e.y1);
    if (y < low || y > high) continue;
    // Twice the signed area of (edge, point): 0 on the edge's line. Exact for coordinates below
    // 2^25.
    const double side = (y - e.y0) * (e.x1 - e.x0) - (x - e.x0) * (e.y1 - e.y0);
    if (side == 0 && x >= std::min(e.x0, e.x1) && x <= std::max(e.x0, e.x1)) return 0;
    // A ray to the left crosses edges half-open in y: each vertex counts once.
    if ((e.y0 > y) != (e.y1 > y) && (e.y1 > e.y0 ? side < 0 : side > 0)) inside = !inside;
  }
  return inside ? 1 : -1;
}

}  // namespace pathology
