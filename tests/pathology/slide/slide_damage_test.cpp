// Real slides cut, zeroed and with flipped bits: through the whole chain, each gives numbers or one
// sentence, and nothing is printed.
#include <gtest/gtest.h>

#include <cmath>

#include "pathology/slide/features.h"
#include "tests/pathology/slide/slide_support.h"
#include "tests/support/damage.h"

namespace pathology {
namespace {

using test::data;

/// Tiles of 512 px at 1 um per px: quick, and of every part of the slide.
Tiles tiles_of(const Slide& slide) {
  TileOptions options;
  options.mpp = 1;
  options.size = 512;
  return tile_slide(slide, tissue_preset("biopsy"), options);
}

void whole_chain(const std::filesystem::path& path) {
  const Slide slide = Slide::open(path, {.instead = 0.5});
  const Tiles tiles = tiles_of(slide);
  const Features features = extract_features(slide, tiles, *make_encoder("stain-stats-v1"), 2);
  ASSERT_EQ(features.size() + features.unreadable, std::ssize(tiles.coords));
  for (const float value : features.values) ASSERT_TRUE(std::isfinite(value));
}

class Damage : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ATTN_NEED_SHARED_DATA(data(GetParam()));
    whole_ = attn::test::slurp(data(GetParam()));
    testing::internal::CaptureStderr();
  }
  void TearDown() override {
    if (whole_.empty()) return;  // skipped
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  }
  bool survives(const std::string& bytes, const std::string& what) {
    const auto path = folder_ / ("damaged" + data(GetParam()).extension().string());
    attn::test::put(path, bytes);
    return attn::test::reads_or_explains([&] { whole_chain(path); }, what);
  }
  const test::TempFolder folder_;
  std::string whole_;
};

TEST_P(Damage, Cut) {
  for (const auto& [name, bytes] : attn::test::broken_versions(whole_))
    if (name.starts_with("cut")) survives(bytes, name);
  EXPECT_TRUE(survives(whole_, "whole"));
  EXPECT_FALSE(survives("", "empty"));
  EXPECT_FALSE(survives(whole_.substr(0, 100), "100 bytes"));
}

TEST_P(Damage, ZerosInTheMiddle) {
  for (int i = 1; i < 10; i += 2) {
    std::string bytes = whole_;
    const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size()) * i / 10;
    std::fill(first, first + static_cast<std::ptrdiff_t>(bytes.size()) / 10, '\0');
    survives(bytes, "zeros from " + std::to_string(i) + "/10");
  }
}

/// What cannot be decoded may be tissue: no tile of the whole slide is lost without a word, and the
/// tiles of the damaged one are each encoded or counted.
TEST_P(Damage, NoTileIsLostInSilence) {
  const Slide whole = Slide::open(data(GetParam()), {.instead = 0.5});
  const Tiles before = tiles_of(whole);
  const auto path = folder_ / ("damaged" + data(GetParam()).extension().string());
  for (int i = 3; i < 9; i += 2) {
    std::string bytes = whole_;
    for (std::size_t page = 0; page < 3; ++page)
      bytes.replace((bytes.size() * static_cast<std::size_t>(i) / 10 + page * bytes.size() / 40),
                    std::min<std::size_t>(4096, bytes.size() / 50),
                    std::min<std::size_t>(4096, bytes.size() / 50), '\0');
    attn::test::put(path, bytes);
    attn::test::reads_or_explains(
        [&] {
          const Slide slide = Slide::open(path, {.instead = 0.5});
          const Tiles after = tiles_of(slide);
          EXPECT_GE(after.coords.size(), before.coords.size()) << i;
          const Features features =
              extract_features(slide, after, *make_encoder("stain-stats-v1"), 2);
          if (after.coords != before.coords) {
            EXPECT_GT(after.unreadable, 0) << i;
            EXPECT_GT(features.unreadable, 0) << i;
          }
        },
        "zeroed pages from " + std::to_string(i) + "/10");
  }
}

TEST_P(Damage, FlippedBits) {
  std::mt19937_64 random(20);
  for (const int flips : {1, 10, 100, 1000})
    survives(attn::test::with_flipped_bits(whole_, random, flips),
             std::to_string(flips) + " flips");
  // In the first and last 2 KiB, where TIFF keeps its directories.
  for (int i = 0; i < 6; ++i) {
    std::string bytes = whole_;
    const std::size_t at = i % 2 == 0 ? 0 : bytes.size() - 2048;
    bytes.replace(at, 2048, attn::test::with_flipped_bits(bytes.substr(at, 2048), random, 4));
    survives(bytes, "flips near " + std::to_string(at));
  }
}

TEST_P(Damage, OtherTypesUnderItsName) {
  EXPECT_FALSE(survives("just some text\n", "text"));
  EXPECT_FALSE(
      survives(attn::test::slurp(data("interop/clam_coords_cmu-1-small-region.h5")), "HDF5"));
  EXPECT_FALSE(survives(std::string(100000, '\0'), "zeros"));
  std::mt19937_64 random(21);
  EXPECT_FALSE(survives(attn::test::random_bytes(random, 100000), "noise"));
}

INSTANTIATE_TEST_SUITE_P(Slides, Damage,
                         ::testing::Values("slides/cmu-1-small-region.svs",
                                           "slides/mosaic_colon_neg.tiff",
                                           "edge/boxes_pyramid.tiff"),
                         [](const auto& slide) { return "slide" + std::to_string(slide.index); });

}  // namespace
}  // namespace pathology
