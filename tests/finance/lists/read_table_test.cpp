#include "libattn/io/table_write.h"
#include "tests/finance/lists/read_text.h"
#include "tests/libattn/io/piped_input.h"

namespace finance::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ReadTable : public ReadTest {};

const ListOptions kAll{.list = "q", .label = "y", .profit = "p"};

TEST_F(ReadTable, ColumnsByTheirMeaning) {
  const RankLists lists = read(
      "q,when,f1,name,y,p,stake,f2,kind\n"
      "a,2024,1,x,0,-1.5,10,,u\n"
      "a,2025,2,y,1,2.5,20,NA,v\n"
      "b c,2023,+3e0,z,2,0,30,-0.5,\n",
      {.list = "q",
       .label = "y",
       .profit = "p",
       .time = "when",
       .categorical = {"kind"},
       .keep = {"stake"}});
  EXPECT_EQ(lists.lists(), 2);
  EXPECT_THAT(lists.offsets, ElementsAre(0, 2, 3));
  EXPECT_THAT(lists.list_ids, ElementsAre("a", "b c"));
  EXPECT_THAT(lists.times, ElementsAre("2024", "2023"));
  EXPECT_THAT(lists.feature_names, ElementsAre("f1", "f2"));
  EXPECT_THAT(lists.features, SameValues(std::vector<float>{1, kNaN, 2, kNaN, 3, -0.5F}));
  ASSERT_EQ(lists.categories.size(), 1U);
  EXPECT_THAT(lists.categories[0].values, ElementsAre("u", "v", ""));
  EXPECT_THAT(lists.label, ElementsAre(0, 1, 2));
  EXPECT_THAT(lists.profit, ElementsAre(-1.5, 2.5, 0));
  EXPECT_THAT(lists.find("stake")->values, ElementsAre(10, 20, 30));
  EXPECT_EQ(lists.find("name"), nullptr);
  EXPECT_THAT(lists.unused, ElementsAre("name"));
  EXPECT_THAT(lists.rows_in_file, ElementsAre(0, 1, 2));
  EXPECT_THAT(lists.name, HasSubstr("x.csv"));
}

TEST_F(ReadTable, NamedFeaturesInTheirOrder) {
  const RankLists lists = read("f1,q,f2,f3\n1,a,2,3\n", {.list = "q", .features = {"f3", "f1"}});
  EXPECT_THAT(lists.features, ElementsAre(3, 1));
  EXPECT_THAT(lists.unused, ElementsAre("f2"));
  EXPECT_THAT(lists.label, IsEmpty());
  const RankLists ignoring = read("f1,q,f2,f3\n1,a,2,3\n", {.list = "q", .ignore = {"f2"}});
  EXPECT_THAT(ignoring.feature_names, ElementsAre("f1", "f3"));
  EXPECT_THAT(ignoring.unused, IsEmpty());
}

TEST_F(ReadTable, DialectsAndShapesOfFiles) {
  const RankLists plain = read("q,f\n1,5\n1,6\n2,7\n", {.list = "q"});
  expect_same(read("\xEF\xBB\xBFq,f\r\n1,5\r\n1,6\r\n2,7\r\n", {.list = "q"}), plain);
  expect_same(read("q\tf\n1\t5\n1\t6\n2\t7", {.list = "q"}, "x.tsv"), plain);
  const RankLists unnamed = read(",q,f\n0,1,5\n1,1,6\n", {.list = "q"});
  EXPECT_THAT(unnamed.feature_names, ElementsAre("f"));
  EXPECT_THAT(unnamed.unused, ElementsAre("unnamed 1"));
  const attn::test::PipedInput input("q,f\n1,5\n1,6\n2,7\n");
  expect_same(read_lists("-", {.list = "q"}), plain);
}

TEST_F(ReadTable, ParquetWithNulls) {
  attn::io::write_table(folder_ / "x.parquet", std::vector<attn::io::Column>{
                                                   {"q", std::vector<int64_t>{7, 7, 8}},
                                                   {"f", std::vector<double>{0.5, std::nan(""), 2}},
                                                   {"y", std::vector<int64_t>{0, 1, 0}}});
  const RankLists lists = read_lists(folder_ / "x.parquet", {.list = "q", .label = "y"});
  EXPECT_THAT(lists.list_ids, ElementsAre("7", "8"));
  EXPECT_THAT(lists.features, SameValues(std::vector<float>{0.5, kNaN, 2}));
  EXPECT_THAT(lists.label, ElementsAre(0, 1, 0));
}

