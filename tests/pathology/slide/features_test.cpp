#include "pathology/slide/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "libattn/io/hdf5.h"
#include "tests/pathology/slide/slide_support.h"
#include "tests/support/small_disk.h"

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

class FeatureTest : public ::testing::Test {
 protected:
  FeatureTest() {
    test::write_tiff(folder_ / "s.tif", {test::draw_tissue(2048, 1536, {{{900, 700}, 600}})});
    tiles_ = tile_slide(slide(), fine(), {});
  }
  Slide slide() const { return Slide::open(folder_ / "s.tif"); }
  Features extract(int threads = 1) const {
    return extract_features(slide(), tiles_, *encoder_, threads);
  }
  const test::TempFolder folder_;
  const std::unique_ptr<Encoder> encoder_ = make_encoder("stain-stats-v1");
  Tiles tiles_;
};

TEST_F(FeatureTest, EachRowIsTheEncodersAnswerToItsTile) {
  const Features features = extract();
  ASSERT_EQ(features.coords, tiles_.coords);
  ASSERT_EQ(features.size(), std::ssize(tiles_.coords));
  const Slide s = slide();
  for (const std::size_t i : {std::size_t{0}, tiles_.coords.size() / 2, tiles_.coords.size() - 1}) {
    const cv::Mat tile = read_tile(s, tiles_.geometry, tiles_.coords[i][0], tiles_.coords[i][1]);
    std::vector<float> row(static_cast<std::size_t>(features.dim));
    encoder_->encode(std::span(&tile, 1), 0.5, row);
    EXPECT_TRUE(std::equal(row.begin(), row.end(),
                           features.values.begin() + static_cast<std::ptrdiff_t>(i * row.size())));
  }
}

TEST_F(FeatureTest, TheSameForAnyNumberOfThreads) {
  const Features one = extract(1);
  for (const int threads : {2, 5}) EXPECT_EQ(extract(threads).values, one.values);
}

TEST_F(FeatureTest, ProgressAndStop) {
  int64_t last = 0, total = 0;
  attn::Hooks hooks;
  hooks.progress = [&](std::string_view, int64_t done, int64_t of) {
    EXPECT_GE(done, last);
    last = done;
    total = of;
  };
  extract_features(slide(), tiles_, *encoder_, 2, hooks);
  EXPECT_EQ(last, total);
  EXPECT_GT(total, 0);
  const std::atomic<bool> stop{true};
  hooks.stop = &stop;
  last = 0;
  for (const int threads : {1, 2})
    EXPECT_THROW(extract_features(slide(), tiles_, *encoder_, threads, hooks), attn::Interrupted);
}

TEST_F(FeatureTest, UnreadableTilesAreLeftOutCountedAndListed) {
  const Features whole = extract();
  test::damage_tile(folder_ / "s.tif", 900, 700);
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
  for (const int threads : {1, 3}) {
    warnings.clear();
    const Features some = extract_features(slide(), tiles_, *encoder_, threads, hooks);
    // Tiles that touch the damaged 256 px square at (768, 512).
    const auto touches = [](const std::array<int64_t, 2>& c) {
      return c[0] > 512 && c[0] < 1024 && c[1] > 256 && c[1] < 768;
    };
    const auto expected = std::count_if(tiles_.coords.begin(), tiles_.coords.end(), touches);
    ASSERT_GT(expected, 0);
    EXPECT_EQ(some.unreadable, expected);
    EXPECT_EQ(std::ssize(some.unreadable_coords), expected);
    for (const auto& c : some.unreadable_coords) EXPECT_TRUE(touches(c));
    EXPECT_EQ(some.size() + some.unreadable, whole.size());
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_THAT(warnings[0],
                HasSubstr(std::to_string(expected) + " of " + std::to_string(whole.size())));
    // What is left is what it was.
    std::size_t row = 0;
    const auto dim = static_cast<std::ptrdiff_t>(whole.dim);
    for (std::size_t i = 0; i < whole.coords.size(); ++i) {
      if (touches(whole.coords[i])) continue;
      ASSERT_EQ(some.coords[row], whole.coords[i]);
      EXPECT_TRUE(std::equal(some.values.begin() + static_cast<std::ptrdiff_t>(row) * dim,
                             some.values.begin() + static_cast<std::ptrdiff_t>(row + 1) * dim,
                             whole.values.begin() + static_cast<std::ptrdiff_t>(i) * dim));
      ++row;
    }
    write_features(folder_ / "f.h5", some);
    const Features back = read_features(folder_ / "f.h5");
    EXPECT_EQ(back.unreadable, expected);
    EXPECT_EQ(back.unreadable_coords, some.unreadable_coords);
  }
}

