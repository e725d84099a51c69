#include "pathology/mil/bag_h5.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "libattn/io/hdf5.h"
#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"

namespace pathology {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Features n.d, coords, and where given an attn_config, in CLAM's layout.
void put_features(const std::filesystem::path& path, int64_t n, int64_t d,
                  const std::string& config = "", bool half = false, float first = 1) {
  auto file = attn::io::Hdf5File::create(path);
  std::vector<float> values(static_cast<size_t>(n * d));
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i);
  std::vector<int64_t> coords(static_cast<size_t>(2 * n), 7);
  attn::io::H5WriteOptions options;
  options.float16 = half;
  options.unlimited = true;
  file.write("features", values, {n, d}, options);
  file.write("coords", coords, {n, 2}, attn::io::H5WriteOptions{.unlimited = true});
  if (!config.empty()) file.set_attribute("", "attn_config", config);
  file.commit();
}

class BagFolder : public testing::Test {
 protected:
  BagFolder() {
    std::filesystem::create_directory(folder_ / "bags");
    hooks_.warn = [this](std::string_view w) { warnings_.emplace_back(w); };
  }
  BagSet read(const std::string& labels, const BagFolderOptions& options = {}) {
    attn::test::put(folder_ / "labels.csv", labels);
    return read_bag_folder(folder_ / "bags", folder_ / "labels.csv", options, hooks_);
  }
  std::string refused(const std::string& labels) {
    return attn::test::sentence_of([&] { read(labels); });
  }
  std::filesystem::path slide(const std::string& name) const {
    return folder_ / "bags" / (name + ".h5");
  }

  attn::test::TempFolder folder_;
  attn::Hooks hooks_;
  std::vector<std::string> warnings_;
};

TEST_F(BagFolder, JoinsFeaturesAndLabels) {
  put_features(slide("a"), 3, 2);
  put_features(slide("b"), 2, 2, "", true, 10);
  const BagSet set = read("case_id,slide_id,label\np,b.svs,tumour\nq,a,normal\n");
  ASSERT_EQ(set.size(), 2);
  EXPECT_EQ(set.bags[0].id, "a");
  EXPECT_EQ(set.bags[0].patient, "q");
  EXPECT_EQ(set.classes[static_cast<size_t>(set.bags[1].label)], "tumour");
  EXPECT_TRUE(at::equal(set.features(1), at::tensor({10.F, 11.F, 12.F, 13.F}).reshape({2, 2})));
  EXPECT_EQ(set.bags[0].coords.size(), 3U);
  EXPECT_EQ(set.dim, 2);
  EXPECT_THAT(warnings_, testing::IsEmpty());
}

TEST_F(BagFolder, LeavesOutWithAWarning) {
  put_features(slide("a"), 3, 2);
  put_features(slide("b"), 2, 2);
  put_features(slide("empty"), 0, 2);
  put_features(slide("unlabelled"), 2, 2);
  const BagSet set = read("slide_id,label\na,0\nb,1\nempty,1\nmissing,0\n");
  EXPECT_EQ(set.size(), 2);
  EXPECT_THAT(warnings_, testing::UnorderedElementsAre(HasSubstr("unlabelled"),
                                                       HasSubstr("missing"), HasSubstr("empty")));
}

TEST_F(BagFolder, RefusesTwoFilesOfOneSlide) {
  put_features(slide("a"), 3, 2);
  put_features(slide("a.svs"), 3, 2);
  put_features(slide("b"), 2, 2);
  EXPECT_THAT(refused("slide_id,label\na,0\nb,1\n"),
              AllOf(HasSubstr("a.svs.h5"), HasSubstr("two bags")));
}

TEST_F(BagFolder, LargeSetsAreReadAtEachUse) {
  put_features(slide("a"), 3, 2);
  put_features(slide("b"), 2, 2, "", false, 10);
  const std::string labels = "slide_id,label\na,0\nb,1\n";
  BagFolderOptions small;
  small.memory_limit = 24;  // holds the first bag only
  const BagSet lean = read(labels, small), whole = read(labels);
  EXPECT_TRUE(lean.bags[0].features.defined());
  EXPECT_FALSE(lean.bags[1].features.defined());
  EXPECT_TRUE(at::equal(lean.features(1), whole.features(1)));
  EXPECT_EQ(lean.digest, whole.digest);
  put_features(slide("b"), 5, 2);
  EXPECT_THAT(attn::test::sentence_of([&] { lean.features(1); }), HasSubstr("b.h5"));
}

