#include "libattn/io/table_stream.h"

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/util/compression.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <parquet/arrow/writer.h>

#include <fstream>
#include <random>

#include "libattn/io/table_write.h"
#include "tests/libattn/io/piped_input.h"
#include "tests/support/damage.h"
#include "tests/support/memory.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

using test::sentence_of;
using testing::HasSubstr;

constexpr std::size_t kNoLimit = std::size_t{1} << 40;

/// All cells and the line of each row, through Table::read or piece by piece.
struct Cells {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> values;  ///< by column
  std::vector<int64_t> lines;
  int64_t pieces = 0;

  void add(const Table& rows) {
    columns = rows.columns();
    values.resize(columns.size());
    for (std::size_t j = 0; j < columns.size(); ++j)
      for (std::string& cell : rows.strings(columns[j])) values[j].push_back(std::move(cell));
    for (int64_t i = 0; i < rows.rows(); ++i) lines.push_back(rows.line(i));
    ++pieces;
  }
};

Cells whole(const std::filesystem::path& path) {
  Cells cells;
  cells.add(Table::read(path));
  return cells;
}

Cells in_pieces(const std::filesystem::path& path, std::size_t piece) {
  TableStream stream(path, piece);
  Cells cells;
  cells.columns = stream.columns();
  cells.values.resize(cells.columns.size());
  while (const std::optional<Table> rows = stream.next()) {
    EXPECT_EQ(rows->columns(), stream.columns());
    EXPECT_GT(rows->rows(), 0);
    cells.add(*rows);
  }
  EXPECT_FALSE(stream.next());
  return cells;
}

void expect_same(const Cells& a, const Cells& b) {
  EXPECT_EQ(a.columns, b.columns);
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.lines, b.lines);
}

/// Quotes, line breaks in fields, blank lines, characters of several bytes, all kinds of line ends.
std::string odd_text(int rows, const std::string& line_end) {
  std::string text = "\xEF\xBB\xBFid,text,\"n\"\"1\"" + line_end;
  std::mt19937_64 random(30);
  const std::vector<std::string> texts = {
      "plain", "\"a, b\"", "\"two" + line_end + line_end + "lines\"",     "\"say \"\"no\"\"\"",
      "",      "\"\"",     "\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9\xc3\xa9"};
  for (int i = 0; i < rows; ++i) {
    text += std::to_string(i) + "," + texts[random() % texts.size()] + "," +
            std::to_string(random() % 1000) + line_end;
    if (random() % 5 == 0) text += line_end;
  }
  return text;
}

TEST(TableStream, PiecesHoldWhatTheTableHolds) {
  const test::TempFolder folder;
  for (const std::string line_end : {"\n", "\r\n", "\r"}) {
    for (const bool ends : {true, false}) {
      std::string text = odd_text(300, line_end);
      if (!ends) text.erase(text.find_last_not_of("\r\n") + 1);
      test::put(folder / "x.csv", text);
      const Cells all = whole(folder / "x.csv");
      EXPECT_EQ(all.lines.size(), 300U);
      for (const std::size_t piece : {1, 2, 7, 64, 500, 4096}) {
        const Cells parts = in_pieces(folder / "x.csv", piece);
        expect_same(parts, all);
        EXPECT_GT(parts.pieces, piece < 100 ? 50 : 1);
      }
      expect_same(in_pieces(folder / "x.csv", kNoLimit / (std::size_t{1} << 20)), all);
    }
  }
}

