#include "libattn/io/table.h"

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/util/compression.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "libattn/io/text.h"
#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

namespace fs = std::filesystem;
using test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;

class TableTest : public testing::Test {
 protected:
  Table table(const std::string& text, const std::string& name = "labels.csv") {
    test::put(folder_ / name, text);
    return Table::read(folder_ / name);
  }
  std::string refusal(const std::string& text, const std::string& name = "labels.csv") {
    return sentence_of([&] { table(text, name); });
  }
  test::TempFolder folder_;
};

TEST_F(TableTest, ReadsColumnsAsAskedFor) {
  const Table t =
      table("id,label,mpp,note\n007,1,0.25,\"a, \"\"b\"\"\"\n1e5,-2, +3e-1 ,\n,17,.5,x y\n");
  EXPECT_THAT(t.columns(), ElementsAre("id", "label", "mpp", "note"));
  EXPECT_EQ(t.rows(), 3);
  EXPECT_THAT(t.strings("id"), ElementsAre("007", "1e5", ""));
  EXPECT_THAT(t.integers("label"), ElementsAre(1, -2, 17));
  EXPECT_THAT(t.doubles("mpp"), ElementsAre(0.25, 0.3, 0.5));
  EXPECT_THAT(t.strings("note"), ElementsAre("a, \"b\"", "", "x y"));
  EXPECT_TRUE(t.has("mpp"));
  EXPECT_FALSE(t.has("MPP"));
  const std::vector<std::string> two = {"mpp", "label"};
  EXPECT_THAT(t.matrix(two), ElementsAre(0.25F, 1.0F, 0.3F, -2.0F, 0.5F, 17.0F));
}

TEST_F(TableTest, ErrorsNameRowAndColumn) {
  const Table t = table("bag,label\na,1\nb,abc\n");
  EXPECT_THAT(sentence_of([&] { t.integers("label"); }),
              HasSubstr("labels.csv: row 3, column label: expected a whole number, found 'abc'"));
  EXPECT_THAT(sentence_of([&] { t.doubles("label"); }),
              HasSubstr("labels.csv: row 3, column label: expected a number, found 'abc'"));
  EXPECT_THAT(sentence_of([&] { t.strings("lable"); }),
              HasSubstr("there is no column 'lable' (found: bag, label); did you mean 'label'?"));
  EXPECT_THAT(t.locate(0, "bag"), HasSubstr("labels.csv: row 2, column bag"));
  EXPECT_THAT(t.locate(1), HasSubstr("labels.csv: row 3"));
}

TEST_F(TableTest, RowsAreTheLinesAnEditorShows) {
  const Table t = table("\n\na,b\n\n\"two\nlines\",1\n\n\n3,x\r\n4,y");
  EXPECT_EQ(t.rows(), 3);
  EXPECT_THAT(t.strings("a"), ElementsAre("two\nlines", "3", "4"));
  EXPECT_THAT(t.locate(0), HasSubstr("row 5"));
  EXPECT_THAT(t.locate(1), HasSubstr("row 9"));
  EXPECT_THAT(t.locate(2), HasSubstr("row 10"));
  EXPECT_THAT(sentence_of([&] { t.doubles("b"); }),
              HasSubstr("row 9, column b: expected a number, found 'x'"));
}

