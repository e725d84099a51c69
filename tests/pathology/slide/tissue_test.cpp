#include "pathology/slide/tissue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numbers>
#include <opencv2/imgcodecs.hpp>

#include "tests/pathology/slide/slide_support.h"

namespace pathology {
namespace {

using attn::test::sentence_of;
using ::testing::HasSubstr;

/// Two pieces of radius 400 and 150, and dust.
cv::Mat two_pieces() {
  return test::draw_tissue(2000, 1400, {{{600, 700}, 400}, {{1500, 600}, 150}, {{1800, 1200}, 12}});
}

TissueOptions fine() {
  TissueOptions options = tissue_preset("biopsy");
  options.median = 3;
  options.min_area = 0.1;
  return options;
}

TEST(Tissue, PiecesHaveTheAreaTheyWereDrawnWith) {
  const test::TempFolder folder;
  for (const int levels : {1, 3}) {
    test::write_tiff(folder / "s.tif", test::pyramid(two_pieces(), levels));
    const Slide slide = Slide::open(folder / "s.tif");
    const TissueMask tissue = find_tissue(slide, fine());
    ASSERT_EQ(tissue.pieces.size(), 2U);
    EXPECT_EQ(tissue.level, levels - 1);
    EXPECT_GE(tissue.pieces_found, 2);
    const double drawn = std::numbers::pi * (400.0 * 400 + 150.0 * 150) * 0.25 / 1e6;
    EXPECT_NEAR(tissue.area_mm2(0.5), drawn, 0.03 * drawn) << levels;
  }
}

TEST(Tissue, ALargeSlideWithoutLevelsIsReducedWhileItIsRead) {
  const test::TempFolder folder;
  test::write_tiff(folder / "s.tif", {two_pieces()});
  const Slide slide = Slide::open(folder / "s.tif");
  TissueOptions options = fine();
  options.max_mask_pixels = 1 << 16;  // 2000 x 1400 -> 286 x 200, seven to one
  const TissueMask small = find_tissue(slide, options);
  EXPECT_EQ(small.mask.size(), cv::Size(286, 200));
  EXPECT_EQ(small.downsample_x, 7);
  const TissueMask whole = find_tissue(slide, fine());
  EXPECT_EQ(whole.mask.size(), cv::Size(2000, 1400));
  EXPECT_EQ(small.pieces.size(), whole.pieces.size());
  EXPECT_NEAR(small.area_mm2(0.5), whole.area_mm2(0.5), 0.03 * whole.area_mm2(0.5));
}

TEST(Tissue, TheSameForAnyNumberOfThreadsAndBlocks) {
  const test::TempFolder folder;
  test::write_tiff(folder / "s.tif", {test::draw_tissue(4300, 2300, {{{2048, 1100}, 900}})});
  const Slide slide = Slide::open(folder / "s.tif");
  const TissueMask one = find_tissue(slide, fine(), {}, 1),
                   three = find_tissue(slide, fine(), {}, 3);
  EXPECT_EQ(cv::norm(one.mask, three.mask, cv::NORM_INF), 0);
  ASSERT_EQ(one.pieces.size(), 1U);
  EXPECT_EQ(one.pieces[0].outline, three.pieces[0].outline);
}

TEST(Tissue, HolesAreKeptByNumberAndSize) {
  const test::TempFolder folder;
  cv::Mat drawn = test::draw_tissue(2000, 2000, {{{1000, 1000}, 900}});
  const cv::Scalar glass(244, 243, 245);
  cv::circle(drawn, {700, 1000}, 250, glass, cv::FILLED);
  cv::circle(drawn, {1300, 1000}, 200, glass, cv::FILLED);
  cv::circle(drawn, {1000, 1500}, 150, glass, cv::FILLED);
  test::write_tiff(folder / "s.tif", {drawn});
  const Slide slide = Slide::open(folder / "s.tif");
  const auto holes = [&](int most, double min_area) {
    TissueOptions options = fine();
    options.max_holes = most;
    options.min_hole_area = min_area;
    const TissueMask tissue = find_tissue(slide, options);
    EXPECT_EQ(tissue.pieces.size(), 1U);
    // The mask is white exactly in the kept holes.
    const bool first_open = tissue.mask.at<uint8_t>(1000, 700) == 0;
    EXPECT_EQ(first_open, most >= 1 && min_area < 0.7);
    return tissue.pieces.at(0).holes.size();
  };
  EXPECT_EQ(holes(8, 0.01), 3U);
  EXPECT_EQ(holes(2, 0.01), 2U);
  EXPECT_EQ(holes(8, 0.3), 2U);  // 150 px: 0.27 units
  EXPECT_EQ(holes(0, 0.01), 0U);
  EXPECT_EQ(holes(8, 5), 0U);
}

TEST(Tissue, OtsuAndBlankSlides) {
  const test::TempFolder folder;
  test::write_tiff(folder / "s.tif", {two_pieces()});
  TissueOptions otsu = fine();
  otsu.otsu = true;
  const TissueMask tissue = find_tissue(Slide::open(folder / "s.tif"), otsu);
  EXPECT_EQ(tissue.pieces.size(), 2U);
  EXPECT_GE(tissue.threshold, 2);  // glass has 2, the pink 85
  EXPECT_LT(tissue.threshold, 85);
  test::write_tiff(folder / "blank.tif", {cv::Mat(500, 500, CV_8UC3, cv::Scalar::all(243))});
  EXPECT_TRUE(find_tissue(Slide::open(folder / "blank.tif"), fine()).pieces.empty());
  EXPECT_TRUE(find_tissue(Slide::open(folder / "blank.tif"), otsu).pieces.empty());
}

TEST(Tissue, PenIsTakenOutOnRequest) {
  const test::TempFolder folder;
  cv::Mat drawn = two_pieces();
  for (const auto& [y, colour] :
       {std::pair{100, cv::Scalar(20, 140, 60)}, std::pair{1250, cv::Scalar(20, 20, 25)},
        std::pair{1330, cv::Scalar(30, 120, 220)}})
    cv::line(drawn, {100, y}, {1900, y}, colour, 60);
  test::write_tiff(folder / "s.tif", {drawn});
  const Slide slide = Slide::open(folder / "s.tif");
  TissueOptions options = fine();
  EXPECT_GT(find_tissue(slide, options).pieces.size(), 2U);
  options.remove_pen = true;
  EXPECT_EQ(find_tissue(slide, options).pieces.size(), 2U);
}

TEST(Tissue, SmallSlidesLowerTheSmallestArea) {
  const test::TempFolder folder;
  test::write_tiff(folder / "s.tif",
                   {two_pieces()});  // 2.8 megapixels, ten times below CLAM's smallest piece
  const Slide slide = Slide::open(folder / "s.tif");
  EXPECT_EQ(find_tissue(slide, tissue_preset("default")).pieces.size(), 2U);
  TissueOptions clam = tissue_preset("default");
  clam.small_slide_share = 1;
  EXPECT_EQ(find_tissue(slide, clam).pieces.size(), 0U);
}

TEST(Tissue, SmallSlidesKeepAreasThatWereGiven) {
  const test::TempFolder folder;
  test::write_tiff(folder / "s.tif", {two_pieces()});  // pieces of 1.9 and 0.27 units
  const Slide slide = Slide::open(folder / "s.tif");
  const auto pieces = [&](double min_area) {
    TissueOptions options = tissue_preset("default");
    options.min_area = min_area;
    return find_tissue(slide, options).pieces.size();
  };
  EXPECT_EQ(pieces(0.2), 2U);
  EXPECT_EQ(pieces(1), 1U);
  EXPECT_EQ(pieces(10), 0U);
  EXPECT_EQ(pieces(100), 0U);
  nlohmann::json json = to_json(tissue_preset("default"));
  EXPECT_FALSE(tissue_options_from_json(json).min_area);
  json["min_area"] = 100;
  EXPECT_EQ(tissue_options_from_json(json).min_area, 100);
  json.erase("min_area");
  EXPECT_THAT(sentence_of([&] { tissue_options_from_json(json); }), HasSubstr("min_area"));
}

TEST(Tissue, ABadTileCostsItsPlaceAlone) {
  const test::TempFolder folder;
  std::string warning;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view w) { warning = w; };
  const auto tissue = [&] { return find_tissue(Slide::open(folder / "s.tif"), fine(), hooks); };
  // In the low level: the level above stands in, and hardly a pixel changes.
  test::write_tiff(folder / "s.tif", test::pyramid(two_pieces(), 2));
  const TissueMask whole = tissue();
  test::damage_tile(folder / "s.tif", 300, 300, 1);
  const TissueMask low = tissue();
  EXPECT_EQ(low.level, 1);
  EXPECT_EQ(low.unreadable, 0);
  EXPECT_EQ(warning, "");
  ASSERT_EQ(low.mask.size(), whole.mask.size());
  EXPECT_LT(cv::countNonZero(low.mask != whole.mask), cv::countNonZero(whole.mask) / 100);
  // In the only level: its place may be tissue, and the rest is as before.
  test::write_tiff(folder / "s.tif", {two_pieces()});
  const TissueMask one = tissue();
  test::damage_tile(folder / "s.tif", 1500, 600);  // in the smaller piece
  std::string first;
  for (const int threads : {1, 3}) {
    const TissueMask holed = find_tissue(Slide::open(folder / "s.tif"), fine(), hooks, threads);
    EXPECT_THAT(warning, HasSubstr("% of its area"));
    if (first.empty()) first = warning;
    EXPECT_EQ(warning, first);
    const cv::Rect left(0, 0, 1100, 1400);  // the larger piece
    EXPECT_EQ(cv::countNonZero(holed.mask(left) != one.mask(left)), 0);
    // Nothing is lost, and what is added is the bad tile, but for the closing at its rim.
    EXPECT_EQ(cv::countNonZero(one.mask & ~holed.mask), 0);
    const cv::Mat added = holed.mask & ~one.mask;
    EXPECT_EQ(cv::countNonZero(added), cv::countNonZero(added(cv::Rect(1276, 508, 264, 264))));
    EXPECT_NEAR(holed.unreadable * cv::countNonZero(holed.mask), 256 * 256, 0.01 * 256 * 256);
    EXPECT_LT(holed.unreadable_area, holed.unreadable);
  }
  EXPECT_THAT(sentence_of([&] { find_tissue(Slide::open(folder / "s.tif"), fine(), {}, 1, 0.05); }),
              ::testing::AllOf(HasSubstr("% of its tissue cannot be decoded"),
                               HasSubstr("5 % may be"), HasSubstr("--max-unreadable")));
  EXPECT_THAT(
      sentence_of([&] { find_tissue(Slide::open(folder / "s.tif"), fine(), {}, 1, 0.001); }),
      HasSubstr("or more of its area"));
}

TEST(Tissue, UnreadableSlides) {
  ATTN_NEED_SHARED_DATA(test::data("edge"));
  const Slide slide = Slide::open(test::data("edge/unreadable.svs"));
  EXPECT_THAT(sentence_of([&] { find_tissue(slide, fine()); }), HasSubstr("none of its pixels"));
}

TEST(Tissue, PresetsAndJson) {
  for (const char* name : {"default", "biopsy", "tcga"}) {
    const TissueOptions options = tissue_preset(name);
    EXPECT_EQ(tissue_options_from_json(to_json(options)), options);
  }
  // CLAM's presets/bwh_biopsy.csv and presets/tcga.csv.
  EXPECT_EQ(tissue_preset("biopsy").saturation_threshold, 15);
  EXPECT_EQ(tissue_preset("biopsy").median, 11);
  EXPECT_EQ(tissue_preset("tcga").min_area, 16);
  EXPECT_THROW(tissue_preset("big"), attn::UsageError);
  nlohmann::json json = to_json(TissueOptions{});
  json["median"] = 4;
  EXPECT_THROW(tissue_options_from_json(json), attn::Error);
  json.erase("median");
  EXPECT_THAT(sentence_of([&] { tissue_options_from_json(json); }), HasSubstr("median"));
}

TEST(Tissue, Preview) {
  const test::TempFolder folder;
  test::write_tiff(folder / "s.tif", {two_pieces()});
  const Slide slide = Slide::open(folder / "s.tif");
  const cv::Mat preview = tissue_preview(slide, find_tissue(slide, fine()), 500);
  ASSERT_EQ(preview.size(), cv::Size(500, 350));
  // The left edge of the large piece lies at (200, 700): green there, tissue inside, glass outside.
  EXPECT_EQ(preview.at<cv::Vec3b>(175, 125)[2] > 100, true);
  int green = 0;
  for (int x = 40; x < 60; ++x) green += preview.at<cv::Vec3b>(175, x) == cv::Vec3b(0, 170, 0);
  EXPECT_GE(green, 1);
  write_picture(folder / "p.png", preview);
  EXPECT_EQ(cv::imread(folder / "p.png").size(), preview.size());
  sentence_of([&] { write_picture(folder / "p.xyz", preview); });
  sentence_of([&] { write_picture(folder / "absent/p.png", preview); });
}

}  // namespace
}  // namespace pathology
