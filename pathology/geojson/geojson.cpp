#include "pathology/geojson/geojson.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"

namespace pathology {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what) {
  throw attn::Error(fmt::format("{}: {}", path.string(), what));
}

// A closed ring: GeoJSON repeats the first point (RFC 7946, 3.1.6).
json ring_json(const std::filesystem::path& path, const Ring& ring) {
  if (ring.size() < 3)
    refuse(path, fmt::format("an outline has {} points, expected at least 3", ring.size()));
  json out = json::array();
  const auto add = [&](const Point& p) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y))
      refuse(path, "a coordinate is not a finite number");
    // Whole pixels as whole numbers: half the size for tiles.
    json point = json::array();
    for (const double value : {p.x, p.y}) {
      if (value == std::floor(value) && std::abs(value) < 1e15) {
        point.push_back(static_cast<int64_t>(value));
      } else {
        point.push_back(value);
      }
    }
    out.push_back(std::move(point));
  };
  for (const Point& p : ring) add(p);
  add(ring.front());
  return out;
}

json properties_json(const std::filesystem::path& path, const Outline& outline) {
  json properties = {{"objectType", outline.object_type}};
  if (!outline.name.empty()) properties["name"] = outline.name;
  if (!outline.classification.empty()) {
    properties["classification"] = {{"name", outline.classification}};
    if (outline.color) properties["classification"]["color"] = *outline.color;
  }
  if (!outline.measurements.empty()) {
    json measurements = json::object();
    for (const auto& [name, value] : outline.measurements) {
      if (!std::isfinite(value))
        refuse(path, fmt::format("measurement '{}' is not a finite number", name));
      measurements[name] = value;
    }
    properties["measurements"] = std::move(measurements);
  }
  return properties;
}

json feature_json(const std::filesystem::path& path, const Outline& outline) {
  json rings = json::array({ring_json(path, outline.region.exterior)});
  for (const Ring& hole : outline.region.holes) rings.push_back(ring_json(path, hole));
  return {{"type", "Feature"},
          {"geometry", {{"type", "Polygon"}, {"coordinates", std::move(rings)}}},
          {"properties", properties_json(path, outline)}};
}

// Reads one Feature; every wrong turn ends in a sentence that names it.
class FeatureReader {
 public:
  FeatureReader(const std::filesystem::path& path, size_t number) : path_(path), number_(number) {}