TEST_F(FeatureTest, TooManyUnreadableTilesFailTheSlide) {
  test::damage_tile(folder_ / "s.tif", 900, 700);
  const Features some = extract();
  const double share = some.unreadable_share();
  EXPECT_GT(share, 0.1);
  EXPECT_NO_THROW(extract_features(slide(), tiles_, *encoder_, 2, {}, share + 1e-9));
  for (const int threads : {1, 3})
    EXPECT_THAT(
        sentence_of([&] { extract_features(slide(), tiles_, *encoder_, threads, {}, 0.1); }),
        AllOf(HasSubstr("s.tif"), HasSubstr("more than 10 %"), HasSubstr("--max-unreadable")));
  write_features(folder_ / "f.h5", some);
  std::filesystem::remove(folder_ / "s.tif");  // the damage changed it
  EXPECT_TRUE(features_current(folder_ / "f.h5", some.config, share + 1e-9));
  EXPECT_FALSE(features_current(folder_ / "f.h5", some.config, 0.1));
}

TEST_F(FeatureTest, TilesOfOtherProgramsAreEncodedAtTheSlidesResolution) {
  test::TiffOptions fine_pixels;
  fine_pixels.resolution = 40000;  // 0.25 um per px
  const cv::Mat drawn = test::draw_tissue(2048, 1536, {{{900, 700}, 600}});
  test::write_tiff(folder_ / "fine.tif", {drawn}, fine_pixels);
  const Slide s = Slide::open(folder_ / "fine.tif");
  Tiles foreign = tiles_;
  foreign.config = nullptr;
  foreign.mpp = 0;  // as read_tiles gives them for a CLAM or TRIDENT file
  const Features features = extract_features(s, foreign, *encoder_, 1);
  EXPECT_EQ(features.config.at("tiles").at("tile").at("mpp"), 0.25);
  const cv::Mat tile = read_tile(s, tiles_.geometry, tiles_.coords[5][0], tiles_.coords[5][1]);
  std::vector<float> row(static_cast<std::size_t>(features.dim));
  encoder_->encode(std::span(&tile, 1), 0.25, row);
  EXPECT_TRUE(std::equal(row.begin(), row.end(),
                         features.values.begin() + static_cast<std::ptrdiff_t>(5 * row.size())));
  const auto path = folder_ / "f.h5";
  write_features(path, features);
  EXPECT_TRUE(features_current(path, features_config(with_mpp(foreign, s), *encoder_)));
  EXPECT_TRUE(features_current(path, features_config(foreign, *encoder_)));  // the slide is away
  EXPECT_FALSE(features_current(path, features_config(with_mpp(foreign, slide()), *encoder_)));

  fine_pixels.resolution = 0;
  test::write_tiff(folder_ / "silent.tif", {drawn}, fine_pixels);
  EXPECT_THAT(sentence_of([&] {
                extract_features(Slide::open(folder_ / "silent.tif"), foreign, *encoder_, 1);
              }),
              AllOf(HasSubstr("silent.tif"), HasSubstr("--slide-mpp")));
  EXPECT_EQ(with_mpp(foreign, Slide::open(folder_ / "silent.tif", {.otherwise = 0.5})).mpp, 0.5);
}

TEST_F(FeatureTest, TheWarningNamesTheSameTileForAnyNumberOfThreads) {
  for (const int y : {256, 700, 1100})
    for (const int x : {600, 900, 1200}) test::damage_tile(folder_ / "s.tif", x, y);
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
  for (const int threads : {1, 2, 3, 5, 8})
    extract_features(slide(), tiles_, *encoder_, threads, hooks);
  for (const std::string& warning : warnings) EXPECT_EQ(warning, warnings.front());
}