TEST_F(BagFolder, RefusesMixedBags) {
  put_features(slide("a"), 3, 2);
  put_features(slide("b"), 2, 4);
  EXPECT_THAT(refused("slide_id,label\na,0\nb,1\n"),
              AllOf(HasSubstr("b.h5"), HasSubstr("4 features")));
}

TEST_F(BagFolder, ComparesPreprocessingLessThePerSlideParts) {
  const auto config = [](const char* slide, const char* mpp) {
    return std::string(
               R"({"format_version":1,"kind":"features","encoder":{"name":"e","dim":2},"tiles":{"slide":{"id":")") +
           slide + R"("},"mpp":0.25,"mpp_source":"x","tile":{"mpp":)" + mpp + "}}}";
  };
  put_features(slide("a"), 3, 2, config("a.svs", "0.5"));
  put_features(slide("b"), 2, 2, config("b.svs", "0.5"));
  const BagSet set = read("slide_id,label\na,0\nb,1\n");
  EXPECT_EQ(set.preprocessing.at("tiles").at("tile").at("mpp"), 0.5);
  EXPECT_FALSE(set.preprocessing.at("tiles").contains("slide"));
  put_features(slide("b"), 2, 2, config("b.svs", "1.0"));
  EXPECT_THAT(refused("slide_id,label\na,0\nb,1\n"),
              AllOf(HasSubstr("b.h5"), HasSubstr("/tiles/tile/mpp")));
}

TEST_F(BagFolder, SlidesOfOtherResolutionsAreAlike) {
  const auto config = [](const std::string& geometry) {
    return R"({"format_version":1,"kind":"features","encoder":{"name":"e","dim":2},"tiles":{"slide":{"id":"a"},)" +
           geometry + R"("tile":{"mpp":1.0}}})";
  };
  // Tiles of 256 px at 1.0 um per px, of a slide of 0.5 and one of 0.42 um per px.
  put_features(slide("a"), 3, 2,
               config(R"("mpp":0.5,"geometry":{"level":1,"read_size":256,"footprint":512},)"));
  put_features(slide("b"), 2, 2,
               config(R"("mpp":0.42,"geometry":{"level":0,"read_size":610,"footprint":610},)"));
  put_features(slide("c"), 2, 2, config(R"("coords_digest":"0123",)"));  // of CLAM's tiles
  const BagSet set = read("slide_id,label\na,0\nb,1\nc,1\n");
  EXPECT_EQ(set.size(), 3);
  EXPECT_EQ(set.preprocessing.at("tiles"), nlohmann::json::parse(R"({"tile":{"mpp":1.0}})"));
}

TEST_F(BagFolder, OtherProgramsTilesAreAlikeByMagnification) {
  const auto config = [](const std::string& mpp) {
    return R"({"format_version":1,"kind":"features","encoder":{"name":"e","dim":2},"tiles":)"
           R"({"kind":"tiles of another program","slide":{"id":"a"},"tile":{"size":256)" +
           mpp + "}}}";
  };
  const std::string labels = "slide_id,label\na,0\nb,1\n";
  put_features(slide("a"), 3, 2, config(R"(,"mpp":0.5)"));
  for (const char* near : {R"(,"mpp":0.4545)", R"(,"mpp":0.55)", ""}) {
    put_features(slide("b"), 2, 2, config(near));
    EXPECT_EQ(read(labels).size(), 2) << near;
  }
  put_features(slide("b"), 2, 2, config(R"(,"mpp":0.25)"));
  EXPECT_THAT(refused(labels), AllOf(HasSubstr("b.h5"), HasSubstr("/tiles/tile/mpp: 0.25")));
}

