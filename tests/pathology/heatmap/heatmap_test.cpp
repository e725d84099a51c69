#include "pathology/heatmap/heatmap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "pathology/geojson/geojson.h"
#include "pathology/heatmap/color_map.h"
#include "pathology/heatmap/furniture.h"
#include "pathology/simulate/tiff_pyramid.h"
#include "tests/support/data.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

constexpr int kWidth = 2000;
constexpr int kHeight = 1200;

// A slide of one colour per quarter, so that every pixel of an overlay is known.
class Heatmap : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("attn-heatmap-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    sim::PyramidOptions options;
    options.width = kWidth;
    options.height = kHeight;
    options.mpp = 0.5;
    options.jpeg_quality = 100;
    sim::write_pyramid(folder_ / "plain.tif", options, [](int /*y*/, int rows) {
      return cv::Mat3b(rows, kWidth, cv::Vec3b(200, 160, 200));
    });
  }
  void TearDown() override { fs::remove_all(folder_); }
  Slide slide() const { return Slide::open(folder_ / "plain.tif"); }

  fs::path folder_;
};

TileScores four_tiles() {
  TileScores tiles;
  tiles.footprint = 400;
  tiles.coords = {{0, 0}, {400, 0}, {800, 0}, {800, 400}};
  tiles.score = {0.1, 0.4, 0.2, 0.3};
  return tiles;
}

void expect_color(const cv::Vec3b& found, const std::array<double, 3>& wanted,
                  double tolerance = 4) {
  for (int c = 0; c < 3; ++c)
    EXPECT_NEAR(found[c], wanted[static_cast<size_t>(c)], tolerance) << "channel " << c;
}

std::array<double, 3> mixed(double rank, double alpha, const std::string& map = "turbo") {
  const std::array<uint8_t, 3> color = ColorMap(map)(rank);
  const std::array<double, 3> ground{200, 160, 200};
  std::array<double, 3> out{};
  for (size_t c = 0; c < 3; ++c) out[c] = (1 - alpha) * ground[c] + alpha * color[c];
  return out;
}

TEST(PercentileRank, CountsBelowAndHalfOfTies) {
  EXPECT_THAT(percentile_rank(std::vector<double>{3, 1, 2, 2}),
              ElementsAre(0.875, 0.125, 0.5, 0.5));
  const std::vector<double> reference{1, 2, 3, 4};
  EXPECT_THAT(percentile_rank(std::vector<double>{0, 2.5, 9}, reference), ElementsAre(0, 0.5, 1));
  EXPECT_TRUE(percentile_rank(std::vector<double>{}).empty());
  EXPECT_THROW(percentile_rank(std::vector<double>{1, std::nan("")}), attn::Error);
}

TEST(PercentileRank, DependsOnTheOrderOnly) {
  const std::vector<double> score{0.1, 1e-9, 0.7, 0.3};
  std::vector<double> stretched;
  for (const double s : score) stretched.push_back(std::exp(20 * s));
  EXPECT_EQ(percentile_rank(score), percentile_rank(stretched));
}

TEST(Apart, OfAGridWithOverlapTheGridWithout) {
  TileScores tiles;
  tiles.footprint = 100;
  for (int x = -100; x <= 200; x += 50)
    for (int y = -100; y <= 200; y += 50) {
      tiles.coords.push_back({x, y});
      tiles.score.push_back(0);
    }
  std::vector<std::array<int64_t, 2>> chosen;
  for (const int64_t i : apart(tiles)) chosen.push_back(tiles.coords[static_cast<size_t>(i)]);
  std::vector<std::array<int64_t, 2>> grid;
  for (int x = -100; x <= 200; x += 100)
    for (int y = -100; y <= 200; y += 100) grid.push_back({x, y});
  EXPECT_EQ(chosen, grid);
  EXPECT_EQ(apart(four_tiles()).size(), 4U);  // side by side is apart
}

TEST(ColorMaps, NamesAreKnownAndOthersRefused) {
  for (const std::string& name : color_map_names()) EXPECT_NO_THROW(ColorMap{name});
  try {
    ColorMap map("virids");
    FAIL();
  } catch (const attn::UsageError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("viridis"));
  }
  const ColorMap viridis("viridis");
  EXPECT_GT(viridis(1.0)[1], viridis(0.0)[1]);
  EXPECT_EQ(viridis(2.0), viridis(1.0));
}