TEST_F(ReadTable, ValuesThatAreRefused) {
  const auto row = [&](const std::string& fields) {
    return refusal("q,f,y,p\na,1,0,0\n" + fields + "\n", kAll);
  };
  for (const std::string bad : {"", "NA", "nan", "inf", "-inf", "1e999"}) {
    EXPECT_THAT(row("a,1," + bad + ",0"), HasSubstr("x.csv: row 3, column y: expected a number"));
    EXPECT_THAT(row("a,1,0," + bad), HasSubstr("x.csv: row 3, column p: expected a number"));
    if (!bad.empty() && bad != "NA") {
      EXPECT_THAT(refusal("q,f\na,1\na," + bad + "\n", {.list = "q", .features = {"f"}}),
                  HasSubstr("x.csv: row 3, column f: expected a number, found '" + bad + "'"));
    }
    EXPECT_THAT(refusal("q,k\na,1\na,\"" + bad + "\"\n", {.list = "q", .keep = {"k"}}),
                HasSubstr("x.csv: row 3, column k: expected a number"));
  }
  for (const std::string bad : {"inf", "NaN", "-nan"})
    EXPECT_THAT(refusal("q,f\na,1\na," + bad + "\n", {.list = "q"}),
                HasSubstr("x.csv: row 3, column f: expected a number, found '" + bad + "'"));
  EXPECT_THAT(refusal("q,f\na,1\na,1e39\n", {.list = "q"}),
              HasSubstr("row 3, column f: '1e39' is too large for single precision"));
  EXPECT_THAT(row("a,1,-1,0"),
              HasSubstr("row 3, column y: expected a label of 0 or more, found -1"));
  EXPECT_THAT(row("a,1,yes,0"), HasSubstr("row 3, column y: expected a number, found 'yes'"));
  EXPECT_THAT(row(",1,0,0"),
              HasSubstr("row 3, column q: expected the id of a list, found nothing"));
  EXPECT_THAT(refusal("q,t\na,1\nb,\n", {.list = "q", .time = "t"}),
              HasSubstr("row 3: list 'b': expected its time, found nothing"));
}

TEST_F(ReadTable, TheWordNanInParquetIsRefusedToo) {
  attn::io::write_table(folder_ / "x.parquet",
                        std::vector<attn::io::Column>{{"q", std::vector<std::string>{"a", "a"}},
                                                      {"f", std::vector<std::string>{"", "nan"}}});
  EXPECT_THAT(
      short_sentence([&] { read_lists(folder_ / "x.parquet", {.list = "q", .features = {"f"}}); }),
      HasSubstr("x.parquet: row 2, column f: expected a number, found 'nan'; leave the field"));
}

TEST_F(ReadTable, ListsInTwoPlaces) {
  EXPECT_THAT(
      refusal("q,f\na,1\n\nb,1\na,1\n", {.list = "q"}),
      HasSubstr("x.csv: row 5: list 'a' (column q) stands there again, its other rows begin "
                "in row 2; put the rows of a list together"));
}

TEST_F(ReadTable, ColumnsThatAreNotThere) {
  const std::string text = "q,feature,label,money\na,1,0,2\n";
  EXPECT_THAT(refusal(text, {.list = "qid"}),
              HasSubstr("x.csv: there is no column 'qid' (found: q, feature, label, money)"));
  EXPECT_THAT(refusal(text, {.list = "q", .label = "labels"}), HasSubstr("did you mean 'label'?"));
  EXPECT_THAT(refusal(text, {.list = "q", .profit = "mony"}), HasSubstr("did you mean 'money'?"));
  for (const ListOptions& o :
       {ListOptions{.list = "q", .features = {"featur"}},
        ListOptions{.list = "q", .categorical = {"featur"}},
        ListOptions{.list = "q", .ignore = {"featur"}},
        ListOptions{.list = "q", .keep = {"featur"}}, ListOptions{.list = "q", .time = "featur"}})
    EXPECT_THAT(refusal(text, o), HasSubstr("no column 'featur'"));
  const RankLists scoring =
      read("q,f\na,1\n",
           {.list = "q", .label = "y", .profit = "p", .need_label = false, .need_profit = false});
  EXPECT_THAT(scoring.label, IsEmpty());
  EXPECT_THAT(scoring.profit, IsEmpty());
  EXPECT_THAT(refusal("q,f,y\na,1,\n", {.list = "q", .label = "y", .need_label = false}),
              HasSubstr("row 2, column y: expected a number"));
}

