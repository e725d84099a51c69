// Outlines on a slide as GeoJSON, in the dialect that QuPath reads and writes.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pathology {

/// A place on a slide: level-0 pixels, origin at the top left corner, x to the right, y down.
struct Point {
  double x = 0;
  double y = 0;
};

/// A closed line; the first point is not repeated at the end.
using Ring = std::vector<Point>;

/// An area with holes.
struct Region {
  Ring exterior;
  std::vector<Ring> holes;
};

/// One outlined object, as QuPath knows it.
struct Outline {
  Region region;
  std::string object_type = "annotation";       ///< "annotation", "detection" or "tile"
  std::string name;                             ///< left out of the file when empty
  std::string classification;                   ///< class name; left out when empty
  std::optional<std::array<uint8_t, 3>> color;  ///< RGB of the class
  std::vector<std::pair<std::string, double>> measurements;  ///< finite numbers only
};

/// Writes a GeoJSON FeatureCollection, one Feature with a Polygon per outline, atomically. Throws
/// attn::Error when a coordinate or measurement is not finite (JSON has no such number), a ring has
/// fewer than three points, or the file cannot be written.
void write_geojson(const std::filesystem::path& path, const std::vector<Outline>& outlines);

/// Reads a FeatureCollection, a list of Features (both written by QuPath) or one Feature. Each
/// polygon of a MultiPolygon becomes an Outline of its own; points and lines are passed over.
/// Throws attn::Error that names the file and the feature.
std::vector<Outline> read_geojson(const std::filesystem::path& path);

/// The area enclosed, holes taken away, in square pixels.
double area(const Region& polygon);

/// True when the point lies inside (even-odd rule; the border itself belongs to neither side
/// reliably).
bool contains(const Region& polygon, Point point);

/// The share, in [0, 1], of the axis-parallel square with top-left corner `corner` and side `side`
/// that `polygon` covers. Exact (Sutherland-Hodgman clipping of every ring).
double covered_share(const Region& polygon, Point corner, double side);

}  // namespace pathology
