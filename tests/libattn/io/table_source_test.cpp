#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/util/compression.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): posix_openpt is POSIX

#include "libattn/io/table.h"
#include "libattn/io/table_write.h"
#include "tests/libattn/io/piped_input.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

using test::PipedInput;
using test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;

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

std::string large_text() {
  std::string text = "a,b\n";
  for (int i = 0; i < 60'000; ++i) text += std::to_string(i) + ",x\n";
  return text;
}

TEST(TableSource, StandardInputIsReadToItsEnd) {
  const PipedInput input(large_text());
  const Table t = Table::read("-");
  EXPECT_EQ(t.rows(), 60'000);
  EXPECT_EQ(t.integers("a").back(), 59'999);
  EXPECT_EQ(t.path(), "-");
  EXPECT_EQ(t.name(), "standard input");
  EXPECT_EQ(t.locate(3, "a"), "standard input: row 5, column a");
}

TEST(TableSource, StandardInputIsToldByItsFirstBytes) {
  const std::vector<Column> columns = {{"a", std::vector<int64_t>{4, 5}},
                                       {"b", std::vector<std::string>{"x", "y"}}};
  for (const std::string& bytes : {zipped(large_text()), parquet_of(columns),
                                   zipped(parquet_of(columns)), std::string("a\tb\n5\tx,y\n")}) {
    const PipedInput input(bytes);
    const Table t = Table::read("-");
    EXPECT_THAT(t.columns(), ElementsAre("a", "b"));
    EXPECT_GE(t.integers("a").back(), 5);
  }
}

TEST(TableSource, StandardInputIsRefusedInASentence) {
  const auto refusal = [](const std::string& bytes) {
    const PipedInput input(bytes);
    return sentence_of([] { Table::read("-").doubles("a"); });
  };
  EXPECT_EQ(refusal(""),
            "standard input: expected a table with a header line, found an empty file");
  EXPECT_THAT(refusal("a,b\n1,2\nx,2\n"),
              HasSubstr("standard input: row 3, column a: expected a number, found 'x'"));
  EXPECT_THAT(refusal("b\n1\n"), HasSubstr("standard input: there is no column 'a' (found: b)"));
  EXPECT_THAT(refusal("b,b\n1,2\n"), HasSubstr("standard input: columns 1 and 2 are both named"));
  const std::string packed = zipped(large_text());
  EXPECT_THAT(refusal(packed.substr(0, packed.size() / 2)),
              HasSubstr("standard input: the gzip archive is damaged or truncated"));
  EXPECT_THAT(refusal("PAR1 and no more"),
              HasSubstr("standard input: the Parquet file is damaged"));
  EXPECT_THAT(refusal(std::string(50, '\0')), HasSubstr("found a file of zero bytes"));
}

TEST(TableSource, ATerminalIsNoTable) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0) GTEST_SKIP() << "this machine gives no pseudo-terminal";
  const int saved = ::dup(STDIN_FILENO);
  ::dup2(terminal, STDIN_FILENO);
  const bool is_terminal = ::isatty(STDIN_FILENO) == 1;
  const std::string sentence =
      is_terminal ? sentence_of([] { Table::read("-"); }) : "found a terminal";
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
  ::close(terminal);
  EXPECT_THAT(sentence, HasSubstr("found a terminal"));
}

TEST(TableSource, GzippedParquetIsRead) {
  const test::TempFolder folder;
  const std::vector<Column> columns = {{"a", std::vector<int64_t>{4, 5}}};
  test::put(folder / "x.parquet.gz", zipped(parquet_of(columns)));
  EXPECT_THAT(Table::read(folder / "x.parquet.gz").integers("a"), ElementsAre(4, 5));
}

/// A Parquet file with one column `t` of `type`, made of whole numbers and one null.
std::string parquet_of_type(const std::shared_ptr<arrow::DataType>& type,
                            const std::vector<int64_t>& values) {
  std::shared_ptr<arrow::Array> array;
  if (type->id() == arrow::Type::DATE32) {
    arrow::Date32Builder builder;
    for (const int64_t v : values) EXPECT_TRUE(builder.Append(static_cast<int32_t>(v)).ok());
    EXPECT_TRUE(builder.AppendNull().ok());
    array = builder.Finish().ValueOrDie();
  } else {
    arrow::TimestampBuilder builder(type, arrow::default_memory_pool());
    for (const int64_t v : values) EXPECT_TRUE(builder.Append(v).ok());
    EXPECT_TRUE(builder.AppendNull().ok());
    array = builder.Finish().ValueOrDie();
  }
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("t", type)}), {array});
  auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto keep = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, 50,
                                         parquet::default_writer_properties(), keep)
                  .ok());
  return sink->Finish().ValueOrDie()->ToString();
}

TEST(TableSource, ParquetDatesAndTimesAreIsoText) {
  const test::TempFolder folder;
  const auto texts = [&](const std::shared_ptr<arrow::DataType>& type,
                         const std::vector<int64_t>& values) {
    test::put(folder / "x.parquet", parquet_of_type(type, values));
    return Table::read(folder / "x.parquet").strings("t");
  };
  using arrow::TimeUnit;
  EXPECT_THAT(texts(arrow::date32(), {0, 16983, -1}),
              ElementsAre("1970-01-01", "2016-07-01", "1969-12-31", ""));
  EXPECT_THAT(texts(arrow::timestamp(TimeUnit::MILLI), {1467378000000, -1000}),
              ElementsAre("2016-07-01 13:00:00.000", "1969-12-31 23:59:59.000", ""));
  EXPECT_THAT(texts(arrow::timestamp(TimeUnit::MICRO), {1467378000000000}),
              ElementsAre("2016-07-01 13:00:00.000000", ""));
  EXPECT_THAT(texts(arrow::timestamp(TimeUnit::NANO), {1467378000000000000}),
              ElementsAre("2016-07-01 13:00:00.000000000", ""));
  EXPECT_THAT(texts(arrow::timestamp(TimeUnit::MILLI, "Europe/Berlin"), {1467378000000}),
              ElementsAre("2016-07-01 13:00:00.000Z", ""));
}

}  // namespace
}  // namespace attn::io