TEST(Features, ASlideWhereEveryTileFailsIsAFailedSlide) {
  ATTN_NEED_SHARED_DATA(data("edge"));
  const Slide slide = Slide::open(data("edge/unreadable.svs"), {.instead = 0.5});
  Tiles tiles;
  tiles.coords = {{0, 0}, {4, 4}};
  tiles.geometry = {0, 8, 8, 8, 8};
  EXPECT_THAT(
      sentence_of([&] { extract_features(slide, tiles, *make_encoder("stain-stats-v1"), 2); }),
      AllOf(HasSubstr("not one of its 2 tiles"), HasSubstr("Bogus marker length"),
            HasSubstr("unreadable.svs")));
}

TEST_F(FeatureTest, FilesComeBackAsTheyWere) {
  const Features features = extract();
  write_features(folder_ / "f.h5", features);
  const Features back = read_features(folder_ / "f.h5");
  EXPECT_EQ(back.values, features.values);
  EXPECT_EQ(back.coords, features.coords);
  EXPECT_EQ(back.names, features.names);
  EXPECT_EQ(back.slide_id, "s");
  EXPECT_EQ(back.footprint, 256);
  EXPECT_EQ(back.unreadable, 0);
  EXPECT_EQ(back.config, features.config);
  EXPECT_EQ(tile_options_from_json(back.config.at("tiles").at("tile")), TileOptions{});
  const auto file = attn::io::Hdf5File::open(folder_ / "f.h5");
  EXPECT_EQ(file.dataset("features").element_bytes, 4U);
  EXPECT_EQ(file.dataset("coords").element_bytes, 4U);
}

TEST_F(FeatureTest, NoTilesGiveAnEmptyFileWithItsReason) {
  tiles_.coords.clear();
  tiles_.reason = "no tissue";
  write_features(folder_ / "f.h5", extract());
  const Features back = read_features(folder_ / "f.h5");
  EXPECT_EQ(back.size(), 0);
  EXPECT_EQ(back.dim, encoder_->dim());
  EXPECT_EQ(back.reason, "no tissue");
}

TEST_F(FeatureTest, CurrentMeansWholeAndMadeTheSameWay) {
  const auto path = folder_ / "f.h5";
  const nlohmann::json config = features_config(tiles_, *encoder_);
  EXPECT_FALSE(features_current(path, config));
  write_features(path, extract());
  EXPECT_TRUE(features_current(path, config));
  nlohmann::json other = config;
  other["encoder"]["name"] = "stain-stats-v2";
  EXPECT_FALSE(features_current(path, other));
  other = config;
  other["tiles"]["slide"]["bytes"] = 1;
  EXPECT_FALSE(features_current(path, other));
  other = config;
  other["tiles"]["slide"]["path"] = "/elsewhere/s.tif";
  EXPECT_TRUE(features_current(path, other));
  const std::string whole = attn::test::slurp(path);
  attn::test::put(path, whole.substr(0, whole.size() - 100));
  EXPECT_FALSE(features_current(path, config));
}

TEST_F(FeatureTest, AChangedSlideMakesItsFeaturesStale) {
  const auto path = folder_ / "f.h5";
  const nlohmann::json config = features_config(tiles_, *encoder_);
  write_features(path, extract());
  ASSERT_TRUE(features_current(path, config));
  const auto time = std::filesystem::last_write_time(folder_ / "s.tif");
  std::filesystem::last_write_time(folder_ / "s.tif", time + std::chrono::seconds(1));
  EXPECT_FALSE(features_current(path, config));
  std::filesystem::last_write_time(folder_ / "s.tif", time);
  ASSERT_TRUE(features_current(path, config));
  attn::test::put(folder_ / "s.tif", "broken");
  std::filesystem::last_write_time(folder_ / "s.tif", time);
  EXPECT_FALSE(features_current(path, config));
  std::filesystem::remove(folder_ / "s.tif");  // put away: what was made of it stands
  EXPECT_TRUE(features_current(path, config));
}

