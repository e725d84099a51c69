#include <random>

#include "tests/finance/lists/read_text.h"

namespace finance::test {
namespace {

using testing::HasSubstr;

class WriteLists : public ReadTest {};

RankLists some_lists() {
  RankLists lists;
  std::mt19937_64 random(5);
  lists.feature_names = {"f, quoted", "g"};
  lists.categories = {{"kind", {}}};
  lists.kept = {{"stake", {}}};
  for (int l = 0; l < 40; ++l) {
    lists.list_ids.push_back("list \"" + std::to_string(l) + "\"");
    lists.times.push_back(std::to_string(2000 + l / 3));
    lists.offsets.push_back(lists.offsets.back() + 1 + static_cast<int64_t>(random() % 9));
  }
  for (int64_t i = 0; i < lists.rows(); ++i) {
    lists.features.push_back(random() % 5 == 0 ? kNaN
                                               : static_cast<float>(random()) * 1e-19F - 0.5F);
    lists.features.push_back(std::bit_cast<float>(static_cast<uint32_t>(random() >> 33U)));
    if (!std::isfinite(lists.features.back())) lists.features.back() = 0.1F;
    lists.categories[0].values.push_back(random() % 4 == 0 ? ""
                                                           : "k" + std::to_string(random() % 3));
    lists.label.push_back(static_cast<double>(random() % 3));
    lists.profit.push_back(static_cast<double>(static_cast<int64_t>(random())) * 1e-17);
    lists.kept[0].values.push_back(static_cast<double>(random()) * 1e-10);
    lists.rows_in_file.push_back(i);
  }
  return lists;
}

TEST_F(WriteLists, WhatIsReadBackIsTheSame) {
  const RankLists lists = some_lists();
  for (const char* name : {"x.csv", "x.csv.gz", "x.parquet"}) {
    write_lists(folder_ / name, lists, {});
    expect_same(read_lists(folder_ / name, {.list = "list",
                                            .label = "label",
                                            .profit = "profit",
                                            .time = "time",
                                            .categorical = {"kind"},
                                            .keep = {"stake"}}),
                lists);
  }
  const std::string text = attn::test::slurp(folder_ / "x.csv");
  EXPECT_THAT(text, testing::StartsWith("list,time,\"f, quoted\",g,kind,label,profit,stake\n"));
}

TEST_F(WriteLists, NamesAndWhatIsLeftOut) {
  RankLists lists = read("q,f\na,0.1\n", {.list = "q", .time = "q"});
  write_lists(folder_ / "y.csv", lists, {.list = "q", .time = "q"});
  EXPECT_EQ(attn::test::slurp(folder_ / "y.csv"), "q,f\na,0.1\n");
  lists.label = {2};
  write_lists(folder_ / "y.csv", lists, {.list = "window", .label = "risky", .time = "day"});
  EXPECT_EQ(attn::test::slurp(folder_ / "y.csv"), "window,day,f,risky\na,a,0.1,2\n");
  EXPECT_THAT(short_sentence([&] { write_lists(folder_ / "y.csv", lists, {.label = "f"}); }),
              HasSubstr("cannot write y.csv: two columns would be named 'f'"));
  lists.kept = {{"risky", {2}}};
  write_lists(folder_ / "y.csv", lists, {.list = "q", .label = "risky", .time = "q"});
  EXPECT_EQ(attn::test::slurp(folder_ / "y.csv"), "q,f,risky\na,0.1,2\n");
  EXPECT_THROW(write_lists(folder_ / "y.xlsx", lists, {}), attn::UsageError);
  EXPECT_THROW(write_lists(folder_ / "none" / "y.csv", lists, {}), attn::StorageError);
}

}  // namespace
}  // namespace finance::test
