#include "pathology/geojson/geojson.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const Ring kSquare{{0, 0}, {10, 0}, {10, 10}, {0, 10}};
const Ring kHole{{2, 2}, {4, 2}, {4, 4}, {2, 4}};

class GeoJson : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("attn-geojson-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path file(const std::string& text) const {
    fs::path path = folder_ / "in.geojson";
    attn::io::write_file(path, text);
    return path;
  }
  std::string failure(const std::string& text) const {
    try {
      read_geojson(file(text));
    } catch (const attn::Error& error) {
      return error.what();
    }
    return "no error";
  }

  fs::path folder_;
};

TEST(Geometry, AreaTakesHolesAwayWhateverTheirSense) {
  EXPECT_DOUBLE_EQ(area({kSquare, {}}), 100);
  EXPECT_DOUBLE_EQ(area({kSquare, {kHole}}), 96);
  EXPECT_DOUBLE_EQ(area({kSquare, {Ring(kHole.rbegin(), kHole.rend())}}), 96);
}

TEST(Geometry, ContainsKnowsHolesAndConcaveRings) {
  const Region region{kSquare, {kHole}};
  EXPECT_TRUE(contains(region, {5, 5}));
  EXPECT_FALSE(contains(region, {3, 3}));
  EXPECT_FALSE(contains(region, {11, 5}));
  const Region notch{{{0, 0}, {10, 0}, {10, 10}, {5, 2}, {0, 10}}, {}};
  EXPECT_FALSE(contains(notch, {5, 5}));
  EXPECT_TRUE(contains(notch, {1, 5}));
}

TEST(Geometry, CoveredShareIsExact) {
  const Region region{kSquare, {kHole}};
  EXPECT_DOUBLE_EQ(covered_share(region, {0, 0}, 10), 0.96);
  EXPECT_DOUBLE_EQ(covered_share(region, {8, 8}, 4), 4.0 / 16);
  EXPECT_DOUBLE_EQ(covered_share(region, {2, 2}, 2), 0);
  EXPECT_DOUBLE_EQ(covered_share(region, {20, 20}, 4), 0);
  EXPECT_DOUBLE_EQ(covered_share(region, {5, 5}, 1), 1);
  const Region triangle{{{0, 0}, {8, 0}, {0, 8}}, {}};
  EXPECT_DOUBLE_EQ(covered_share(triangle, {0, 0}, 8), 0.5);
}

TEST(Geometry, CoveredShareOfAGridSumsToTheArea) {
  Ring star;  // concave
  for (int i = 0; i < 20; ++i) {
    const double r = i % 2 == 0 ? 47.3 : 20.1;
    star.push_back({50 + r * std::cos(i * 0.314159), 50 + r * std::sin(i * 0.314159)});
  }
  const Region region{star, {}};
  double sum = 0;
  for (int y = 0; y < 100; y += 10) {
    for (int x = 0; x < 100; x += 10) {
      sum += 100 * covered_share(region, {static_cast<double>(x), static_cast<double>(y)}, 10);
    }
  }
  EXPECT_NEAR(sum, area(region), 1e-9 * sum);
}

TEST_F(GeoJson, WhatIsWrittenReadsBackTheSame) {
  Outline focus;
  focus.region = {{{0.25, 0}, {10, 0}, {10, 1e6}, {0, 10}}, {kHole}};
  focus.classification = "tumor \"A\" <ü>";
  focus.name = "focus 1";
  focus.color = {200, 0, 255};
  focus.object_type = "tile";
  focus.measurements = {{"attention", 1.25e-7}, {"rank", 0.5}};
  Outline plain;
  plain.region = {kSquare, {}};
  const fs::path path = folder_ / "out.geojson";
  write_geojson(path, {focus, plain});
  const std::vector<Outline> back = read_geojson(path);
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].classification, focus.classification);
  EXPECT_EQ(back[0].name, focus.name);
  EXPECT_EQ(back[0].object_type, "tile");
  EXPECT_EQ(back[0].color, focus.color);
  EXPECT_EQ(back[0].measurements, focus.measurements);
  ASSERT_EQ(back[0].region.holes.size(), 1U);
  ASSERT_EQ(back[0].region.exterior.size(), 4U);
  EXPECT_EQ(back[0].region.exterior[0].x, 0.25);
  EXPECT_EQ(back[0].region.exterior[2].y, 1e6);
  EXPECT_EQ(back[1].classification, "");
  EXPECT_FALSE(back[1].color.has_value());
}