TEST_F(TableTest, NumbersThatAreNone) {
  const auto number = [&](const std::string& field, NumberRule rule = {}) {
    return table("x,y\n" + field + ",\n").doubles("x", rule)[0];
  };
  for (const char* field :
       {"", "abc", "1,5x", "0x10", "1e999", "nan", "inf", "1 2", "--1", "1e", "+-1", "NA", "1.2.3"})
    EXPECT_THAT(sentence_of([&] { number("\"" + std::string(field) + "\""); }),
                HasSubstr("expected a number"))
        << field;
  EXPECT_EQ(number("1e-400"), 0.0);
  EXPECT_EQ(number("-5E+3"), -5000.0);
  for (const char* field : {"", "NA", "nan", "None", "null"})
    EXPECT_TRUE(std::isnan(number(field, {.allow_missing = true}))) << field;
  EXPECT_EQ(number("-inf", {.allow_nonfinite = true}), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(number("NaN", {.allow_nonfinite = true})));
  EXPECT_THAT(sentence_of([&] { number("", {.allow_nonfinite = true}); }),
              HasSubstr("expected a number, found ''"));
  const auto whole = [&](const std::string& field) {
    return table("x,y\n" + field + ",\n").integers("x")[0];
  };
  EXPECT_EQ(whole("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(whole("3.0"), 3);
  EXPECT_EQ(whole("+4"), 4);
  for (const char* field : {"3.5", "", "9223372036854775808", "1e300", "true"})
    EXPECT_THAT(sentence_of([&] { whole(field); }), HasSubstr("whole number")) << field;
  const Table large = table("x\n1e300\n");
  EXPECT_THAT(sentence_of([&] { large.matrix(std::vector<std::string>{"x"}); }),
              HasSubstr("too large for single precision"));
}

TEST_F(TableTest, DialectsOfText) {
  EXPECT_THAT(table("\xEF\xBB\xBF"
                    "a,b\r\n1,2\r\n")
                  .columns(),
              ElementsAre("a", "b"));
  EXPECT_THAT(table("a\tb\n1,5\t2\n", "x.tsv").strings("a"), ElementsAre("1,5"));
  EXPECT_THAT(table("a,b\r1,2\r").integers("b"), ElementsAre(2));
  EXPECT_THAT(table("a,b\n1,2").integers("b"), ElementsAre(2));
  EXPECT_THAT(table("\"a\"\"x\",b\n1,2\n").columns(), ElementsAre("a\"x", "b"));
  EXPECT_THAT(table(",train,val\n0,a,b\n").columns(), ElementsAre("unnamed 1", "train", "val"));
  EXPECT_EQ(table("a,b\n").rows(), 0);
  EXPECT_TRUE(table("a,b\n").doubles("b").empty());
  EXPECT_EQ(table("only\n1\n\n2\n").rows(), 2);
  EXPECT_THAT(table("\xc3\xa9t\xc3\xa9\n\xe2\x82\xac\n").strings("\xc3\xa9t\xc3\xa9"),
              ElementsAre("\xe2\x82\xac"));
}

TEST_F(TableTest, RefusesInOneSentence) {
  EXPECT_THAT(refusal(""),
              HasSubstr("labels.csv: expected a table with a header line, found an empty file"));
  EXPECT_THAT(refusal("\n\n"), HasSubstr("blank lines only"));
  EXPECT_THAT(refusal("\xEF\xBB\xBF"), HasSubstr("an empty file"));
  EXPECT_THAT(refusal("a,b,a\n1,2,3\n"), HasSubstr("columns 1 and 3 are both named 'a'"));
  EXPECT_THAT(refusal("a,b\n1,2\n1,2,3\n"),
              HasSubstr("row 3: expected 2 fields as in the header, found 3 in '1,2,3'"));
  EXPECT_THAT(refusal("a,b\n\n1\n"),
              HasSubstr("row 3: expected 2 fields as in the header, found 1 in '1'"));
  EXPECT_THAT(refusal("a,b\n1,\"x\n2,y\n"),
              HasSubstr("row 2: a quoted field that begins in this row is never closed"));
  EXPECT_THAT(refusal("\"a,b\n"), HasSubstr("row 1: a quoted field in the header is never closed"));
  EXPECT_THAT(refusal("a,b\n1,\xe9\n"), HasSubstr("row 2: expected text in UTF-8, found '\\xe9"));
  EXPECT_THAT(refusal(std::string("a,b\n1,2\n\0,3\n", 12)),
              HasSubstr("row 3: expected text, found a NUL byte"));
  EXPECT_THAT(refusal("a;b\n1;2\n"),
              HasSubstr("separated by semicolons, expected commas; save it with commas"));
  EXPECT_THAT(refusal("a\tb\n1\t2\n"),
              HasSubstr("separated by tabs, expected commas; name it .tsv"));
  EXPECT_THAT(refusal("a,b\n1,2\n", "x.tsv"),
              HasSubstr("separated by commas, expected tabs; name it .csv"));
  EXPECT_THAT(refusal(std::string("\xff\xfe"
                                  "a\0,\0b\0",
                                  8)),
              HasSubstr("found UTF-16"));
  EXPECT_THAT(refusal("PK\x03\x04 xlsx"), HasSubstr("found a ZIP archive (as .xlsx"));
  EXPECT_THAT(refusal("\x89HDF\r\n\x1a\n"), HasSubstr("found an HDF5 file"));
  EXPECT_THAT(refusal(std::string(100, '\0')), HasSubstr("found a file of zero bytes"));
  EXPECT_THAT(sentence_of([&] { Table::read(folder_ / "none.csv"); }),
              HasSubstr("none.csv: No such file or directory"));
  EXPECT_THAT(sentence_of([&] { Table::read(folder_.path()); }), HasSubstr("Is a directory"));
}

TEST_F(TableTest, CsvRoundTrip) {
  std::mt19937_64 random(10);
  const std::string letters = "ab ,\"\n\r\t'\xc3\xa9";
  std::vector<std::vector<Cell>> rows;
  std::vector<std::string> texts;
  std::vector<double> numbers;
  for (int i = 0; i < 500; ++i) {
    std::string text;
    for (std::size_t k = random() % 6; k > 0; --k) {
      const std::size_t at = random() % 10;
      text += at == 9 ? "\xc3\xa9" : std::string(1, letters[at]);
    }
    const double number = std::bit_cast<double>(random());
    texts.push_back(text);
    numbers.push_back(std::isfinite(number) ? number : 0.0);
    rows.push_back({text, numbers.back(), static_cast<int64_t>(random())});
  }
  write_csv(folder_ / "r.csv", {"text, with comma", "number", "whole"}, rows);
  const Table t = Table::read(folder_ / "r.csv");
  EXPECT_EQ(t.strings("text, with comma"), texts);
  EXPECT_EQ(t.doubles("number"), numbers);
  for (std::size_t i = 0; i < rows.size(); ++i)
    EXPECT_EQ(t.integers("whole")[i], std::get<int64_t>(rows[i][2]));
}

/// Gzip through Arrow's codec, as `gzip` would.
std::string zipped(const std::string& text) {
  auto codec = arrow::util::Codec::Create(arrow::Compression::GZIP).ValueOrDie();
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int64_t>(text.size());
  std::string packed(static_cast<std::size_t>(codec->MaxCompressedLen(size, bytes)), '\0');
  packed.resize(
      static_cast<std::size_t>(codec
                                   ->Compress(size, bytes, static_cast<int64_t>(packed.size()),
                                              reinterpret_cast<uint8_t*>(packed.data()))
                                   .ValueOrDie()));
  return packed;
}

TEST_F(TableTest, GzipIsUnpacked) {
  std::string text = "a,b\n";
  for (int i = 0; i < 300'000; ++i) text += std::to_string(i) + ",x\n";
  const std::string packed = zipped(text);
  EXPECT_EQ(table(packed, "x.csv.gz").integers("a").back(), 299'999);
  EXPECT_THAT(table(zipped("a\tb\n1\t2\n"), "x.tsv.gz").integers("b"), ElementsAre(2));
  EXPECT_EQ(table(packed + zipped("300000,x\n"), "x.csv.gz").rows(), 300'001)
      << "members one after another";
  EXPECT_THAT(refusal(packed.substr(0, packed.size() / 2), "x.csv.gz"),
              HasSubstr("x.csv.gz: the gzip archive is damaged or truncated"));
  std::string broken = packed;
  broken[packed.size() / 2] ^= 0x40;
  EXPECT_THAT(refusal(broken, "x.csv.gz"), HasSubstr("damaged or truncated"));
}

std::string parquet_bytes() {
  arrow::Int64Builder ids;
  arrow::StringBuilder names;
  arrow::FloatBuilder mpps;
  arrow::BooleanBuilder flags;
  arrow::StringDictionaryBuilder kinds;
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(ids.Append(i).ok() && names.Append("slide " + std::to_string(i)).ok() &&
                flags.Append(i % 2 == 0).ok() && kinds.Append(i % 3 == 0 ? "x" : "y").ok());
    EXPECT_TRUE((i == 7 ? mpps.AppendNull() : mpps.Append(0.25F * static_cast<float>(i))).ok());
  }
  const std::shared_ptr<arrow::Array> kind = kinds.Finish().ValueOrDie();
  const auto schema =
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8()),
                     arrow::field("mpp", arrow::float32()), arrow::field("flag", arrow::boolean()),
                     arrow::field("kind", kind->type())});
  const auto table =
      arrow::Table::Make(schema, {ids.Finish().ValueOrDie(), names.Finish().ValueOrDie(),
                                  mpps.Finish().ValueOrDie(), flags.Finish().ValueOrDie(), kind});
  auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, 50).ok());
  return sink->Finish().ValueOrDie()->ToString();
}

