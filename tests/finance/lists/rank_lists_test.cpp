#include "finance/lists/rank_lists.h"

#include <stdexcept>

#include "tests/finance/lists/read_text.h"

namespace finance::test {
namespace {

using testing::ElementsAre;

/// Lists of 2, 1 and 3 rows; row i holds features 10 i and 10 i + 1.
RankLists three_lists() {
  RankLists lists;
  lists.name = "x";
  lists.offsets = {0, 2, 3, 6};
  lists.list_ids = {"a", "b", "c"};
  lists.times = {"1", "2", "3"};
  lists.feature_names = {"f", "g"};
  lists.categories = {{"kind", {"k0", "k1", "k2", "k3", "k4", "k5"}}};
  lists.kept = {{"stake", {0, 1, 2, 3, 4, 5}}};
  for (int i = 0; i < 6; ++i) {
    lists.features.push_back(static_cast<float>(10 * i));
    lists.features.push_back(static_cast<float>(10 * i + 1));
    lists.label.push_back(i);
    lists.profit.push_back(-i);
    lists.rows_in_file.push_back(i);
  }
  return lists;
}

TEST(RankListsTest, SelectedTakesWholeListsInOrder) {
  const RankLists two = selected(three_lists(), {2, 0});
  EXPECT_THAT(two.offsets, ElementsAre(0, 3, 5));
  EXPECT_THAT(two.list_ids, ElementsAre("c", "a"));
  EXPECT_THAT(two.times, ElementsAre("3", "1"));
  EXPECT_THAT(two.features, ElementsAre(30, 31, 40, 41, 50, 51, 0, 1, 10, 11));
  EXPECT_THAT(two.categories[0].values, ElementsAre("k3", "k4", "k5", "k0", "k1"));
  EXPECT_THAT(two.find("stake")->values, ElementsAre(3, 4, 5, 0, 1));
  EXPECT_THAT(two.label, ElementsAre(3, 4, 5, 0, 1));
  EXPECT_THAT(two.profit, ElementsAre(-3, -4, -5, 0, -1));
  EXPECT_THAT(two.rows_in_file, ElementsAre(3, 4, 5, 0, 1));
  EXPECT_EQ(two.name, "x");
  const RankLists none = selected(three_lists(), {});
  EXPECT_EQ(none.rows(), 0);
  EXPECT_EQ(none.width(), 2);
}

TEST(RankListsTest, AppendUndoesSelected) {
  const RankLists all = three_lists();
  RankLists parts = selected(all, {});
  for (const int64_t l : {0, 1, 2}) append(parts, selected(all, {l}));
  expect_same(parts, all);
  RankLists without = all;
  without.profit.clear();
  EXPECT_THROW(append(parts, without), std::logic_error);
  RankLists renamed = all;
  renamed.kept[0].name = "money";
  EXPECT_THROW(append(parts, renamed), std::logic_error);
}

}  // namespace
}  // namespace finance::test
