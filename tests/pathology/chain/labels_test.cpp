#include "pathology/chain/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"

namespace pathology {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::vector<SlideItem> slides(const std::vector<std::string>& ids) {
  std::vector<SlideItem> items;
  for (const std::string& id : ids) items.push_back({id + ".tif", id, {}, {}, {}});
  return items;
}

std::string written(const std::string& csv, const std::vector<SlideItem>& items) {
  const attn::test::TempFolder folder;
  attn::test::put(folder / "l.csv", csv);
  write_labels(folder / "out.csv", labels_of(items, folder / "l.csv", {}), items);
  return attn::test::slurp(folder / "out.csv");
}

TEST(Labels, ASlidesExtensionIsTakenOffAndNothingElse) {
  EXPECT_EQ(written("slide_id,label,case_id\na.1,x,p\nb.svs,y,q\n", slides({"a", "a.1", "b"})),
            "slide_id,label,case_id\na.1,x,p\nb,y,q\n");
}

TEST(Labels, TwoRowsForOneSlideThatDisagreeAreRefused) {
  EXPECT_THAT(attn::test::sentence_of(
                  [] { written("slide_id,label,case_id\na,x,p\na.svs,y,p\n", slides({"a"})); }),
              AllOf(HasSubstr("l.csv"), HasSubstr("'a.svs'")));
}

TEST(Labels, PatientsThatTheTableDoesNotTellAreTheManifests) {
  std::vector<SlideItem> items = slides({"a", "b", "c"});
  items[0].case_id = items[1].case_id = "p";
  EXPECT_EQ(written("slide_id,label\na.svs,x\nb,y\nc,y\n", items),
            "slide_id,label,case_id\na,x,p\nb,y,p\nc,y,c\n");
  EXPECT_EQ(written("slide_id,label,case_id\na,x,p\nb,y,\nc,y,q\n", items),
            "slide_id,label,case_id\na,x,p\nb,y,p\nc,y,q\n");
  EXPECT_THAT(
      attn::test::sentence_of([&] { written("slide_id,label,case_id\na,x,p\nb,y,q\n", items); }),
      AllOf(HasSubstr("l.csv"), HasSubstr("'b'"), HasSubstr("another patient")));
}

TEST(Labels, TheBagsThatArePlannedStandInTheOrderOfTheirFiles) {
  const attn::test::TempFolder folder;
  attn::test::put(folder / "l.csv", "slide_id,label,case_id\na.svs,y,p\na-1,x,\nb,NA,q\n");
  const auto items = slides({"b", "a", "a-1"});
  const BagSet set = planned_bags(labels_of(items, folder / "l.csv", {}), items, folder / "l.csv");
  ASSERT_EQ(set.size(), 2);          // b has no label
  EXPECT_EQ(set.bags[0].id, "a-1");  // a-1.h5 is before a.h5
  EXPECT_EQ(set.bags[0].patient, "a-1");
  EXPECT_EQ(set.bags[1].patient, "p");
  EXPECT_EQ(set.classes[static_cast<size_t>(set.bags[1].label)], "y");
}

TEST(Labels, LabelledSlidesThatAreNotHereAreTold) {
  const attn::test::TempFolder folder;
  attn::test::put(folder / "l.csv", "slide_id,label\na.svs,x\nb,y\ngone,x\nunknown,NA\n");
  std::vector<std::string> warnings;
  attn::Hooks hooks;
  hooks.warn = [&](std::string_view w) { warnings.emplace_back(w); };
  labels_of(slides({"a", "b"}), folder / "l.csv", {}, hooks);
  EXPECT_THAT(warnings,
              testing::ElementsAre(AllOf(HasSubstr("1 labelled slide"), HasSubstr("gone"))));
  EXPECT_EQ(written("slide_id,label\na,x\nb,NA\n", slides({"a", "b"})),
            "slide_id,label,case_id\na,x,a\n");
}

TEST(Labels, NoLabelsAtAllAreAWrongCall) {
  EXPECT_THROW(labels_of(slides({"a"}), {}, {}), attn::UsageError);
}

TEST(Labels, ATableForOtherSlidesIsRefused) {
  EXPECT_THAT(attn::test::sentence_of([] { written("slide_id,label\na.1,x\n", slides({"a"})); }),
              AllOf(HasSubstr("'a.1'"), HasSubstr("'a'")));
}

}  // namespace
}  // namespace pathology