TEST_F(TableTest, Parquet) {
  const Table t = table(parquet_bytes(), "x.parquet");
  EXPECT_THAT(t.columns(), ElementsAre("id", "name", "mpp", "flag", "kind"));
  EXPECT_EQ(t.rows(), 200);
  EXPECT_EQ(t.integers("id")[199], 199);
  EXPECT_EQ(t.doubles("id")[199], 199.0);
  EXPECT_EQ(t.strings("id")[199], "199");
  EXPECT_EQ(t.strings("name")[60], "slide 60");
  EXPECT_EQ(t.strings("kind")[3], "x");
  EXPECT_EQ(t.strings("mpp")[3], "0.75");
  EXPECT_EQ(t.integers("flag")[0], 1);
  EXPECT_THAT(sentence_of([&] { t.doubles("mpp"); }),
              HasSubstr("x.parquet: row 8, column mpp: expected a number, found nothing"));
  EXPECT_TRUE(std::isnan(t.doubles("mpp", {.allow_missing = true})[7]));
  EXPECT_THAT(sentence_of([&] { t.doubles("name"); }),
              HasSubstr("row 1, column name: expected a number, found 'slide 0'"));
  EXPECT_THAT(sentence_of([&] { t.integers("mpp"); }),
              HasSubstr("row 2, column mpp: expected a whole number, found 0.25"));
}

