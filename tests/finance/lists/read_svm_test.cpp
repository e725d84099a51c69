#include "libattn/io/table_write.h"
#include "tests/finance/lists/read_text.h"
#include "tests/libattn/io/piped_input.h"

namespace finance::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ReadSvm : public ReadTest {
 protected:
  RankLists svm(const std::string& text, const ListOptions& options = {}) {
    return read(text, options, "x.txt");
  }
  std::string svm_refusal(const std::string& text, const ListOptions& options = {}) {
    return refusal(text, options, "x.txt");
  }
  ListOptions with_lengths(const std::string& lengths, ListOptions options = {}) {
    attn::test::put(folder_ / "x.query", lengths);
    options.lengths = folder_ / "x.query";
    return options;
  }
};

TEST_F(ReadSvm, RowsOfSvmrank) {
  const RankLists lists =
      svm("# a comment\n"
          "2 qid:7 0:1 3:-0.5 # doc = 1\r\n"
          "\n"
          "0\tqid:7\t1:2e1\n"
          "+1 qid:x9  3:4  0:3 \n");
  EXPECT_THAT(lists.offsets, ElementsAre(0, 2, 3));
  EXPECT_THAT(lists.list_ids, ElementsAre("7", "x9"));
  EXPECT_THAT(lists.feature_names, ElementsAre("0", "1", "3"));
  EXPECT_THAT(lists.features, ElementsAre(1, 0, -0.5, 0, 20, 0, 3, 0, 4));
  EXPECT_THAT(lists.label, ElementsAre(2, 0, 1));
  EXPECT_TRUE(lists.profit.empty());
  EXPECT_THAT(lists.rows_in_file, ElementsAre(0, 1, 2));
}

TEST_F(ReadSvm, FeaturesThatAreAskedFor) {
  const std::string text = "1 qid:1 1:5 2:6 10:7\n0 qid:1 2:8\n";
  const RankLists lists = svm(text, {.features = {"10", "4", "1"}});
  EXPECT_THAT(lists.feature_names, ElementsAre("10", "4", "1"));
  EXPECT_THAT(lists.features, ElementsAre(7, 0, 5, 0, 0, 0));
  EXPECT_THAT(svm(text, {.ignore = {"2"}}).feature_names, ElementsAre("1", "10"));
  EXPECT_THAT(svm(text).feature_names, ElementsAre("1", "2", "10"));
  EXPECT_THAT(svm_refusal(text, {.features = {"WinRate"}}),
              HasSubstr("x.txt: its features are numbered, and 'WinRate' is none of the numbers"));
  EXPECT_THAT(svm("1 qid:1\n0 qid:1\n").features, ElementsAre());
}

TEST_F(ReadSvm, QidOnAllRowsOrNone) {
  EXPECT_THAT(svm_refusal("1 qid:1 1:5\n0 1:5\n"),
              HasSubstr("x.txt: row 2: expected qid:N behind the label"));
  EXPECT_THAT(svm_refusal("1 1:5\n0 qid:1 1:5\n", with_lengths("2\n")),
              HasSubstr("x.txt: row 2: expected a row without qid, found qid:1"));
  EXPECT_THAT(
      svm_refusal("1 qid:1 1:5\n1 qid:2 1:5\n\n1 qid:1 1:5\n"),
      HasSubstr("x.txt: row 4: list '1' (qid) stands there again, its other rows begin in row 1"));
  EXPECT_THROW(svm("1 qid:1 1:5\n", {.list_size = 2}), attn::UsageError);
  EXPECT_THROW(svm("1 qid:1 1:5\n", with_lengths("1\n")), attn::UsageError);
  EXPECT_THAT(svm_refusal("1 1:5\n"), HasSubstr("its rows name no list (qid:N behind the label)"));
}

TEST_F(ReadSvm, RowsThatAreRefused) {
  const auto row = [&](const std::string& text) {
    return svm_refusal("1 qid:1 1:5\n" + text + "\n", {.format = ListFormat::svmrank});
  };
  EXPECT_THAT(row("-1 qid:1 1:5"), HasSubstr("row 2: expected a label of 0 or more, found '-1'"));
  EXPECT_THAT(row("yes qid:1 1:5"), HasSubstr("row 2: expected a label, a number, found 'yes'"));
  EXPECT_THAT(row("nan qid:1 1:5"), HasSubstr("expected a label, a number, found 'nan'"));
  for (const std::string bad : {"1:x", "1:", "1:nan", "1:inf", "1:1e999", "1:1 2:2:3"})
    EXPECT_THAT(row("1 qid:1 " + bad), HasSubstr("row 2: expected a number behind the colon"))
        << bad;
  for (const std::string bad :
       {"a:1", "-1:1", ":1", "5", "1.5:1", "99999999999999999999:1", "qid:2", "1:1 qid:2"})
    EXPECT_THAT(row("1 qid:1 " + bad), HasSubstr("row 2: expected id:value")) << bad;
  EXPECT_THAT(row("1 qid: 1:5"), HasSubstr("row 2: expected id:value"));
  EXPECT_THAT(row("1 qid:1 3:1 2:1 3:5"), HasSubstr("row 2: feature 3 stands there twice"));
  EXPECT_THAT(row("1 qid:1 3:1e39"), HasSubstr("'3:1e39' is too large for single precision"));
  EXPECT_THAT(svm_refusal("", {.format = ListFormat::svmrank}),
              HasSubstr("expected rows, found none"));
  EXPECT_THAT(svm_refusal("# only\n\n", {.format = ListFormat::svmrank}),
              HasSubstr("expected rows, found none"));
  for (const ListOptions& o :
       {ListOptions{.profit = "pnl"}, ListOptions{.list = "list"}, ListOptions{.time = "t"},
        ListOptions{.categorical = {"c"}}, ListOptions{.keep = {"k"}}})
    EXPECT_THROW(svm("1 qid:1 1:5\n", o), attn::UsageError);
  EXPECT_TRUE(
      svm("1 qid:1 1:5\n", {.list = "qid", .profit = "pnl", .need_profit = false}).profit.empty());
}

