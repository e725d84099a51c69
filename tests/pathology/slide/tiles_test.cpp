#include "pathology/slide/tiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <set>

#include "libattn/io/hdf5.h"
#include "tests/pathology/slide/slide_support.h"

namespace pathology {
namespace {

using attn::test::sentence_of;
using test::data;
using ::testing::AllOf;
using ::testing::HasSubstr;

TissueOptions fine() {
  TissueOptions options = tissue_preset("biopsy");
  options.median = 3;
  options.min_area = 0.1;
  return options;
}

class SmallSlide : public ::testing::Test {
 protected:
  SmallSlide() : drawn_(test::draw_tissue(2048, 1536, {{{700, 700}, 500}, {{1700, 600}, 200}})) {
    test::write_tiff(folder_ / "s.tif", test::pyramid(drawn_, 3));
  }
  Slide slide() const { return Slide::open(folder_ / "s.tif"); }
  const test::TempFolder folder_;
  const cv::Mat drawn_;
};

/// CLAM's create_patches_fp.py with the preset bwh_biopsy, 256 px, level 0.
TEST(Clam, CoordinatesAndTheirOrderAreClams) {
  ATTN_NEED_SHARED_DATA(data("slides"));
  for (const char* name : {"cmu-1-small-region.svs", "mosaic_colon_pos.tiff"}) {
    const Slide slide = Slide::open(data(std::string("slides/") + name));
    TileOptions options;
    options.mpp = slide.require_mpp();
    const Tiles ours = tile_slide(slide, tissue_preset("biopsy"), options);
    const Tiles clams = read_tiles(data("interop/clam_coords_" + slide.id() + ".h5"));
    EXPECT_EQ(ours.coords, clams.coords) << name;  // all 50 and all 75, none besides
    EXPECT_EQ(ours.geometry.read_size, clams.geometry.read_size);
    EXPECT_EQ(ours.geometry.level, clams.geometry.level);
    EXPECT_EQ(ours.footprint, clams.footprint);
    EXPECT_EQ(ours.slide_id, clams.slide_id);
    EXPECT_EQ(ours.level_size, clams.level_size);
    EXPECT_EQ(ours.downsample, clams.downsample);
  }
}

TEST_F(SmallSlide, GeometryPicksTheBestLevel) {
  const Slide s = slide();  // 0.5 um per px at levels /1 /2 /4
  struct Case {
    double mpp;
    int level, read_size;
    int64_t footprint;
  };
  for (const Case& c : {Case{0.5, 0, 256, 256}, Case{0.504, 0, 256, 256}, Case{1.0, 1, 256, 512},
                        Case{2.0, 2, 256, 1024}, Case{0.75, 0, 384, 384}, Case{1.5, 1, 384, 768},
                        Case{3.0, 2, 384, 1536}, Case{0.42, 0, 215, 215}}) {
    TileOptions options;
    options.mpp = c.mpp;
    const TileGeometry g = tile_geometry(s, options);
    EXPECT_EQ(g.level, c.level) << c.mpp;
    EXPECT_EQ(g.read_size, c.read_size) << c.mpp;
    EXPECT_EQ(g.footprint, c.footprint) << c.mpp;
    EXPECT_EQ(g.step, c.footprint) << c.mpp;
  }
  TileOptions overlapping;
  overlapping.mpp = 1;
  overlapping.overlap = 64;
  EXPECT_EQ(tile_geometry(s, overlapping).step, 384);
}

TEST_F(SmallSlide, EnlargingIsRefusedBySentence) {
  TileOptions options;
  options.mpp = 0.25;
  EXPECT_THAT(sentence_of([&] { tile_geometry(slide(), options); }),
              AllOf(HasSubstr("s.tif"), HasSubstr("0.5 um per pixel"), HasSubstr("2 times")));
  options.max_upsampling = 2;
  EXPECT_EQ(tile_geometry(slide(), options).read_size, 128);
  options.size = 4096;
  options.mpp = 30;
  EXPECT_THAT(sentence_of([&] { tile_geometry(slide(), options); }), HasSubstr("8192"));
}

TEST_F(SmallSlide, TilesCoverTheTissueOnce) {
  const Slide s = slide();
  const Tiles tiles = tile_slide(s, fine(), {});
  EXPECT_EQ(tiles.reason, "");
  cv::Mat covered = cv::Mat::zeros(drawn_.rows + 512, drawn_.cols + 512, CV_8UC1);
  for (const auto& [x, y] : tiles.coords) {
    const cv::Rect place(static_cast<int>(x), static_cast<int>(y), 256, 256);
    covered(place) += 1;
  }
  double most = 0;
  cv::minMaxLoc(covered, nullptr, &most);
  EXPECT_EQ(most, 1);
  int64_t tissue = 0, missed = 0;
  for (int y = 0; y < drawn_.rows; ++y)
    for (int x = 0; x < drawn_.cols; ++x)
      if (drawn_.at<cv::Vec3b>(y, x)[1] < 200) {
        ++tissue;
        missed += covered.at<uint8_t>(y, x) == 0;
      }
  // four_pt leaves slivers at the rim, where less than a quarter of a tile is tissue.
  EXPECT_LT(static_cast<double>(missed), 0.05 * static_cast<double>(tissue));
}

TEST_F(SmallSlide, TestsPaddingAndSharesOrderByStrictness) {
  const Slide s = slide();
  const TissueMask mask = find_tissue(s, fine());
  const auto tiles = [&](TileTest test, bool padding, double share) {
    TileOptions options;
    options.test = test;
    options.padding = padding;
    options.min_tissue = share;
    const Tiles t = tile_slide(s, mask, fine(), options);
    return std::set<std::array<int64_t, 2>>(t.coords.begin(), t.coords.end());
  };
  const auto easy = tiles(TileTest::four_points, true, 0),
             hard = tiles(TileTest::four_points_hard, true, 0);
  EXPECT_GT(easy.size(), hard.size());
  EXPECT_TRUE(std::includes(easy.begin(), easy.end(), hard.begin(), hard.end()));
  const auto half = tiles(TileTest::four_points, true, 0.5),
             full = tiles(TileTest::four_points, true, 0.999);
  EXPECT_GT(easy.size(), half.size());
  EXPECT_GT(half.size(), full.size());
  EXPECT_FALSE(full.empty());
  for (const auto& [x, y] : full)
    EXPECT_LT(cv::mean(drawn_(cv::Rect(static_cast<int>(x), static_cast<int>(y), 256, 256)))[1],
              160);
  for (const auto& [x, y] : tiles(TileTest::four_points, false, 0)) {
    EXPECT_LE(x + 256, s.width());
    EXPECT_LE(y + 256, s.height());
  }
}

TEST_F(SmallSlide, TilesInHolesAreLeftOut) {
  cv::Mat drawn = test::draw_tissue(2048, 2048, {{{1024, 1024}, 1000}});
  cv::circle(drawn, {1024, 1024}, 500, cv::Scalar(244, 243, 245), cv::FILLED);
  test::write_tiff(folder_ / "ring.tif", {drawn});
  const Slide s = Slide::open(folder_ / "ring.tif");
  for (const auto& [x, y] : tile_slide(s, fine(), {}).coords)
    EXPECT_GE(std::hypot(static_cast<double>(x) + 128 - 1024, static_cast<double>(y) + 128 - 1024),
              490);
}

TEST_F(SmallSlide, NothingToTileIsToldNotThrown) {
  test::write_tiff(folder_ / "blank.tif", {cv::Mat(600, 600, CV_8UC3, cv::Scalar::all(240))});
  const Tiles blank = tile_slide(Slide::open(folder_ / "blank.tif"), fine(), {});
  EXPECT_TRUE(blank.coords.empty());
  EXPECT_THAT(blank.reason, HasSubstr("no tissue"));
  TissueOptions coarse = fine();
  coarse.min_area = 1000;
  EXPECT_THAT(tile_slide(slide(), coarse, {}).reason, HasSubstr("smaller than the smallest area"));
  test::TiffOptions small_tiles;
  small_tiles.tile = 64;
  test::write_tiff(folder_ / "tiny.tif", {test::draw_tissue(200, 200, {{{100, 100}, 100}})},
                   small_tiles);
  TileOptions unpadded;
  unpadded.padding = false;
  TissueOptions any = fine();
  any.min_area = 0;
  EXPECT_THAT(tile_slide(Slide::open(folder_ / "tiny.tif"), any, unpadded).reason,
              HasSubstr("smaller than one tile"));
  EXPECT_EQ(tile_slide(Slide::open(folder_ / "tiny.tif"), any, {}).coords.size(), 1U);
}

TEST_F(SmallSlide, GridsBeyondMeasureAreRefused) {
  TileOptions options;
  options.size = 8;
  EXPECT_FALSE(tile_slide(slide(), fine(), options).coords.empty());
  options.overlap = 7;  // a place for each of the 1.2 megapixels, and of 25 times as many
  const Slide large = [&] {
    test::write_tiff(folder_ / "l.tif", {test::draw_tissue(4096, 3072, {{{1500, 1500}, 1400}})});
    return Slide::open(folder_ / "l.tif");
  }();
  EXPECT_THAT(sentence_of([&] { tile_slide(large, fine(), options); }),
              AllOf(HasSubstr("l.tif"), HasSubstr("million places"), HasSubstr("less overlap")));
}

TEST_F(SmallSlide, WhatCannotBeDecodedIsTiledAndTold) {
  test::write_tiff(folder_ / "d.tif", {drawn_});
  const Tiles whole = tile_slide(Slide::open(folder_ / "d.tif"), fine(), {});
  EXPECT_EQ(whole.unreadable, 0);
  test::damage_tile(folder_ / "d.tif", 700, 700);  // inside the larger piece
  const Slide damaged = Slide::open(folder_ / "d.tif");
  const Tiles tiles = tile_slide(damaged, fine(), {});
  EXPECT_EQ(tiles.coords, whole.coords);
  EXPECT_GT(tiles.unreadable, 0.05);
  EXPECT_LT(tiles.unreadable, 0.2);
  const auto path = folder_ / "d.h5";
  write_tiles(path, tiles);
  EXPECT_EQ(read_tiles(path).unreadable, tiles.unreadable);
  const nlohmann::json config = tiles_config(damaged, fine(), {});
  EXPECT_TRUE(tiles_current(path, config, 0.5));
  EXPECT_FALSE(tiles_current(path, config, 0.01));  // another limit: to be judged again
  EXPECT_THAT(sentence_of([&] { tile_slide(damaged, fine(), {}, {}, 1, 0.05); }),
              HasSubstr("--max-unreadable"));
}

TEST_F(SmallSlide, TheTableHasARowForEveryFileOfTheFolder) {
  std::filesystem::create_directory(folder_ / "patches");
  Tiles tiles = tile_slide(slide(), fine(), {});
  for (const char* name : {"b", "a"}) {
    tiles.slide_id = name;
    write_tiles(folder_ / "patches" / (std::string(name) + ".h5"), tiles);
  }
  attn::test::put(folder_ / "patches/cut.h5", "no tiles");
  write_tile_table(folder_ / "tiles.csv", folder_ / "patches");
  const std::string text = attn::test::slurp(folder_ / "tiles.csv");
  EXPECT_THAT(text, HasSubstr("slide_id,tiles,mpp,tile_px,level,footprint_px,slide_mpp,"
                              "slide_mpp_source,unreadable,note\na,"));
  EXPECT_THAT(text, AllOf(HasSubstr("\nb,"), ::testing::Not(HasSubstr("cut"))));
}

TEST_F(SmallSlide, PixelsAreResampledByArea) {
  const Slide s = slide();
  TileOptions options;
  options.mpp = 0.75;
  const TileGeometry g = tile_geometry(s, options);
  cv::Mat expected;
  cv::resize(drawn_(cv::Rect(300, 400, 384, 384)), expected, {256, 256}, 0, 0, cv::INTER_AREA);
  EXPECT_EQ(cv::norm(read_tile(s, g, 300, 400), expected, cv::NORM_INF), 0);
  options.mpp = 1.0;  // a level: nothing is resampled
  const cv::Mat half = test::pyramid(drawn_, 2)[1];
  EXPECT_EQ(cv::norm(read_tile(s, tile_geometry(s, options), 300, 400),
                     half(cv::Rect(150, 200, 256, 256)), cv::NORM_INF),
            0);
  options.mpp = 0.42;
  EXPECT_EQ(read_tile(s, tile_geometry(s, options), 0, 0).size(), cv::Size(256, 256));
}

TEST_F(SmallSlide, FilesComeBackAsTheyWere) {
  const Slide s = slide();
  TileOptions options;
  options.mpp = 1.5;
  options.overlap = 32;
  const Tiles tiles = tile_slide(s, fine(), options);
  write_tiles(folder_ / "t.h5", tiles);
  const Tiles back = read_tiles(folder_ / "t.h5");
  EXPECT_EQ(back.coords, tiles.coords);
  EXPECT_EQ(back.slide_id, "s");
  EXPECT_EQ(back.slide_path, s.path());
  EXPECT_EQ(back.footprint, 768);
  EXPECT_EQ(back.geometry.level, 1);
  EXPECT_EQ(back.geometry.size, 256);
  EXPECT_EQ(back.geometry.step, 672);
  EXPECT_EQ(back.mpp, 1.5);
  EXPECT_EQ(back.downsample, tiles.downsample);
  EXPECT_EQ(back.config, tiles.config);
  EXPECT_EQ(tile_options_from_json(back.config.at("tile")), options);
  EXPECT_EQ(tissue_options_from_json(back.config.at("tissue")), fine());
  // The keys CLAM's readers ask for; its patch_size is in px of patch_level.
  const auto file = attn::io::Hdf5File::open(folder_ / "t.h5");
  EXPECT_EQ(file.int_attribute("coords", "patch_size"), 384);
  EXPECT_EQ(file.int_attribute("coords", "patch_level"), 1);
  EXPECT_EQ(file.double_array_attribute("coords", "downsample"), (std::vector<double>{2, 2}));
  EXPECT_EQ(file.string_attribute("coords", "name"), "s");
}

TEST_F(SmallSlide, EmptyFilesKeepTheirReason) {
  TissueOptions coarse = fine();
  coarse.min_area = 1000;
  write_tiles(folder_ / "t.h5", tile_slide(slide(), coarse, {}));
  const Tiles back = read_tiles(folder_ / "t.h5");
  EXPECT_TRUE(back.coords.empty());
  EXPECT_THAT(back.reason, HasSubstr("smaller than the smallest area"));
}

TEST_F(SmallSlide, CurrentMeansWholeAndMadeTheSameWay) {
  const auto path = folder_ / "t.h5";
  const Slide s = slide();
  const nlohmann::json config = tiles_config(s, fine(), {});
  EXPECT_FALSE(tiles_current(path, config));
  write_tiles(path, tile_slide(s, fine(), {}));
  EXPECT_TRUE(tiles_current(path, config));
  TileOptions other;
  other.overlap = 1;
  EXPECT_FALSE(tiles_current(path, tiles_config(s, fine(), other)));
  EXPECT_FALSE(tiles_current(path, tiles_config(s, tissue_preset("tcga"), {})));
  EXPECT_FALSE(tiles_current(
      path, tiles_config(Slide::open(folder_ / "s.tif", {.instead = 0.51}), fine(), {})));
  // The slide moved: still current. Changed: not.
  std::filesystem::rename(folder_ / "s.tif", folder_ / "moved");
  std::filesystem::create_directory(folder_ / "elsewhere");
  std::filesystem::rename(folder_ / "moved", folder_ / "elsewhere/s.tif");
  EXPECT_TRUE(
      tiles_current(path, tiles_config(Slide::open(folder_ / "elsewhere/s.tif"), fine(), {})));
  test::write_tiff(folder_ / "s.tif", {drawn_});
  EXPECT_FALSE(tiles_current(path, tiles_config(slide(), fine(), {})));
  const std::string whole = attn::test::slurp(path);
  attn::test::put(path, whole.substr(0, whole.size() / 2));
  EXPECT_FALSE(tiles_current(path, config));
}

TEST_F(SmallSlide, NewerForeignAndDamagedFiles) {
  const auto path = folder_ / "t.h5";
  Tiles tiles = tile_slide(slide(), fine(), {});
  tiles.config["format_version"] = 99;
  write_tiles(path, tiles);
  EXPECT_THAT(sentence_of([&] { read_tiles(path); }),
              AllOf(HasSubstr("99"), HasSubstr("newer program")));
  // Not "damaged": it must not be made again in its place.
  EXPECT_THROW(tiles_current(path, tiles_config(slide(), fine(), {})), attn::NewerFormat);
  tiles.config["format_version"] = 1;
  tiles.config["geometry"]["size"] = -5;
  write_tiles(path, tiles);
  sentence_of([&] { read_tiles(path); });
  tiles.config.erase("geometry");
  write_tiles(path, tiles);
  EXPECT_THAT(sentence_of([&] { read_tiles(path); }), HasSubstr("geometry"));
  auto file = attn::io::Hdf5File::create(path);
  file.write<double>("coords", {1.5, 2.5, 3.5}, {1, 3});
  file.commit();
  EXPECT_THAT(sentence_of([&] { read_tiles(path); }), HasSubstr("(N, 2)"));
}

TEST(Foreign, ClamsAndTridentsFilesAreRead) {
  ATTN_NEED_SHARED_DATA(data("interop"));
  const Tiles trident = read_tiles(data("interop/trident_cmu-1-small-region_patches.h5"));
  EXPECT_EQ(trident.coords.size(), 50U);
  EXPECT_EQ(trident.footprint, 256);
  EXPECT_TRUE(trident.config.is_null());
  EXPECT_THAT(sentence_of([] { read_tiles(data("interop/stamp_cmu-1-small-region.h5")); }),
              HasSubstr("coords"));
  EXPECT_THAT(sentence_of([] { read_tiles(data("interop/aem_patch_feats_pretrain_hist48.h5")); }),
              HasSubstr("coords"));
}

TEST(Foreign, TheDownsampleIsANumberThatTilesCanHave) {
  const test::TempFolder folder;
  const auto path = folder / "name_patches.h5";
  const auto write = [&](double downsample) {
    auto file = attn::io::Hdf5File::create(path);
    file.write<int64_t>("coords", {0, 0}, {1, 2});
    file.set_attribute("coords", "patch_size", int64_t{256});
    file.set_attribute("coords", "patch_level", int64_t{1});
    file.set_attribute("coords", "downsample", std::vector<double>{downsample, downsample});
    file.commit();
  };
  write(4);
  EXPECT_EQ(read_tiles(path).footprint, 1024);
  EXPECT_EQ(read_tiles(path).slide_id, "name");
  for (const double bad : {0.0, -4.0, 1e18, std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()}) {
    write(bad);
    EXPECT_THAT(sentence_of([&] { read_tiles(path); }),
                AllOf(HasSubstr("name_patches.h5"), HasSubstr("downsample")));
  }
}

TEST(TileOptionsJson, RoundTripAndRefusals) {
  TileOptions options;
  options.test = TileTest::center;
  options.min_tissue = 0.25;
  EXPECT_EQ(tile_options_from_json(to_json(options)), options);
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, nlohmann::json>>{{"mpp", 0},
                                                           {"size", 3},
                                                           {"size", 1e9},
                                                           {"overlap", 256},
                                                           {"overlap", -1},
                                                           {"min_tissue", 2},
                                                           {"test", "any"},
                                                           {"padding", "yes"}}) {
    nlohmann::json json = to_json(options);
    json[key] = value;
    EXPECT_THAT(sentence_of([&] { tile_options_from_json(json); }), HasSubstr(key));
  }
}

}  // namespace
}  // namespace pathology
