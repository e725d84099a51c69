#include <random>

#include "tests/finance/lists/read_text.h"

namespace finance::test {
namespace {

using attn::test::reads_or_explains;

class ListDamage : public ReadTest {};

const ListOptions kNames{.list = "list", .label = "label", .profit = "profit"};

RankLists small_lists() {
  RankLists lists;
  lists.feature_names = {"f"};
  for (int l = 0; l < 60; ++l) {
    lists.list_ids.push_back("l" + std::to_string(l));
    lists.offsets.push_back(lists.offsets.back() + 5);
  }
  for (int i = 0; i < 300; ++i) {
    lists.features.push_back(static_cast<float>(i) * 0.37F);
    lists.label.push_back(i % 2);
    lists.profit.push_back(i * 1.7 - 100);
  }
  return lists;
}

TEST_F(ListDamage, PackedAndParquetFilesCutAndReplaced) {
  for (const char* name : {"x.csv.gz", "x.parquet"}) {
    write_lists(folder_ / name, small_lists(), kNames);
    const std::string good = attn::test::slurp(folder_ / name);
    for (const auto& [what, bytes] : attn::test::broken_versions(good)) {
      attn::test::put(folder_ / name, bytes);
      EXPECT_FALSE(reads_or_explains([&] { read_lists(folder_ / name, kNames); }, what))
          << name << ", " << what;
    }
  }
}

TEST_F(ListDamage, FlippedBits) {
  std::mt19937_64 random(40);
  for (const char* name : {"x.csv", "x.csv.gz", "x.parquet"}) {
    write_lists(folder_ / name, small_lists(), kNames);
    const std::string good = attn::test::slurp(folder_ / name);
    for (int i = 0; i < 150; ++i) {
      attn::test::put(folder_ / name, attn::test::with_flipped_bits(good, random, 1 + i % 8));
      reads_or_explains([&] { read_lists(folder_ / name, kNames); }, name);
    }
  }
}

TEST_F(ListDamage, RandomRowsOfSvmText) {
  std::mt19937_64 random(41);
  const std::vector<std::string> pieces = {
      "1",    "0",  " ",  "\t", "qid:", "qid:1 ", "2:",        "1:0.5 ",
      "\r\n", "\n", "#x", "-1", "nan",  ":",      "\n1 qid:1 "};
  for (int i = 0; i < 2'000; ++i) {
    std::string text = "1 qid:1 1:1 ";
    for (size_t k = random() % 12; k > 0; --k) text += pieces[random() % pieces.size()];
    attn::test::put(folder_ / "x.txt", text);
    reads_or_explains(
        [&] {
          const RankLists lists = read_lists(folder_ / "x.txt", {});
          EXPECT_EQ(lists.features.size(), static_cast<size_t>(lists.rows() * lists.width()));
          EXPECT_EQ(lists.label.size(), static_cast<size_t>(lists.rows()));
        },
        text);
  }
}

TEST_F(ListDamage, RandomBytesInEveryFormat) {
  std::mt19937_64 random(42);
  for (int i = 0; i < 300; ++i) {
    attn::test::put(folder_ / "x.csv", attn::test::random_bytes(random, random() % 400));
    for (const ListFormat format :
         {ListFormat::detect, ListFormat::table, ListFormat::svmrank, ListFormat::libsvm})
      EXPECT_FALSE(reads_or_explains(
          [&] {
            ListOptions o{.format = format};
            if (format != ListFormat::svmrank) o.list_size = 3;
            o.label = "label";
            read_lists(folder_ / "x.csv", o);
          },
          "round " + std::to_string(i)));
  }
}

}  // namespace
}  // namespace finance::test