TEST_F(ReadSvm, LengthsOfLists) {
  const std::string text = "1 1:5\n0 2:3\n4 1:1\n";
  const RankLists lists = svm(text, with_lengths("1\n\n2\n"));
  EXPECT_THAT(lists.offsets, ElementsAre(0, 1, 3));
  EXPECT_THAT(lists.list_ids, ElementsAre("1", "2"));
  EXPECT_THAT(lists.features, ElementsAre(5, 0, 0, 3, 1, 0));
  EXPECT_THAT(svm("0\n1 2:3\n", with_lengths("2")).features, ElementsAre(0, 3));
  EXPECT_THAT(svm_refusal(text, with_lengths("1\n1\n")),
              HasSubstr("x.query: its 2 lengths of lists add up to 2 rows, but x.txt holds 3; give "
                        "the lengths that belong to this file"));
  EXPECT_THAT(svm_refusal(text, with_lengths("1\n9\n")),
              HasSubstr("add up to 10 rows, but x.txt holds 3"));
  for (const std::string bad : {"0", "-1", "x", "1.5", "1 2", "99999999999999999999"})
    EXPECT_THAT(
        svm_refusal(text, with_lengths("1\n" + bad + "\n")),
        HasSubstr("x.query: row 2: expected the length of a list, a whole number of 1 or more"));
  EXPECT_THAT(svm_refusal(text, with_lengths("")), HasSubstr("expected one length"));
  EXPECT_THAT(svm_refusal(text, with_lengths("9223372036854775807\n9223372036854775807\n")),
              HasSubstr("x.query: row 2"));
  EXPECT_THAT(svm_refusal(text, {.lengths = folder_ / "none"}), HasSubstr("none: No such file"));
  EXPECT_THAT(svm(text, {.list_size = 2}).offsets, ElementsAre(0, 2, 3));
}

TEST_F(ReadSvm, LightGbmsExample) {
  const auto path = attn::test::shared_data("finance/lightgbm_rank/rank.train");
  ATTN_NEED_SHARED_DATA(path);
  const ListOptions o{.lengths = path.string() + ".query"};
  const RankLists lists = read_lists(path, o);
  EXPECT_EQ(lists.rows(), 3005);
  EXPECT_EQ(lists.lists(), 201);
  EXPECT_EQ(*std::min_element(lists.label.begin(), lists.label.end()), 0);
  EXPECT_EQ(*std::max_element(lists.label.begin(), lists.label.end()), 4);
  EXPECT_THAT(std::vector<int64_t>(lists.offsets.begin(), lists.offsets.begin() + 4),
              ElementsAre(0, 1, 14, 19));
  const auto at = std::find(lists.feature_names.begin(), lists.feature_names.end(), "10");
  ASSERT_NE(at, lists.feature_names.end());
  EXPECT_EQ(lists.features[static_cast<size_t>(at - lists.feature_names.begin())], 0.89F);
  ListOptions named = o;
  named.features = lists.feature_names;
  int64_t parts = 0;
  expect_same(in_parts(path, named, 100, parts), lists);
  EXPECT_GT(parts, 20);
}

TEST_F(ReadSvm, PartsOfALargeFileAreTheWhole) {
  std::string text;
  for (int i = 0; i < 400'000; ++i)
    text += std::to_string(i % 5) + " qid:" + std::to_string(i / 7) + " " +
            std::to_string(1 + i % 3) + ":" + std::to_string(i) + "\n";
  attn::test::put(folder_ / "x.txt", text);
  const RankLists all = read_lists(folder_ / "x.txt", {});
  EXPECT_EQ(all.rows(), 400'000);
  int64_t parts = 0;
  expect_same(in_parts(folder_ / "x.txt", {.features = {"1", "2", "3"}}, 1'000, parts), all);
  EXPECT_GT(parts, 390);
  const attn::test::PipedInput input(text);
  expect_same(read_lists("-", {.features = {"1", "2", "3"}}), all);
}

}  // namespace
}  // namespace finance::test
