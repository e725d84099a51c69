#include "pathology/chain/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "pathology/chain/attention_map.h"
#include "pathology/chain/describe.h"
#include "pathology/mil/bag_h5.h"
#include "tests/pathology/slide/slide_support.h"

namespace pathology {
namespace {

using attn::test::sentence_of;
using testing::AllOf;
using testing::HasSubstr;

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() {
    std::filesystem::create_directory(folder_ / "slides");
    test::write_tiff(slide_, test::pyramid(test::draw_tissue(1536, 1024, {{{700, 500}, 400}}), 2));
  }
  Tiles tile() const { return tile_slide(Slide::open(slide_), tissue_preset("biopsy"), {}); }

  const test::TempFolder folder_;
  const std::filesystem::path slide_ = folder_ / "slides/s.tif";
  const std::filesystem::path tile_file_ = folder_ / "s.h5";
};

TEST_F(PipelineTest, TilesFindTheirSlideUnlessItChanged) {
  write_tiles(tile_file_, tile());
  const Tiles tiles = read_tiles(tile_file_);
  EXPECT_EQ(open_slide_of(tile_file_, tiles, {}).id(), "s");
  EXPECT_EQ(open_slide_of(tile_file_, tiles, folder_ / "slides").id(), "s");
  const auto time = std::filesystem::last_write_time(slide_);
  std::filesystem::last_write_time(slide_, time + std::chrono::seconds(1));
  EXPECT_THAT(sentence_of([&] { open_slide_of(tile_file_, tiles, {}); }),
              AllOf(HasSubstr("s.tif"), HasSubstr("has changed")));
  // In a folder that was named it may be a copy, which has another time, but not another picture.
  EXPECT_EQ(open_slide_of(tile_file_, tiles, folder_ / "slides").id(), "s");
  test::write_tiff(slide_, test::pyramid(test::draw_tissue(1536, 1024, {{{700, 500}, 300}}), 2));
  EXPECT_THAT(sentence_of([&] { open_slide_of(tile_file_, tiles, folder_ / "slides"); }),
              HasSubstr("has changed"));
  std::filesystem::remove(slide_);
  EXPECT_THAT(sentence_of([&] { open_slide_of(tile_file_, tiles, {}); }), HasSubstr("is gone"));
}

// Coordinates of CLAM or TRIDENT: to features, to a bag, and to a clear word that a model of them
// cannot start from slides.
TEST_F(PipelineTest, TilesOfOtherProgramsGiveBags) {
  Tiles foreign = tile();
  foreign.config = nullptr;
  write_tiles(tile_file_, foreign);
  const Tiles tiles = read_tiles(tile_file_);
  EXPECT_TRUE(tiles.config.is_null());
  const Slide slide = open_slide_of(tile_file_, tiles, folder_ / "slides");
  const auto encoder = make_encoder("stain-stats-v1");
  const auto path = folder_ / "f.h5";
  write_features(path, extract_features(slide, tiles, *encoder, 1));
  EXPECT_TRUE(features_current(path, features_config(tiles, *encoder)));
  const FeatureFile file = read_feature_file(path);
  EXPECT_EQ(file.bag.instances, std::ssize(tiles.coords));
  EXPECT_EQ(file.preprocessing.at("tiles").at("tile").at("size"), 256);
  EXPECT_EQ(file.preprocessing.at("tiles").at("tile").at("mpp"), 0.5);  // the slide's
  EXPECT_FALSE(file.preprocessing.at("tiles").contains("coords_digest"));
  EXPECT_EQ(describe(path, {}).at("slide"), "s");
  EXPECT_EQ(single_bag(read_features(path)).preprocessing, file.preprocessing);
  EXPECT_THAT(sentence_of([&] { pipeline_from(file.preprocessing, "model"); }),
              HasSubstr("do not say how they were made"));
}

}  // namespace
}  // namespace pathology
