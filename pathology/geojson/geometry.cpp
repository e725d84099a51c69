#include <algorithm>
#include <cmath>

#include "pathology/geojson/geojson.h"

namespace pathology {
namespace {

// Shoelace formula; positive for one sense of rotation, negative for the other.
double signed_area(const Ring& ring) {
  double twice = 0;
  for (size_t i = 0; i < ring.size(); ++i) {
    const Point& p = ring[i];
    const Point& q = ring[(i + 1) % ring.size()];
    twice += p.x * q.y - q.x * p.y;
  }
  return twice / 2;
}

bool odd_crossings(const Ring& ring, Point point) {
  bool odd = false;
  for (size_t i = 0, j = ring.size() - 1; i < ring.size(); j = i++) {
    const Point& p = ring[i];
    const Point& q = ring[j];
    if ((p.y > point.y) == (q.y > point.y)) continue;
    if (point.x < (q.x - p.x) * (point.y - p.y) / (q.y - p.y) + p.x) odd = !odd;
  }
  return odd;
}

// One step of Sutherland and Hodgman: what of the ring lies where sign * (coordinate - limit) >= 0.
Ring clip(const Ring& ring, bool along_x, double limit, double sign) {
  Ring out;
  const auto depth = [&](const Point& p) { return sign * ((along_x ? p.x : p.y) - limit); };
  for (size_t i = 0; i < ring.size(); ++i) {
    const Point& p = ring[i];
    const Point& q = ring[(i + 1) % ring.size()];
    const double dp = depth(p);
    const double dq = depth(q);
    if (dp >= 0) out.push_back(p);
    if ((dp >= 0) != (dq >= 0)) {
      const double t = dp / (dp - dq);
      out.push_back({p.x + t * (q.x - p.x), p.y + t * (q.y - p.y)});
    }
  }
  return out;
}

double clipped_area(const Ring& ring, Point corner, double side) {
  Ring part = clip(ring, true, corner.x, 1);
  part = clip(part, true, corner.x + side, -1);
  part = clip(part, false, corner.y, 1);
  part = clip(part, false, corner.y + side, -1);
  return std::abs(signed_area(part));
}

}  // namespace

double area(const Region& polygon) {
  double sum = std::abs(signed_area(polygon.exterior));
  for (const Ring& hole : polygon.holes) sum -= std::abs(signed_area(hole));
  return sum;
}

bool contains(const Region& polygon, Point point) {
  if (polygon.exterior.empty() || !odd_crossings(polygon.exterior, point)) return false;
  return std::none_of(polygon.holes.begin(), polygon.holes.end(), [&](const Ring& hole) {
    return !hole.empty() && odd_crossings(hole, point);
  });
}

double covered_share(const Region& polygon, Point corner, double side) {
  double sum = clipped_area(polygon.exterior, corner, side);
  for (const Ring& hole : polygon.holes) sum -= clipped_area(hole, corner, side);
  return std::clamp(sum / (side * side), 0.0, 1.0);
}

}  // namespace pathology
