#include "pathology/slide/resolution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "attn/error.h"

namespace pathology {
namespace {

using ::testing::HasSubstr;
using Properties = std::map<std::string, std::string>;

Resolution find(const Properties& properties, const GivenMpp& given = {}) {
  return find_resolution(
      [&](const std::string& name) -> std::optional<std::string> {
        const auto at = properties.find(name);
        return at == properties.end() ? std::nullopt : std::optional<std::string>(at->second);
      },
      given);
}

struct Known {
  const char* what;
  Properties properties;
  double mpp;
  const char* source;
};

TEST(Resolution, EveryKnownProperty) {
  const std::vector<Known> cases = {
      {"OpenSlide",
       {{"openslide.mpp-x", "0.499"}, {"openslide.mpp-y", "0.499"}},
       0.499,
       "openslide.mpp-x"},
      {"one axis", {{"openslide.mpp-x", "0.25"}}, 0.25, "openslide.mpp-x"},
      {"mean of both",
       {{"openslide.mpp-x", "0.2500"}, {"openslide.mpp-y", "0.2520"}},
       0.251,
       "openslide.mpp-x"},
      {"Aperio", {{"aperio.MPP", "0.2527"}}, 0.2527, "aperio.MPP"},
      {"MIRAX",
       {{"mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_X", "0.23"},
        {"mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_Y", "0.23"}},
       0.23,
       "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_X"},
      {"Ventana", {{"ventana.ScanRes", "0.2325"}}, 0.2325, "ventana.ScanRes"},
      {"Philips",
       {{"philips.DICOM_PIXEL_SPACING", "\"0.00025\" \"0.00025\""}},
       0.25,
       "philips.DICOM_PIXEL_SPACING"},
      {"Hamamatsu",
       {{"hamamatsu.XResolution", "43478"}, {"hamamatsu.YResolution", "43478"}},
       1e4 / 43478,
       "hamamatsu.XResolution"},
      {"Aperio comment",
       {{"openslide.comment", "Aperio Image Library|AppMag = 20|MPP = 0.4990|Left = 1"}},
       0.499,
       "openslide.comment (MPP)"},
      {"OME",
       {{"openslide.comment",
         "<OME><Pixels PhysicalSizeX=\"0.5\" PhysicalSizeXUnit=\"\u00b5m\" "
         "PhysicalSizeY=\"0.5\"/>"}},
       0.5,
       "openslide.comment (OME PhysicalSizeX)"},
      {"OME nm",
       {{"openslide.comment",
         "<Pixels PhysicalSizeX=\"500\" PhysicalSizeXUnit=\"nm\" PhysicalSizeY=\"500\"/>"}},
       0.5,
       "openslide.comment (OME PhysicalSizeX)"},
      {"ImageJ",
       {{"openslide.comment", "ImageJ=1.53\nunit=micron"},
        {"tiff.XResolution", "2"},
        {"tiff.YResolution", "2"}},
       0.5,
       "tiff.XResolution"},
      {"TIFF cm",
       {{"tiff.XResolution", "20000"},
        {"tiff.YResolution", "20000"},
        {"tiff.ResolutionUnit", "centimeter"}},
       0.5,
       "tiff.XResolution"},
      {"TIFF inch",
       {{"tiff.XResolution", "50800"},
        {"tiff.YResolution", "50800"},
        {"tiff.ResolutionUnit", "inch"}},
       0.5,
       "tiff.XResolution"},
  };
  for (const Known& c : cases) {
    const Resolution found = find(c.properties);
    ASSERT_TRUE(found.mpp) << c.what << ": " << found.problem;
    EXPECT_NEAR(*found.mpp, c.mpp, 1e-9) << c.what;
    EXPECT_EQ(found.source, c.source) << c.what;
    EXPECT_EQ(found.problem, "") << c.what;
  }
}

TEST(Resolution, OfficeTagsAndNonsenseAreNotBelieved) {
  for (const char* dpi : {"72", "96", "300", "1", "0", "-5", "nan", "text"}) {
    const Resolution found = find(
        {{"tiff.XResolution", dpi}, {"tiff.YResolution", dpi}, {"tiff.ResolutionUnit", "inch"}});
    EXPECT_FALSE(found.mpp) << dpi;
    EXPECT_FALSE(found.problem.empty()) << dpi;
  }
  EXPECT_THAT(
      find(
          {{"tiff.XResolution", "72"}, {"tiff.YResolution", "72"}, {"tiff.ResolutionUnit", "inch"}})
          .problem,
      HasSubstr("72 px per inch (352.8 um per pixel)"));
  for (const char* mpp : {"0", "1000", "0.0002", "-0.5", "inf", "nan"})
    EXPECT_FALSE(find({{"openslide.mpp-x", mpp}, {"openslide.mpp-y", mpp}}).mpp) << mpp;
  // No unit: nothing can be said.
  EXPECT_FALSE(find({{"tiff.XResolution", "20000"}, {"tiff.YResolution", "20000"}}).mpp);
}

TEST(Resolution, AnAbsurdValueDoesNotHideAGoodOne) {
  const Resolution found =
      find({{"openslide.mpp-x", "0"}, {"openslide.mpp-y", "0"}, {"aperio.MPP", "0.25"}});
  ASSERT_TRUE(found.mpp);
  EXPECT_EQ(found.source, "aperio.MPP");
}

TEST(Resolution, PixelsThatAreNotSquareAreRefused) {
  const Resolution found = find({{"openslide.mpp-x", "0.25"}, {"openslide.mpp-y", "0.5"}});
  EXPECT_FALSE(found.mpp);
  EXPECT_THAT(found.problem, HasSubstr("differs between x and y"));
}

TEST(Resolution, TheObjectiveIsToldButNotUsed) {
  const Resolution found = find({{"openslide.objective-power", "20"}});
  EXPECT_FALSE(found.mpp);
  EXPECT_THAT(found.problem, HasSubstr("20x"));
}

TEST(Resolution, AnOverrideGoesFirstAndIsChecked) {
  const Resolution found =
      find({{"openslide.mpp-x", "0.25"}, {"openslide.mpp-y", "0.25"}}, {.instead = 0.5});
  EXPECT_EQ(found.mpp, 0.5);
  EXPECT_EQ(found.source, "override");
  for (const double bad : {0.0, -1.0, 100.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(find({}, {.instead = bad}), attn::UsageError) << bad;
    EXPECT_THROW(find({}, {.otherwise = bad}), attn::UsageError) << bad;
  }
}

TEST(Resolution, WhatIsGivenForSilentSlidesReplacesNothingStated) {
  const Properties stated{{"aperio.MPP", "0.25"}};
  EXPECT_EQ(find({}, {.otherwise = 0.5}).mpp, 0.5);
  EXPECT_EQ(find({}, {.otherwise = 0.5}).note, "");
  EXPECT_EQ(find(stated, {.otherwise = 0.26}).mpp, 0.25);
  EXPECT_EQ(find(stated, {.otherwise = 0.26}).note, "");
  const Resolution other = find(stated, {.otherwise = 0.5});
  EXPECT_EQ(other.mpp, 0.25);
  EXPECT_EQ(other.source, "aperio.MPP");
  EXPECT_THAT(other.note, ::testing::AllOf(HasSubstr("states 0.25"), HasSubstr("the 0.5 given"),
                                           HasSubstr("manifest")));
  EXPECT_EQ(find(stated, {.instead = 1.0, .otherwise = 0.5}).mpp, 1.0);
}

TEST(Resolution, FlatPictures) {
  const Resolution microscope = flat_resolution(2e6, 2e6, "PNG pHYs", {});
  ASSERT_TRUE(microscope.mpp);
  EXPECT_NEAR(*microscope.mpp, 0.5, 1e-9);
  EXPECT_EQ(microscope.source, "PNG pHYs");
  const Resolution office = flat_resolution(2835, 2835, "PNG pHYs", {});  // 72 dpi
  EXPECT_FALSE(office.mpp);
  EXPECT_THAT(office.problem, HasSubstr("PNG pHYs says"));
  EXPECT_FALSE(flat_resolution(0, 0, "JFIF density", {}).mpp);
}

}  // namespace
}  // namespace pathology
