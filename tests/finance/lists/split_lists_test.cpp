#include "finance/lists/split_lists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/support/damage.h"

namespace finance {
namespace {

using attn::test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;

RankLists of_times(std::vector<std::string> times) {
  RankLists lists;
  for (size_t l = 0; l < times.size(); ++l) {
    lists.list_ids.push_back(std::to_string(l));
    lists.offsets.push_back(static_cast<int64_t>(l) + 1);
  }
  lists.times = std::move(times);
  return lists;
}

void expect_partition(const std::vector<std::vector<int64_t>>& parts, int64_t lists) {
  std::set<int64_t> all;
  size_t count = 0;
  for (const auto& part : parts) {
    EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
    all.insert(part.begin(), part.end());
    count += part.size();
  }
  EXPECT_EQ(count, static_cast<size_t>(lists));
  EXPECT_EQ(all.size(), count);
  EXPECT_EQ(*all.begin(), 0);
  EXPECT_EQ(*all.rbegin(), lists - 1);
}

TEST(SplitLists, RandomShares) {
  for (const int64_t lists : {3, 10, 101, 5000}) {
    const ListSplit s = random_split(lists, 0.1, 0.25, 7);
    expect_partition({s.train, s.validation, s.test}, lists);
    EXPECT_EQ(
        s.validation.size(),
        std::max<size_t>(1, static_cast<size_t>(std::lround(0.1 * static_cast<double>(lists)))));
    EXPECT_EQ(s.test.size(), static_cast<size_t>(std::lround(0.25 * static_cast<double>(lists))));
    const ListSplit again = random_split(lists, 0.1, 0.25, 7);
    EXPECT_EQ(again.train, s.train);
    EXPECT_EQ(again.test, s.test);
    if (lists > 100) {
      EXPECT_NE(random_split(lists, 0.1, 0.25, 8).test, s.test);
    }
  }
  EXPECT_THAT(random_split(4, 0, 0, 1).train, ElementsAre(0, 1, 2, 3));
}

TEST(SplitLists, EveryListIsDrawnAsOftenAsAnother) {
  std::vector<int> drawn(10);
  for (uint64_t seed = 0; seed < 4'000; ++seed)
    for (const int64_t l : random_split(10, 0, 0.3, seed).test) ++drawn[static_cast<size_t>(l)];
  for (const int times : drawn) EXPECT_NEAR(times, 1'200, 5 * std::sqrt(4'000 * 0.3 * 0.7));
}

TEST(SplitLists, SharesThatMakeNoSense) {
  for (const auto& [v, t] : {std::pair{-0.1, 0.2},
                             {0.2, -0.1},
                             {0.5, 0.5},
                             {1.0, 0.0},
                             {0.0, 2.0},
                             {std::nan(""), 0.1},
                             {0.1, std::nan("")}}) {
    EXPECT_THROW(random_split(10, v, t, 1), attn::UsageError) << v << " " << t;
    EXPECT_THROW(time_split(of_times({"1", "2"}), v, t), attn::UsageError);
  }
  EXPECT_THAT(
      sentence_of([] { random_split(2, 0.2, 0.2, 1); }),
      HasSubstr("the training part of the split would hold no list: there are 2 lists in all"));
  EXPECT_THAT(sentence_of([] { random_split(0, 0, 0, 1); }), HasSubstr("no list"));
  EXPECT_THAT(sentence_of([] { random_split(1, 0.1, 0, 1); }), HasSubstr("there is 1 list in all"));
}

TEST(SplitLists, NumbersByValueAndDates) {
  const ListSplit numbers = time_split(of_times({"9", "10", "100", "8", "-3"}), 0.2, 0.2);
  EXPECT_THAT(numbers.train, ElementsAre(0, 3, 4));
  EXPECT_THAT(numbers.validation, ElementsAre(1));
  EXPECT_THAT(numbers.test, ElementsAre(2));
  const ListSplit dates =
      time_split(of_times({"2024-02-01", "2023-12-31", "2024-01-10", "2022-05-05"}), 0.25, 0.25);
  EXPECT_THAT(dates.train, ElementsAre(1, 3));
  EXPECT_THAT(dates.validation, ElementsAre(2));
  EXPECT_THAT(dates.test, ElementsAre(0));
  const ListSplit hours = time_split(
      of_times({"2024-02-01 10:00", "2024-02-01T09:00", "2024-02-01 09:30"}), 0.34, 0.34);
  EXPECT_THAT(hours.test, ElementsAre(1));  // one form for all: ' ' sorts before 'T'
  for (const char* other : {"x", "12/31/2019", "2020-1-05", "week 9", "2020-01"})
    EXPECT_THAT(sentence_of([&] {
                  time_split(of_times({"2024-01-31", other, "2024-02-01"}), 0.34, 0.34);
                }),
                HasSubstr("the time '" + std::string(other) + "' of a list is no number"));
  RankLists without = of_times({"", "", "", ""});
  without.times.clear();
  EXPECT_THAT(time_split(without, 0, 0.5).test, ElementsAre(2, 3));
}

TEST(SplitLists, ListsOfOneTimeStayTogetherInTheEarlierPart) {
  const ListSplit s = time_split(of_times({"1", "2", "2.0", "2", "3", "3", "4", "4"}), 0.25, 0.25);
  EXPECT_THAT(s.train, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(s.validation, ElementsAre(4, 5));
  EXPECT_THAT(s.test, ElementsAre(6, 7));
  const ListSplit pushed = time_split(of_times({"1", "2", "2", "2", "3", "4", "5"}), 0.28, 0.28);
  EXPECT_THAT(pushed.train, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(pushed.validation, ElementsAre(4));
  EXPECT_THAT(pushed.test, ElementsAre(5, 6));
  EXPECT_THAT(sentence_of([] {
                time_split(of_times({"1", "2", "2", "2"}), 0.25, 0.25);
              }),
              HasSubstr("the validation part of the split would hold no list: there are 4 lists in "
                        "all, of 2 different times"));
  EXPECT_THAT(sentence_of([] {
                time_split(of_times({"5", "5", "5"}), 0, 0.3);
              }),
              HasSubstr("the test part"));
}

TEST(SplitLists, Folds) {
  for (const auto& [lists, folds] :
       {std::pair<int64_t, int64_t>{10, 3}, {7, 7}, {100, 5}, {2, 2}}) {
    const auto parts = list_folds(lists, folds, 3);
    ASSERT_EQ(parts.size(), static_cast<size_t>(folds));
    expect_partition(parts, lists);
    const auto [least, most] =
        std::minmax_element(parts.begin(), parts.end(),
                            [](const auto& a, const auto& b) { return a.size() < b.size(); });
    EXPECT_LE(most->size() - least->size(), 1U);
    EXPECT_EQ(list_folds(lists, folds, 3), parts);
  }
  EXPECT_NE(list_folds(100, 5, 3), list_folds(100, 5, 4));
  EXPECT_THROW(list_folds(10, 1, 1), attn::UsageError);
  EXPECT_THROW(list_folds(10, 11, 1), attn::UsageError);
}

}  // namespace
}  // namespace finance