TEST_F(ReadTable, CostsMakeTheProfit) {
  const std::string text = "q,f,y,fp,fn,tp,tn\na,1,1,10,100,7,1\na,2,0,10,100,7,1\na,3,2,1,2,3,4\n";
  ListOptions o{.list = "q",
                .label = "y",
                .costs = {.fp = "fp", .fn = "fn", .tp = "tp", .tn = "tn"},
                .keep = {"fn"}};
  const RankLists lists = read(text, o);
  EXPECT_THAT(lists.profit, ElementsAre(100 - 7, 1 - 10, 2 - 3));
  EXPECT_THAT(lists.unflagged, ElementsAre(-100, -1, -2));
  EXPECT_THAT(lists.feature_names, ElementsAre("f"));
  EXPECT_THAT(lists.find("fn")->values, ElementsAre(100, 100, 2));
  EXPECT_THAT(refusal("q,y,fp,fn,tp,tn\na,1,1,,1,1\n", o),
              HasSubstr("row 2, column fn: expected a number, found ''"));
  EXPECT_THAT(refusal("q,y,fp,fn,tp,tn\na,1,0,1e308,-1e308,1\n", o), HasSubstr("row 2: its costs"));
  EXPECT_THAT(refusal("q,f,y,fp,fn,tp\na,1,1,10,100,7\n", o), HasSubstr("no column 'tn'"));
  EXPECT_THAT(refusal("q,f,fp,fn,tp,tn\na,1,10,100,7,1\n", o), HasSubstr("no column 'y'"));
  o.need_label = o.need_profit = false;
  EXPECT_THAT(read("q,f,fn,fp,tp,tn\na,1,10,100,7,1\n", o).profit, IsEmpty());
  o.keep.clear();
  EXPECT_THAT(read("q,f,y\na,1,0\n", o).profit, IsEmpty());
  o.costs.tn.clear();
  EXPECT_THROW(read(text, o), attn::UsageError);
}

TEST_F(ReadTable, AWordAmongNumbersIsASlip) {
  const auto text = [](int words) {
    std::string rows = "q,f,g\n";
    for (int i = 0; i < 40; ++i) rows += "a,1," + std::string(i < words ? "oops" : "2") + "\n";
    return rows;
  };
  EXPECT_THAT(refusal(text(2), {.list = "q"}),
              HasSubstr("row 2, column g: found 'oops' in a column of numbers; mend it"));
  EXPECT_THAT(read(text(3), {.list = "q"}).feature_names, ElementsAre("f"));
  EXPECT_THAT(read(text(2), {.list = "q", .ignore = {"g"}}).feature_names, ElementsAre("f"));
}

TEST_F(ReadTable, CostsMayBeNumbers) {
  const ListOptions o{
      .list = "q", .label = "y", .costs = {.fp = "5", .fn = "amount", .tp = "5", .tn = "0"}};
  const RankLists lists = read("q,f,y,amount\na,1,1,90\na,2,0,40\n", o);
  EXPECT_THAT(lists.profit, ElementsAre(90 - 5, 0 - 5));
  const ListOptions twice{
      .list = "q", .label = "y", .costs = {.fp = "fee", .fn = "amount", .tp = "fee", .tn = "0"}};
  EXPECT_THAT(read("q,f,y,amount,fee\na,1,1,90,3\na,2,0,40,4\n", twice).profit,
              ElementsAre(90 - 3, 0 - 4));
  EXPECT_THAT(lists.feature_names, ElementsAre("f"));
}