TEST(TableStream, GzipAndPipesAndTabs) {
  const test::TempFolder folder;
  std::vector<std::string> names(40'000);
  std::vector<int64_t> numbers(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = "name, " + std::to_string(i);
    numbers[i] = static_cast<int64_t>(i);
  }
  const std::vector<Column> columns = {{"name", names}, {"n", numbers}};
  write_table(folder / "x.csv", columns);
  write_table(folder / "x.csv.gz", columns);
  const Cells all = whole(folder / "x.csv");
  const Cells packed = in_pieces(folder / "x.csv.gz", 10'000);
  expect_same(packed, all);
  EXPECT_GT(packed.pieces, 50);
  for (const char* name : {"x.csv", "x.csv.gz"}) {
    const test::PipedInput input(test::slurp(folder / name));
    expect_same(in_pieces("-", 10'000), all);
  }
  const test::PipedInput input("a\tb\n1,5\t2\n");
  EXPECT_EQ(in_pieces("-", 1).values[0], std::vector<std::string>{"1,5"});
}

TEST(TableStream, ParquetByRowGroups) {
  const test::TempFolder folder;
  arrow::Int64Builder ids;
  arrow::StringBuilder texts;
  for (int i = 0; i < 10'000; ++i)
    ASSERT_TRUE(ids.Append(i).ok() &&
                (i % 3 == 0 ? texts.AppendNull() : texts.Append(std::to_string(i * 7))).ok());
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("text", arrow::utf8())}),
      {ids.Finish().ValueOrDie(), texts.Finish().ValueOrDie()});
  for (const int64_t group : {1'000, 100'000}) {
    auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, group).ok());
    test::put(folder / "x.parquet", sink->Finish().ValueOrDie()->ToString());
    const Cells all = whole(folder / "x.parquet");
    for (const std::size_t piece : {1'000, 30'000, 10'000'000}) {
      const Cells parts = in_pieces(folder / "x.parquet", piece);
      expect_same(parts, all);
      EXPECT_GE(parts.pieces,
                std::max<int64_t>(10'000 / group, 160'000 / static_cast<int64_t>(piece)));
    }
    const test::PipedInput input(test::slurp(folder / "x.parquet"));
    expect_same(in_pieces("-", 1'000), all);
  }
}

/// The sentence of reading all pieces and of reading the whole, which must be one; without the
/// folder.
std::string refusal(const std::string& bytes, const std::string& name, std::size_t piece,
                    bool same = true) {
  const test::TempFolder folder;
  test::put(folder / name, bytes);
  std::string pieces = sentence_of([&] { in_pieces(folder / name, piece); });
  if (same) {
    EXPECT_EQ(pieces, sentence_of([&] { whole(folder / name); }));
  }
  return pieces;
}

std::string rows_text(int rows) {
  std::string text = "a,b\n";
  for (int i = 0; i < rows; ++i) text += std::to_string(i) + ",\"x\n\"\n";
  return text;
}

TEST(TableStream, ErrorsNameTheLineInALaterPiece) {
  const std::string good = rows_text(100);  // ends on line 201
  EXPECT_THAT(refusal(good + "1,2,3\n", "x.csv", 400),
              HasSubstr("x.csv: row 202: expected 2 fields as in the header, found 3 in '1,2,3'"));
  EXPECT_THAT(refusal(good + "\n1,\"open\n" + good, "x.csv", 400, false), HasSubstr("x.csv: row "));
  EXPECT_THAT(refusal(good + "\n1,\"open\n5,6\n", "x.csv", 400),
              HasSubstr("row 203: a quoted field that begins in this row is never closed"));
  EXPECT_THAT(refusal(good + "1,\xe9, and more\n" + good, "x.csv", 400),
              HasSubstr("row 202: expected text in UTF-8, found '\\xe9"));
  EXPECT_THAT(refusal(good + "1," + std::string(1, '\0') + "\n" + good, "x.csv", 400),
              HasSubstr("row 202: expected text, found a NUL byte"));

  const test::TempFolder folder;
  test::put(folder / "x.csv", good + "1,abc\n");
  TableStream stream(folder / "x.csv", 200);
  int pieces = 0;
  std::string found;
  while (const std::optional<Table> rows = stream.next()) {
    ++pieces;
    if (rows->strings("b").back() == "abc")
      found = sentence_of([&] { rows->first_strings("b", 1), rows->doubles("b"); }) +
              rows->locate(rows->rows() - 1, "b");
  }
  EXPECT_GT(pieces, 2);
  EXPECT_THAT(found, HasSubstr("x.csv: row 202, column b"));
}

TEST(TableStream, HeadersAndFilesThatAreNoTable) {
  EXPECT_THAT(refusal("", "x.csv", 1), HasSubstr("found an empty file"));
  EXPECT_THAT(refusal("\n\n\n", "x.csv", 1), HasSubstr("blank lines only"));
  EXPECT_THAT(refusal("a,b,a\n1,2,3\n", "x.csv", 1), HasSubstr("both named 'a'"));
  EXPECT_THAT(refusal("\"a,b\n", "x.csv", 1), HasSubstr("in the header is never closed"));
  EXPECT_THAT(refusal("a;b\n1;2\n", "x.csv", 1), HasSubstr("separated by semicolons"));
  EXPECT_THAT(refusal(std::string(70'000, '\0'), "x.csv", 1), HasSubstr("a file of zero bytes"));
  const test::TempFolder folder;
  EXPECT_THAT(sentence_of([&] { TableStream(folder / "none.csv"); }),
              HasSubstr("none.csv: No such file or directory"));
  EXPECT_THAT(sentence_of([&] { TableStream(folder.path()); }), HasSubstr("Is a directory"));
  test::put(folder / "x.csv", "a,b\n");
  TableStream header(folder / "x.csv");
  EXPECT_EQ(header.columns(), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(header.next());
  EXPECT_THAT(sentence_of([&] { header.require("bb"); }),
              HasSubstr("there is no column 'bb' (found: a, b); did you mean 'b'?"));
}

TEST(TableStream, DamagedFilesAreRefused) {
  const test::TempFolder folder;
  const std::vector<Column> columns = {{"a", std::vector<double>(20'000, 0.5)},
                                       {"b", std::vector<std::string>(20'000, "text")}};
  for (const char* name : {"x.csv.gz", "x.parquet"}) {
    write_table(folder / name, columns);
    const std::string good = test::slurp(folder / name);
    for (const auto& [what, bytes] : test::broken_versions(good)) {
      test::put(folder / name, bytes);
      EXPECT_FALSE(test::reads_or_explains([&] { in_pieces(folder / name, 1'000); }, what))
          << name << " " << what;
    }
    std::mt19937_64 random(31);
    for (int i = 0; i < 100; ++i) {
      test::put(folder / name, test::with_flipped_bits(good, random, 1 + i % 8));
      test::reads_or_explains([&] { in_pieces(folder / name, 4'000); }, name);
    }
  }
  const std::string letters = "a1,.\"\n\r\t;- \xc3\xa9";
  std::mt19937_64 random(32);
  for (int i = 0; i < 2'000; ++i) {
    std::string text;
    for (std::size_t k = random() % 60; k > 0; --k) text += letters[random() % letters.size()];
    test::put(folder / "x.csv", text);
    std::optional<Cells> all;
    test::reads_or_explains([&] { all = whole(folder / "x.csv"); }, text);
    const bool read = test::reads_or_explains(
        [&] {
          const Cells parts = in_pieces(folder / "x.csv", 1 + random() % 30);
          if (all) expect_same(parts, *all);
        },
        text);
    EXPECT_EQ(read, all.has_value()) << text;
  }
}

/// The largest of what is resident at the pieces, in MB: the peak is that of other tests.
double resident_at_pieces(const std::filesystem::path& path, int64_t expected) {
  TableStream stream(path, std::size_t{1} << 20);
  ::malloc_trim(0);
  int64_t rows = 0;
  double resident = 0;
  while (const std::optional<Table> piece = stream.next()) {
    rows += piece->rows();
    resident = std::max(resident, test::status_mb("VmRSS"));
  }
  EXPECT_EQ(rows, expected);
  return resident;
}

TEST(TableStream, MemoryDoesNotGrowWithTheFile) {
  const test::TempFolder folder;
  std::string block;
  for (int i = 0; i < 20'000; ++i) block += std::to_string(i) + ",0.123456789,some text\n";
  const auto make = [&](int copies) {
    std::ofstream file(folder / "x.csv", std::ios::binary);
    file << "a,b,c\n";
    for (int i = 0; i < copies; ++i) file << block;
    return folder / "x.csv";
  };
  const double small = resident_at_pieces(make(10), 200'000);
  const double large = resident_at_pieces(make(200), 4'000'000);
#if !defined(__SANITIZE_ADDRESS__)  // which keeps what is freed
  EXPECT_LT(large - small, 30) << "of " << small << " MB; the file has 112 MB";
#endif
  RecordProperty("resident_mb", std::to_string(small) + ", " + std::to_string(large));
}

}  // namespace
}  // namespace attn::io