TEST(ScaleBar, IsRoundAndFits) {
  EXPECT_DOUBLE_EQ(scale_bar_um(1.0, 2000), 500);
  EXPECT_DOUBLE_EQ(scale_bar_um(0.5, 1000), 100);
  EXPECT_DOUBLE_EQ(scale_bar_um(10, 2000), 5000);
  EXPECT_DOUBLE_EQ(scale_bar_um(0.1, 10), 1);
}

TEST_F(Heatmap, EachTileHasItsColourAndTheRestStays) {
  HeatmapOptions options;
  options.max_side = 500;
  options.legend = false;
  const cv::Mat3b picture = draw_heatmap(slide(), four_tiles(), options, {});
  ASSERT_EQ(picture.cols, 500);
  ASSERT_EQ(picture.rows, 300);
  expect_color(picture(50, 50), mixed(0.125, 0.4));
  expect_color(picture(50, 150), mixed(0.875, 0.4));
  expect_color(picture(50, 250), mixed(0.375, 0.4));
  expect_color(picture(150, 250), mixed(0.625, 0.4));
  expect_color(picture(150, 50), {200, 160, 200}, 2);
  expect_color(picture(250, 450), {200, 160, 200}, 2);
}

TEST_F(Heatmap, OverlappingTilesAreAveraged) {
  TileScores tiles;
  tiles.footprint = 400;
  tiles.coords = {{0, 0}, {200, 0}};
  tiles.score = {1, 2};  // ranks 0.25, 0.75
  HeatmapOptions options;
  options.max_side = 500;
  options.legend = false;
  const cv::Mat3b picture = draw_heatmap(slide(), tiles, options, {});
  expect_color(picture(50, 25), mixed(0.25, 0.4));
  expect_color(picture(50, 75), mixed(0.5, 0.4));
  expect_color(picture(50, 125), mixed(0.75, 0.4));
}

TEST_F(Heatmap, BlurStaysInsideTheTiles) {
  HeatmapOptions options;
  options.max_side = 500;
  options.legend = false;
  options.blur = true;
  options.alpha = 1;
  const cv::Mat3b picture = draw_heatmap(slide(), four_tiles(), options, {});
  expect_color(picture(150, 50), {200, 160, 200}, 2);
  expect_color(picture(103, 100), {200, 160, 200}, 2);
  // Between the lowest and the highest tile the colour lies between theirs.
  const ColorMap colors("turbo");
  double best = 1e9;
  double rank = 0;
  for (int i = 0; i <= 500; ++i) {
    const double r = i / 500.0;
    const std::array<uint8_t, 3> c = colors(r);
    const double d = cv::norm(cv::Vec3i(c[0], c[1], c[2]) - cv::Vec3i(picture(50, 100)));
    if (d < best) {
      best = d;
      rank = r;
    }
  }
  EXPECT_GT(rank, 0.25);
  EXPECT_LT(rank, 0.75);
}

TEST_F(Heatmap, LegendStandsBesideThePicture) {
  HeatmapOptions options;
  options.max_side = 500;
  options.title = "plain \xC3\xBC";  // other letters must not break the drawing
  const cv::Mat3b with = draw_heatmap(slide(), four_tiles(), options, {});
  EXPECT_GT(with.cols, 520);
  EXPECT_GT(with.rows, 320);
  options.title.clear();
  options.legend = false;
  const cv::Mat3b without = draw_heatmap(slide(), four_tiles(), options, {});
  // The picture stands unchanged in the page, below the title.
  bool found = false;
  for (int y = 0; y + without.rows <= with.rows && !found; ++y) {
    const cv::Mat part = with(cv::Rect(0, y, without.cols, without.rows));
    found = cv::norm(part, without, cv::NORM_INF) == 0;
  }
  EXPECT_TRUE(found);
}

TEST_F(Heatmap, NoTilesLeavesTheSlide) {
  HeatmapOptions options;
  options.max_side = 200;
  options.legend = false;
  options.blur = true;
  const cv::Mat3b picture = draw_heatmap(slide(), {}, options, {});
  expect_color(picture(50, 50), {200, 160, 200}, 2);
}

