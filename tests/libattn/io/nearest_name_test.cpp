#include "libattn/io/nearest_name.h"

#include <gtest/gtest.h>

namespace attn::io {
namespace {

TEST(NearestName, DistancesByHand) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("lable", "label"), 1U);  // neighbours swapped
  EXPECT_EQ(edit_distance("Label", "label"), 0U);
}

TEST(NearestName, SuggestsWhatIsNearAndNothingElse) {
  const std::vector<std::string> names = {"bag", "label", "slide_id", "features"};
  EXPECT_EQ(nearest_name("lable", names), "label");
  EXPECT_EQ(nearest_name("slideid", names), "slide_id");
  EXPECT_EQ(nearest_name("slide", names), "slide_id");
  EXPECT_EQ(nearest_name("feats", names), std::nullopt);
  EXPECT_EQ(nearest_name("patient", names), std::nullopt);
  EXPECT_EQ(nearest_name("x", {}), std::nullopt);
  EXPECT_EQ(did_you_mean("lable", names), "; did you mean 'label'?");
  EXPECT_EQ(did_you_mean("patient", names), "");
}

TEST(NearestName, ListsAreCut) {
  EXPECT_EQ(list_names({}), "none");
  const std::vector<std::string> names = {"a", "b", "c"};
  EXPECT_EQ(list_names(names), "a, b, c");
  EXPECT_EQ(list_names(names, 2), "a, b and 1 more");
}

}  // namespace
}  // namespace attn::io
