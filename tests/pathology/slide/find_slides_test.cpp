#include "pathology/slide/find_slides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pathology/slide/slide.h"
#include "tests/pathology/slide/slide_support.h"

namespace pathology {
namespace {

using attn::test::sentence_of;
using test::data;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> ids(const std::vector<SlideItem>& items) {
  std::vector<std::string> all;
  for (const SlideItem& item : items) all.push_back(item.id);
  return all;
}

TEST(FindSlides, AFolderGivesItsSlidesAndLeavesTheRestAlone) {
  ATTN_NEED_SHARED_DATA(data("slides"));
  // Beside the three slides lie two CSV files.
  EXPECT_THAT(ids(find_slides(data("slides"))),
              ElementsAre("cmu-1-small-region", "mosaic_colon_neg", "mosaic_colon_pos"));
  // Broken ones are listed, so that they are reported.
  EXPECT_THAT(ids(find_slides(data("edge"))),
              ElementsAre("boxes_0", "boxes_pyramid", "broken_text", "small_16px", "unopenable",
                          "unreadable"));
  EXPECT_EQ(find_slides(data("colon")).size(), 100U);
  EXPECT_NE(sentence_of([] { find_slides(data("mil")); }), "");
}

TEST(FindSlides, ContentCountsForPicturesAndVendors) {
  ATTN_NEED_SHARED_DATA(data("slides"));
  const test::TempFolder folder;
  std::filesystem::copy_file(data("slides/cmu-1-small-region.svs"), folder / "no_extension");
  std::filesystem::copy_file(data("colon/img001.jpg"), folder / "picture.jpg");
  attn::test::put(folder / "text.png", "this is no picture");
  attn::test::put(folder / "notes.txt", "notes");
  attn::test::put(folder / ".hidden.svs", "hidden");
  std::filesystem::create_directory(folder / "folder.svs");
  EXPECT_THAT(ids(find_slides(folder.path())), ElementsAre("no_extension", "picture"));
}

TEST(FindSlides, WhatAKeyFileNamesIsNoSlideOfItsOwn) {
  ATTN_NEED_SHARED_DATA(data("colon"));
  const test::TempFolder folder;
  for (const char* name : {"a_0_0.jpg", "a_macro.jpg", "picture.jpg"})
    std::filesystem::copy_file(data("colon/img001.jpg"), folder / name);
  attn::test::put(folder / "a.vms",
                  "[Virtual Microscope Specimen]\r\nNoLayers=1\r\nImageFile=a_0_0.jpg\r\n"
                  "MacroImage=a_macro.jpg\r\n");
  EXPECT_THAT(ids(find_slides(folder.path())), ElementsAre("a", "picture"));
}

TEST(FindSlides, ALinkThatLeadsNowhereIsReported) {
  const test::TempFolder folder;
  attn::test::put(folder / "whole.svs", "x");
  std::filesystem::create_symlink(folder / "gone.tif", folder / "dead.tif");
  std::filesystem::create_symlink(folder / "gone.txt", folder / "notes.txt");
  std::filesystem::create_symlink(folder / "whole.svs", folder / "linked.svs");
  const std::vector<SlideItem> items = find_slides(folder.path());
  EXPECT_THAT(ids(items), ElementsAre("dead", "linked", "whole"));
  EXPECT_THAT(sentence_of([&] { Slide::open(items[0].path); }), HasSubstr("dead.tif"));
}

TEST(FindSlides, NamesThatAreNotUtf8AreEscapedAndRefused) {
  const test::TempFolder folder;
  attn::test::put(folder / "caf\xe9.tif", "x");
  for (const auto& input : {folder.path(), folder / "caf\xe9.tif"}) {
    const std::vector<SlideItem> items = find_slides(input);
    ASSERT_THAT(ids(items), ElementsAre("caf\\xe9"));
    EXPECT_THAT(sentence_of([&] { Slide::open(items[0].path, {}, items[0].id); }),
                AllOf(HasSubstr("caf\\xe9.tif"), HasSubstr("UTF-8")));
  }
}

TEST(FindSlides, NoHiddenOutputs) {
  const test::TempFolder folder;
  attn::test::put(folder / ".hid.tif", "x");
  EXPECT_THAT(sentence_of([&] { find_slides(folder / ".hid.tif"); }), HasSubstr(".hid.tif"));
  attn::test::put(folder / "m.csv", "slide,slide_id\na.tif,.hid\n");
  EXPECT_THAT(sentence_of([&] { find_slides(folder / "m.csv"); }),
              AllOf(HasSubstr("row 2"), HasSubstr("'.hid'")));
  attn::test::put(folder / "m.csv", "slide\n.hid.tif\n");
  EXPECT_THAT(sentence_of([&] { find_slides(folder / "m.csv"); }), HasSubstr("'.hid'"));
  attn::test::put(folder / "m.csv", "slide,slide_id\n.hid.tif,hid\n");
  EXPECT_THAT(ids(find_slides(folder / "m.csv")), ElementsAre("hid"));
}

TEST(FindSlides, ExtensionsOfSlidesAreTakenOffIdsAndNoOthers) {
  EXPECT_EQ(without_slide_extension("a.svs"), "a");
  EXPECT_EQ(without_slide_extension("a.b.SVS"), "a.b");
  EXPECT_EQ(without_slide_extension("a.jpeg"), "a");
  EXPECT_EQ(without_slide_extension("a.h5"), "a");
  EXPECT_EQ(without_slide_extension("a.1"), "a.1");
  EXPECT_EQ(without_slide_extension("TCGA-00.1234-uuid"), "TCGA-00.1234-uuid");
  EXPECT_EQ(without_slide_extension(".svs"), ".svs");
}

TEST(FindSlides, TheSameNameTwiceIsOneSentence) {
  const test::TempFolder folder;
  attn::test::put(folder / "a.svs", "x");
  attn::test::put(folder / "a.tif", "x");
  const std::string error = sentence_of([&] { find_slides(folder.path()); });
  EXPECT_THAT(error, AllOf(HasSubstr("a.svs"), HasSubstr("a.tif")));
}

TEST(FindSlides, NothingThere) {
  const test::TempFolder folder;
  sentence_of([&] { find_slides(folder.path()); });
  sentence_of([&] { find_slides(folder / "absent"); });
}

TEST(FindSlides, AManifest) {
  const test::TempFolder folder;
  attn::test::put(folder / "m.csv",
                  "slide,slide_id,mpp,case_id,label\nb.svs,,0.25,P1,tumour\nsub/"
                  "a.tif,second,,,\n/abs/c.svs,,,,\n");
  const std::vector<SlideItem> items = find_slides(folder / "m.csv");
  EXPECT_THAT(ids(items), ElementsAre("b", "c", "second"));
  EXPECT_EQ(items[0].path, folder / "b.svs");
  EXPECT_EQ(items[0].mpp, 0.25);
  EXPECT_EQ(items[0].case_id, "P1");
  EXPECT_EQ(items[0].label, "tumour");
  EXPECT_EQ(items[1].path, "/abs/c.svs");
  EXPECT_EQ(items[2].path, folder / "sub/a.tif");
  EXPECT_FALSE(items[2].mpp || items[2].case_id || items[2].label);
  attn::test::put(folder / "p.csv", "path\nx.svs\n");
  EXPECT_THAT(ids(find_slides(folder / "p.csv")), ElementsAre("x"));
}

TEST(FindSlides, AManifestsColumnsHaveSeveralNames) {
  const test::TempFolder folder;
  attn::test::put(folder / "m.csv",
                  "slide,name,PATIENT,label,grade,pid\na.svs,x,P1 ,t,3,7\nb.svs,y,NA,NaN,4,8\n");
  const std::vector<SlideItem> usual = find_slides(folder / "m.csv");
  EXPECT_EQ(usual[0].case_id, "P1");
  EXPECT_FALSE(usual[1].case_id || usual[1].label);
  const std::vector<SlideItem> named = find_slides(folder / "m.csv", {"name", "grade", "pid"});
  EXPECT_THAT(ids(named), ElementsAre("x", "y"));
  EXPECT_EQ(named[1].case_id, "8");
  EXPECT_EQ(named[1].label, "4");
  EXPECT_THAT(sentence_of([&] {
                find_slides(folder / "m.csv", {"", "", "pdi"});
              }),
              AllOf(HasSubstr("'pdi'"), HasSubstr("m.csv")));
}

TEST(FindSlides, BrokenManifests) {
  const test::TempFolder folder;
  const auto error = [&](const std::string& text) {
    attn::test::put(folder / "m.csv", text);
    std::string sentence = sentence_of([&] { find_slides(folder / "m.csv"); });
    return sentence;
  };
  EXPECT_THAT(error("name,mpp\na,1\n"), AllOf(HasSubstr("slide"), HasSubstr("name")));
  EXPECT_THAT(error("slide,mpp\na.svs,fine\n"), AllOf(HasSubstr("row 2"), HasSubstr("fine")));
  EXPECT_THAT(error("slide,mpp\na.svs,400\n"), AllOf(HasSubstr("row 2"), HasSubstr("400")));
  EXPECT_THAT(error("slide\n\"\"\n"), HasSubstr("row 2"));
  EXPECT_THAT(error("slide\na.svs\nother/a.svs\n"), HasSubstr("'a'"));
  EXPECT_THAT(error("slide,slide_id\na.svs,../../x\n"), HasSubstr("slide_id"));
  EXPECT_THAT(error("slide\n"), HasSubstr("no rows"));
  error("");
}

}  // namespace
}  // namespace pathology