TEST_F(Heatmap, RefusesWhatDoesNotFit) {
  TileScores tiles = four_tiles();
  tiles.score.pop_back();
  EXPECT_THROW(draw_heatmap(slide(), tiles, {}, {}), attn::Error);
  tiles = four_tiles();
  tiles.footprint = 0;
  EXPECT_THROW(draw_heatmap(slide(), tiles, {}, {}), attn::Error);
  tiles = four_tiles();
  tiles.score[2] = std::nan("");
  EXPECT_THROW(draw_heatmap(slide(), tiles, {}, {}), attn::Error);
  HeatmapOptions options;
  options.alpha = 1.5;
  EXPECT_THROW(draw_heatmap(slide(), four_tiles(), options, {}), attn::UsageError);
  options = {};
  options.color_map = "rainbow";
  EXPECT_THROW(draw_heatmap(slide(), four_tiles(), options, {}), attn::UsageError);
}

TEST_F(Heatmap, TopTilesComeBestFirst) {
  TileScores tiles = four_tiles();
  tiles.score = {0.2, 0.4, 0.2, 0.3};
  EXPECT_THAT(top_tiles(tiles, 3), ElementsAre(1, 3, 0));
  EXPECT_THAT(top_tiles(tiles, 99), ElementsAre(1, 3, 0, 2));
  EXPECT_TRUE(top_tiles({}, 5).empty());
}

TEST_F(Heatmap, TopTilesAreDrawnAndWritten) {
  TopTilesOptions options;
  options.count = 3;
  options.columns = 2;
  options.tile_side = 64;
  options.folder = folder_ / "tiles";
  const cv::Mat3b page = draw_top_tiles(slide(), four_tiles(), options, {});
  EXPECT_GT(page.rows, 2 * 64);
  EXPECT_GT(page.cols, 2 * 64);
  expect_color(page(8 + 32, 8 + 32), {200, 160, 200}, 2);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(*options.folder))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names,
              testing::UnorderedElementsAre("01_400_0.png", "02_800_400.png", "03_800_0.png"));
  const cv::Mat tile = cv::imread((*options.folder / "01_400_0.png").string());
  EXPECT_EQ(tile.cols, 64);
}

TEST_F(Heatmap, PngAndJpegHoldThePicture) {
  cv::Mat3b rgb(20, 30, cv::Vec3b(250, 10, 20));
  write_png(folder_ / "x.png", rgb);
  const cv::Mat3b back = cv::imread((folder_ / "x.png").string());
  EXPECT_EQ(back(5, 5), cv::Vec3b(20, 10, 250));  // read as BGR
  const std::string jpeg = encode_jpeg(rgb);
  EXPECT_EQ(jpeg.substr(0, 2), "\xFF\xD8");
}

TEST_F(Heatmap, GeoJsonHoldsEveryTileWithItsRank) {
  const fs::path path = folder_ / "heat.geojson";
  write_attention_geojson(path, four_tiles(), {});
  const std::vector<Outline> all = read_geojson(path);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[1].object_type, "tile");
  EXPECT_EQ(all[1].classification, "Attention percentile 80-90");
  EXPECT_EQ(all[1].measurements[0], (std::pair<std::string, double>("attention", 0.4)));
  EXPECT_EQ(all[1].measurements[1],
            (std::pair<std::string, double>("attention_percentile", 0.875)));
  EXPECT_EQ(all[1].region.exterior[2].x, 800);
  EXPECT_EQ(all[1].region.exterior[2].y, 400);
  EXPECT_DOUBLE_EQ(area(all[1].region), 160000);

  AttentionGeoJsonOptions options;
  options.min_percentile = 0.6;
  write_attention_geojson(path, four_tiles(), options);
  EXPECT_EQ(read_geojson(path).size(), 2U);
}

TEST(HeatmapOnRealSlide, DrawsASlideWithoutLowLevels) {
  const fs::path path = attn::test::shared_data("pathology/slides/cmu-1-small-region.svs");
  ATTN_NEED_SHARED_DATA(path);
  const Slide slide = Slide::open(path);
  TileScores tiles;
  tiles.footprint = 256;
  for (int64_t y = 0; y + 256 <= slide.height(); y += 256) {
    for (int64_t x = 0; x + 256 <= slide.width(); x += 256) {
      tiles.coords.push_back({x, y});
      tiles.score.push_back(static_cast<double>(x + y));
    }
  }
  HeatmapOptions options;
  options.max_side = 600;
  const cv::Mat picture = draw_heatmap(slide, tiles, options, {});
  EXPECT_GE(picture.rows, 600);
  const cv::Mat page = draw_top_tiles(slide, tiles, {}, {});
  EXPECT_GT(page.rows, 3 * 224);
}

}  // namespace
}  // namespace pathology