TEST_F(ReadTable, OptionsThatContradictEachOther) {
  const std::string text = "q,f,y,p\na,1,0,2\n";
  const CostColumns costs{.fp = "a", .fn = "b", .tp = "c", .tn = "d"};
  for (const ListOptions& o :
       {ListOptions{}, ListOptions{.list = "q", .list_size = 2}, ListOptions{.list_size = 0},
        ListOptions{.time = "f", .list_size = 2}, ListOptions{.list = "q", .lengths = "x"},
        ListOptions{.list_size = 2, .lengths = "x"},
        ListOptions{.list = "q", .label = "y", .profit = "y"},
        ListOptions{.list = "q", .label = "y", .features = {"f", "y"}},
        ListOptions{.list = "q", .features = {"f", "f"}},
        ListOptions{.list = "q", .features = {"f"}, .categorical = {"f"}},
        ListOptions{.list = "q", .profit = "p", .costs = costs},
        ListOptions{.list = "q", .costs = costs}}) {
    EXPECT_THROW(read(text, o), attn::UsageError);
    refusal(text, o);  // one sentence
  }
  EXPECT_THAT(refusal(text, {.list = "q", .label = "y", .profit = "y"}),
              HasSubstr("column 'y' is named as the label and as the profit; name it as one"));
  EXPECT_THAT(read(text, {.list = "q", .time = "q", .keep = {"p"}}).times, ElementsAre("a"));
  EXPECT_NE(read(text, {.list = "q", .features = {"f"}, .keep = {"f"}}).find("f"), nullptr);
}

TEST_F(ReadTable, ListsOfASizeAreDrawn) {
  std::string text = "f,y\n";
  for (int i = 0; i < 23; ++i) text += std::to_string(i) + "," + std::to_string(i % 3) + "\n";
  const ListOptions five{.label = "y", .list_size = 5, .seed = 4};
  const RankLists lists = read(text, five);
  EXPECT_THAT(lists.offsets, ElementsAre(0, 5, 10, 15, 20, 23));
  EXPECT_THAT(lists.list_ids, ElementsAre("1", "2", "3", "4", "5"));
  for (size_t i = 0; i < 23; ++i) {
    EXPECT_EQ(lists.features[i], static_cast<float>(lists.rows_in_file[i]));
    EXPECT_EQ(lists.label[i], static_cast<double>(lists.rows_in_file[i] % 3));
  }
  std::vector<int64_t> rows = lists.rows_in_file;
  EXPECT_FALSE(std::is_sorted(rows.begin(), rows.end()));
  std::sort(rows.begin(), rows.end());
  for (int64_t i = 0; i < 23; ++i) EXPECT_EQ(rows[static_cast<size_t>(i)], i);
  expect_same(read(text, five), lists);
  ListOptions other = five;
  other.seed = 5;
  EXPECT_NE(read(text, other).rows_in_file, lists.rows_in_file);
  other.list_size = 100;
  EXPECT_THAT(read(text, other).offsets, ElementsAre(0, 23));
}

TEST_F(ReadTable, ListsByAFileOfLengths) {
  attn::test::put(folder_ / "lengths", "2\n1\n");
  const ListOptions o{.lengths = folder_ / "lengths"};
  const RankLists lists = read("f,g\n1,2\n3,4\n5,6\n", o);
  EXPECT_THAT(lists.offsets, ElementsAre(0, 2, 3));
  EXPECT_THAT(lists.list_ids, ElementsAre("1", "2"));
}

TEST_F(ReadTable, FilesWithoutRows) {
  EXPECT_THAT(refusal("", kAll), HasSubstr("x.csv: expected a table with a header line"));
  EXPECT_THAT(refusal("q,f,y,p\n", kAll), HasSubstr("x.csv: expected rows, found none"));
  EXPECT_THAT(refusal("q,f,q\n1,2,3\n", kAll), HasSubstr("columns 1 and 3 are both named 'q'"));
  EXPECT_THAT(refusal("q;f\n1;2\n", {.list = "q"}), HasSubstr("separated by semicolons"));
}

TEST_F(ReadTable, FormatsByName) {
  EXPECT_EQ(parse_list_format("auto"), ListFormat::detect);
  EXPECT_EQ(parse_list_format("table"), ListFormat::table);
  EXPECT_EQ(parse_list_format("svmrank"), ListFormat::svmrank);
  EXPECT_EQ(parse_list_format("libsvm"), ListFormat::libsvm);
  EXPECT_THAT(attn::test::sentence_of([] { parse_list_format("svmrnk"); }),
              HasSubstr("found 'svmrnk'; did you mean 'svmrank'?"));
}

}  // namespace
}  // namespace finance::test