TEST_F(GeoJson, WritesTheDialectOfQuPath) {
  Outline outline;
  outline.region = {kSquare, {}};
  outline.classification = "Tissue";
  outline.color = {1, 2, 3};
  const fs::path path = folder_ / "out.geojson";
  write_geojson(path, {outline});
  const auto document = nlohmann::json::parse(attn::io::read_file(path));
  EXPECT_EQ(document["type"], "FeatureCollection");
  const auto& feature = document["features"][0];
  EXPECT_EQ(feature["type"], "Feature");
  EXPECT_EQ(feature["geometry"]["type"], "Polygon");
  const auto& ring = feature["geometry"]["coordinates"][0];
  ASSERT_EQ(ring.size(), 5U);  // closed
  EXPECT_EQ(ring[0], ring[4]);
  EXPECT_EQ(feature["properties"]["objectType"], "annotation");
  EXPECT_EQ(feature["properties"]["classification"]["name"], "Tissue");
  EXPECT_EQ(feature["properties"]["classification"]["color"], nlohmann::json({1, 2, 3}));
}

TEST_F(GeoJson, NoOutlinesIsAValidFile) {
  const fs::path path = folder_ / "none.geojson";
  write_geojson(path, {});
  EXPECT_TRUE(read_geojson(path).empty());
}

TEST_F(GeoJson, RefusesNumbersThatJsonLacks) {
  Outline outline;
  outline.region = {kSquare, {}};
  outline.measurements = {{"attention", std::numeric_limits<double>::quiet_NaN()}};
  EXPECT_THROW(write_geojson(folder_ / "x.geojson", {outline}), attn::Error);
  outline.measurements.clear();
  outline.region.exterior[1].x = std::numeric_limits<double>::infinity();
  EXPECT_THROW(write_geojson(folder_ / "x.geojson", {outline}), attn::Error);
  outline.region.exterior = {{0, 0}, {1, 1}};
  EXPECT_THROW(write_geojson(folder_ / "x.geojson", {outline}), attn::Error);
  EXPECT_FALSE(fs::exists(folder_ / "x.geojson"));
}

TEST_F(GeoJson, ReadsListsMultiPolygonsAndOlderMeasurements) {
  const fs::path path = file(R"([
    {"type":"Feature","geometry":{"type":"MultiPolygon","coordinates":
      [[[[0,0],[1,0],[1,1],[0,0]]],[[[5,5],[6,5],[6,6],[5,5]]]]},
     "properties":{"classification":{"names":["Tumor","Positive"]},
                   "measurements":[{"name":"area","value":2.5}]}},
    {"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{}}])");
  const std::vector<Outline> outlines = read_geojson(path);
  ASSERT_EQ(outlines.size(), 2U);
  EXPECT_EQ(outlines[1].region.exterior.size(), 3U);
  EXPECT_EQ(outlines[0].classification, "Tumor: Positive");
  ASSERT_EQ(outlines[0].measurements.size(), 1U);
  EXPECT_EQ(outlines[0].measurements[0].second, 2.5);
}

TEST_F(GeoJson, DamagedFilesEndInASentenceThatNamesThem) {
  EXPECT_THAT(failure("{\"type\":\"Feat"), HasSubstr("in.geojson"));
  EXPECT_THAT(failure("3"), HasSubstr("no GeoJSON"));
  EXPECT_THAT(failure(R"({"type":"FeatureCollection"})"), HasSubstr("features"));
  EXPECT_THAT(failure(R"([{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1]]]}}])"),
              HasSubstr("feature 0"));
  EXPECT_THAT(failure(R"([{"geometry":{"type":"Polygon","coordinates":[[[0,"a"],[1,1],[2,2]]]}}])"),
              HasSubstr("[x, y]"));
  EXPECT_THAT(failure(R"([{"geometry":{"coordinates":[]}}])"), HasSubstr("type"));
  EXPECT_THAT(failure(R"([{"geometry":5}])"), HasSubstr("feature 0"));
  EXPECT_THAT(failure(R"([7])"), HasSubstr("feature 0"));
  EXPECT_THROW(read_geojson(folder_ / "absent.geojson"), attn::Error);
}

}  // namespace
}  // namespace pathology