TEST_F(FeatureTest, TilesOfOtherProgramsGiveFeaturesThatAreReadAgain) {
  const auto path = folder_ / "f.h5";
  tiles_.config = nullptr;  // as read_tiles gives them for a CLAM or TRIDENT file
  const Features features = extract();
  write_features(path, features);
  const Features back = read_features(path);
  EXPECT_EQ(back.slide_id, "s");
  EXPECT_EQ(back.values, features.values);
  EXPECT_EQ(back.config, features.config);
  EXPECT_TRUE(features_current(path, features_config(tiles_, *encoder_)));
  Tiles other = tiles_;
  other.coords.back()[0] += 1;
  EXPECT_FALSE(features_current(path, features_config(other, *encoder_)));
  other = tiles_;
  other.geometry.footprint *= 2;
  EXPECT_FALSE(features_current(path, features_config(other, *encoder_)));
  Features older = features;  // as written before the tiles' part was filled in
  older.config["tiles"] = nullptr;
  write_features(path, older);
  EXPECT_EQ(read_features(path).slide_id, "f");
}

TEST(Features, FilesOfOtherPrograms) {
  ATTN_NEED_SHARED_DATA(data("interop"));
  const Features clam = read_features(data("interop/clam_features_cmu-1-small-region.h5"));
  EXPECT_EQ(clam.size(), 50);
  EXPECT_EQ(clam.dim, 48);
  EXPECT_EQ(clam.coords, read_tiles(data("interop/clam_coords_cmu-1-small-region.h5")).coords);
  const Features trident = read_features(data("interop/trident_features_cmu-1-small-region.h5"));
  EXPECT_EQ(trident.size(), 50);
  EXPECT_EQ(trident.footprint, 256);
  for (const char* name : {"clam_coords_cmu-1-small-region.h5", "stamp_cmu-1-small-region.h5",
                           "aem_patch_feats_pretrain_hist48.h5", "clam_process_list_autogen.csv"})
    sentence_of([&] { read_features(data("interop") / name); });
}

TEST_F(FeatureTest, OtherNumberTypesAndWrongFiles) {
  const auto path = folder_ / "f.h5";
  const auto write = [&](const std::vector<double>& values, const std::vector<int64_t>& shape,
                         int64_t coords, bool half) {
    auto file = attn::io::Hdf5File::create(path);
    file.write("features", values, shape, {.float16 = half});
    file.write("coords", std::vector<int64_t>(static_cast<std::size_t>(2 * coords), 7),
               {coords, 2});
    file.commit();
  };
  for (const bool half : {false, true}) {
    write({1, 2, 3, 4, 5, 6}, {2, 3}, 2, half);
    EXPECT_EQ(read_features(path).values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_TRUE(read_features(path).config.is_null());
  }
  write({1, 2, 3, 4, 5, 6}, {1, 2, 3}, 2, false);
  EXPECT_EQ(read_features(path).size(), 2);
  EXPECT_EQ(read_features(path).dim, 3);
  write({1, 2, 3, 4, 5, 6}, {2, 1, 3}, 2, false);
  sentence_of([&] { read_features(path); });
  write({1, 2, 3, std::nan(""), 5, 6}, {2, 3}, 2, false);
  EXPECT_THAT(sentence_of([&] { read_features(path); }),
              AllOf(HasSubstr("row 1"), HasSubstr("not finite")));
  write({1, 2, 3, 4}, {2, 2}, 3, false);
  EXPECT_THAT(sentence_of([&] { read_features(path); }),
              AllOf(HasSubstr("2 rows"), HasSubstr("3 of coords")));
  write({1, 2, 3, 4}, {4}, 3, false);
  EXPECT_THAT(sentence_of([&] { read_features(path); }), HasSubstr("(N, D)"));
  Features newer = extract();
  newer.config["format_version"] = 2;
  write_features(path, newer);
  EXPECT_THAT(sentence_of([&] { read_features(path); }), HasSubstr("newer program"));
  EXPECT_THROW(features_current(path, features_config(tiles_, *encoder_)), attn::NewerFormat);
  write_tiles(path, tiles_);
  sentence_of([&] { read_features(path); });
}

TEST_F(FeatureTest, AFullOrReadOnlyDiskLeavesNothingBehind) {
  const Features features = extract();
  for (const bool locked : {false, true}) {
    const auto outcome = attn::test::on_small_disk(
        16, locked,
        [&](const std::filesystem::path& disk) { write_features(disk / "f.h5", features); });
    ATTN_NEED_MOUNTS(outcome);
    EXPECT_THAT(outcome->message, HasSubstr("f.h5"));
    EXPECT_EQ(outcome->left, "old");
  }
}

}  // namespace
}  // namespace pathology