TEST_F(BagFolder, RefusesFeaturesOfOtherNames) {
  put_features(slide("a"), 3, 2);
  put_features(slide("b"), 2, 2);
  const auto name = [&](const std::string& file, const char* names) {
    const auto features = attn::io::Hdf5File::open(slide(file)).read<float>("features");
    auto out = attn::io::Hdf5File::create(slide(file));
    out.write("features", features, {std::ssize(features) / 2, 2});
    out.set_attribute("/", "feature_names", names);
    out.commit();
  };
  const std::string labels = "slide_id,label\na,0\nb,1\n";
  name("a", R"(["x","y"])");
  EXPECT_EQ(read(labels).size(), 2);  // one side does not tell
  name("b", R"(["y","x"])");
  EXPECT_THAT(refused(labels), AllOf(HasSubstr("b.h5"), HasSubstr("feature 0 is 'y' against 'x'")));
}

TEST_F(BagFolder, PatientsAreOfTheData) {
  put_features(slide("a"), 3, 2);
  put_features(slide("b"), 2, 2);
  const std::string alone = read("slide_id,label\na,0\nb,1\n").digest;
  EXPECT_EQ(read("slide_id,label,case_id\na,0,\nb,1,\n").digest, alone);
  const std::string apart = read("slide_id,label,case_id\na,0,p\nb,1,q\n").digest;
  EXPECT_NE(apart, alone);
  EXPECT_NE(read("slide_id,label,case_id\na,0,p\nb,1,p\n").digest, apart);
}

TEST_F(BagFolder, BlanksAroundCellsDoNotCount) {
  put_features(slide("a"), 3, 2);
  put_features(slide("b"), 2, 2);
  const BagSet set = read("slide_id,label\n\"a \",\"0 \"\nb,0\n");
  EXPECT_EQ(set.size(), 2);
  EXPECT_THAT(set.classes, ElementsAre("0"));
}

TEST_F(BagFolder, OnlyASlidesExtensionIsTakenOffATablesId) {
  put_features(slide("a"), 3, 2);
  put_features(slide("a.1"), 2, 2);
  put_features(slide("b"), 2, 2);
  const BagSet set = read("slide_id,label,case_id\na,x,p\na.1,y,q\nsub/b.SVS,z,r\n");
  ASSERT_EQ(set.size(), 3);
  EXPECT_EQ(set.classes, (std::vector<std::string>{"x", "y", "z"}));
  EXPECT_EQ(set.bags[0].label, 1);  // a.1.h5 sorts before a.h5
  EXPECT_EQ(set.bags[1].label, 0);
  EXPECT_EQ(set.bags[2].label, 2);
  EXPECT_THAT(warnings_, testing::IsEmpty());
  EXPECT_THAT(refused("slide_id,label,case_id\na,x,p\na.svs,y,p\n"),
              AllOf(HasSubstr("'a'"), HasSubstr("'a.svs'"), HasSubstr("different labels")));
}

TEST_F(BagFolder, AbsenceIsOneSentence) {
  EXPECT_THAT(refused("slide_id,label\na,0\n"), HasSubstr("no feature files"));
  put_features(slide("a"), 3, 2);
  EXPECT_THAT(refused("slide_id,label\nx,0\n"), AllOf(HasSubstr("no slide"), HasSubstr("'a'")));
  attn::test::put(slide("a"), "not HDF5");
  EXPECT_THAT(refused("slide_id,label\na,0\n"), HasSubstr("a.h5"));
}

TEST_F(BagFolder, UnlabelledBagsSkipTheBroken) {
  put_features(slide("a"), 3, 2);
  put_features(slide("e"), 0, 2);
  attn::test::put(slide("z"), "not HDF5");
  const UnlabelledBags bags = read_unlabelled(folder_ / "bags", hooks_);
  EXPECT_EQ(bags.set.size(), 1);
  EXPECT_EQ(bags.set.bags[0].label, -1);
  EXPECT_EQ(bags.failures.size(), 2U);
}

TEST(BagFile, ReadsClamFeatures) {
  const auto path =
      attn::test::shared_data("pathology/interop/clam_features_cmu-1-small-region.h5");
  ATTN_NEED_SHARED_DATA(path);
  const FeatureFile file = read_feature_file(path);
  EXPECT_EQ(file.bag.features.sizes(), at::IntArrayRef({50, 48}));
  EXPECT_EQ(file.bag.coords.size(), 50U);
  EXPECT_TRUE(file.preprocessing.is_null());
  // Each histogram channel sums to 1, so a row to 3.
  EXPECT_LT((file.bag.features.sum(1) - 3).abs().max().item<float>(), 1e-5F);
}

}  // namespace
}  // namespace pathology