  void read(const json& feature, std::vector<Outline>& out) const {
    if (!feature.is_object()) fail("is not an object");
    if (!feature.contains("geometry") || feature["geometry"].is_null()) return;
    const json& geometry = feature["geometry"];
    const std::string type = text(geometry, "type");
    if (type != "Polygon" && type != "MultiPolygon") return;
    if (!geometry.contains("coordinates")) fail("has no coordinates");
    const Outline common = properties(feature);
    const json& coordinates = geometry["coordinates"];
    if (type == "Polygon") {
      out.push_back(common);
      out.back().region = region_of(coordinates);
      return;
    }
    if (!coordinates.is_array()) fail("has coordinates that are no array");
    for (const json& part : coordinates) {
      out.push_back(common);
      out.back().region = region_of(part);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    refuse(path_,
           fmt::format("feature {} {}; expected GeoJSON as QuPath writes it", number_, what));
  }

  std::string text(const json& object, const char* key) const {
    if (!object.is_object() || !object.contains(key) || !object[key].is_string()) {
      fail(fmt::format("lacks the text '{}'", key));
    }
    return object[key].get<std::string>();
  }

  Ring ring(const json& points) const {
    if (!points.is_array()) fail("has a ring that is no array");
    Ring out;
    for (const json& p : points) {
      if (!p.is_array() || p.size() < 2 || !p[0].is_number() || !p[1].is_number()) {
        fail("has a point that is not [x, y]");
      }
      out.push_back({p[0].get<double>(), p[1].get<double>()});
    }
    if (out.size() >= 2 && out.front().x == out.back().x && out.front().y == out.back().y)
      out.pop_back();
    if (out.size() < 3)
      fail(fmt::format("has a ring of {} points, expected at least 3", out.size()));
    return out;
  }

  Region region_of(const json& rings) const {
    if (!rings.is_array() || rings.empty()) fail("has a polygon without rings");
    Region out{ring(rings[0]), {}};
    for (size_t i = 1; i < rings.size(); ++i) out.holes.push_back(ring(rings[i]));
    return out;
  }

  Outline properties(const json& feature) const {
    Outline out;
    if (!feature.contains("properties") || !feature["properties"].is_object()) return out;
    const json& p = feature["properties"];
    if (p.contains("objectType") && p["objectType"].is_string()) out.object_type = p["objectType"];
    if (p.contains("name") && p["name"].is_string()) out.name = p["name"];
    if (p.contains("classification") && p["classification"].is_object())
      classification(p["classification"], out);
    if (p.contains("measurements")) measurements(p["measurements"], out);
    return out;
  }

  void classification(const json& c, Outline& out) const {
    if (c.contains("name") && c["name"].is_string()) {
      out.classification = c["name"];
    } else if (c.contains("names") && c["names"].is_array()) {  // QuPath 0.5: derived classes
      for (const json& part : c["names"]) {
        if (!part.is_string()) fail("has a class name that is no text");
        out.classification += (out.classification.empty() ? "" : ": ") + part.get<std::string>();
      }
    }
    if (!c.contains("color") || !c["color"].is_array() || c["color"].size() != 3) return;
    std::array<uint8_t, 3> color{};
    for (size_t i = 0; i < 3; ++i) {
      const json& value = c["color"][i];
      if (!value.is_number_integer() || value < 0 || value > 255) return;
      color[i] = value.get<uint8_t>();
    }
    out.color = color;
  }

  // An object {name: number}, or the older list of {name, value}.
  void measurements(const json& m, Outline& out) const {
    for (const auto& [key, value] : m.items()) {
      if (value.is_number()) {
        out.measurements.emplace_back(key, value.get<double>());
      } else if (value.is_object() && value.contains("name") && value["name"].is_string() &&
                 value.contains("value") && value["value"].is_number()) {
        out.measurements.emplace_back(value["name"].get<std::string>(),
                                      value["value"].get<double>());
      }
    }
  }

  const std::filesystem::path& path_;
  size_t number_;
};

}  // namespace

void write_geojson(const std::filesystem::path& path, const std::vector<Outline>& outlines) {
  // Feature by feature: a slide's tiles as one tree would take many times the memory of the text.
  std::string text = "{\"type\": \"FeatureCollection\", \"features\": [";
  for (size_t i = 0; i < outlines.size(); ++i) {
    text += i == 0 ? "\n" : ",\n";
    text += feature_json(path, outlines[i]).dump(-1, ' ', false, json::error_handler_t::replace);
  }
  text += "\n]}\n";
  attn::io::write_file(path, text);
}

std::vector<Outline> read_geojson(const std::filesystem::path& path) {
  const json document = attn::io::read_json(path);
  const json* features = &document;
  json single;
  if (document.is_object() && document.value("type", json()) == "FeatureCollection") {
    if (!document.contains("features") || !document["features"].is_array()) {
      refuse(path, "a FeatureCollection without the list 'features'");
    }
    features = &document["features"];
  } else if (document.is_object() && document.value("type", json()) == "Feature") {
    single = json::array({document});
    features = &single;
  } else if (!document.is_array()) {
    refuse(path, "no GeoJSON FeatureCollection, Feature or list of features");
  }
  std::vector<Outline> out;
  for (size_t i = 0; i < features->size(); ++i) FeatureReader(path, i).read((*features)[i], out);
  return out;
}

}  // namespace pathology