TEST_F(TableTest, WideAndLongTablesAreFast) {
  // 100 MB in 60 columns; the limits leave room for sanitizers and a busy machine.
  std::string text;
  text.reserve(110'000'000);
  for (int j = 0; j < 60; ++j) text += (j == 0 ? "f" : ",f") + std::to_string(j);
  text += '\n';
  std::mt19937_64 random(11);
  std::string row;
  while (text.size() < 100'000'000) {
    row.clear();
    for (int j = 0; j < 60; ++j)
      row +=
          (j == 0 ? "" : ",") + number_text(static_cast<double>(random() % 1'000'000'000) * 1e-7);
    row += '\n';
    for (int copy = 0; copy < 50 && text.size() < 100'000'000; ++copy) text += row;
  }
  test::put(folder_ / "large.csv", text);
  const auto begin = std::chrono::steady_clock::now();
  const Table t = Table::read(folder_ / "large.csv");
  const std::chrono::duration<double> reading = std::chrono::steady_clock::now() - begin;
  const std::vector<float> values = t.matrix(t.columns());
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
  RecordProperty("read_seconds", std::to_string(reading.count()));
  RecordProperty("all_seconds", std::to_string(all.count()));
  EXPECT_EQ(values.size(), static_cast<std::size_t>(t.rows()) * 60);
  EXPECT_LT(all.count(), 60.0);
}

TEST(TableShared, Musk1) {
  const fs::path path = test::shared_data("pathology/mil/musk1.csv");
  ATTN_NEED_SHARED_DATA(path);
  const Table t = Table::read(path);
  EXPECT_EQ(t.rows(),
            476);  // 476 conformations of 92 molecules, 166 features (Dietterich et al. 1997)
  EXPECT_EQ(t.columns().size(), 168U);
  const std::vector<int64_t> bags = t.integers("bag");
  EXPECT_EQ(std::set<int64_t>(bags.begin(), bags.end()).size(), 92U);
  const std::vector<std::string> features(t.columns().begin() + 2, t.columns().end());
  const std::vector<double> values = t.matrix_double(features);
  EXPECT_EQ(values.size(), 476U * 166U);
  const Table process =
      Table::read(test::shared_data("pathology/interop/clam_process_list_autogen.csv"));
  EXPECT_TRUE(process.has("slide_id"));
}

}  // namespace
}  // namespace attn::io
