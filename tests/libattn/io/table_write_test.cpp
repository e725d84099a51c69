#include "libattn/io/table_write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include "libattn/io/table.h"
#include "tests/support/damage.h"
#include "tests/support/small_disk.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

using test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<Column> few_columns() {
  return {{"id, quoted", std::vector<std::string>{"H1", "a \"b\"", ""}},
          {"stamp", Timestamps{{1467378000, -1, 253402300799}}},
          {"value", std::vector<double>{0.1, kNaN, -std::numeric_limits<double>::infinity()}},
          {"count", std::vector<int64_t>{7, -8, std::numeric_limits<int64_t>::max()}}};
}

TEST(TableWrite, Csv) {
  EXPECT_EQ(csv_of(few_columns()),
            "\"id, quoted\",stamp,value,count\n"
            "H1,2016-07-01 13:00:00,0.1,7\n"
            "\"a \"\"b\"\"\",1969-12-31 23:59:59,,-8\n"
            ",9999-12-31 23:59:59,-inf,9223372036854775807\n");
  EXPECT_EQ(csv_of(std::vector<Column>{{"x", std::vector<double>{kNaN, 1}}}), "x\n\"\"\n1\n");
  EXPECT_EQ(csv_of(std::vector<Column>{{"x", std::vector<double>{}}}), "x\n");
}

TEST(TableWrite, ParquetKeepsTypes) {
  const test::TempFolder folder;
  write_table(folder / "x.parquet", few_columns());
  const Table t = Table::read(folder / "x.parquet");
  EXPECT_THAT(t.columns(), ElementsAre("id, quoted", "stamp", "value", "count"));
  EXPECT_THAT(t.strings("id, quoted"), ElementsAre("H1", "a \"b\"", ""));
  EXPECT_THAT(t.strings("stamp"), ElementsAre("2016-07-01 13:00:00.000", "1969-12-31 23:59:59.000",
                                              "9999-12-31 23:59:59.000"));
  EXPECT_THAT(t.strings("value"), ElementsAre("0.1", "", "-inf"));
  EXPECT_THAT(t.integers("count"), ElementsAre(7, -8, std::numeric_limits<int64_t>::max()));
  EXPECT_THAT(test::listing(folder.path()), ElementsAre("x.parquet"));
}

TEST(TableWrite, RoundTripOfRandomColumns) {
  const test::TempFolder folder;
  std::mt19937_64 random(20);
  for (const std::size_t rows : {0, 1, 2, 997, 20'000}) {
    std::vector<double> reals(rows);
    std::vector<int64_t> wholes(rows);
    std::vector<std::string> texts(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      reals[i] = std::bit_cast<double>(random());
      if (!std::isfinite(reals[i])) reals[i] = kNaN;
      wholes[i] = static_cast<int64_t>(random());
      texts[i] = std::to_string(random() % 1000) + (i % 7 == 0 ? ",\"\n" : "");
    }
    const std::vector<Column> columns = {{"r", reals}, {"w", wholes}, {"t", texts}};
    for (const char* name : {"x.csv", "x.csv.gz", "x.parquet", "y.PQ"}) {
      write_table(folder / name, columns);
      const Table t = Table::read(folder / name);
      EXPECT_EQ(t.strings("t"), texts) << name;
      EXPECT_EQ(t.integers("w"), wholes) << name;
      const std::vector<double> back = t.doubles("r", {.allow_missing = true});
      ASSERT_EQ(back.size(), rows);
      for (std::size_t i = 0; i < rows; ++i)
        EXPECT_TRUE(back[i] == reals[i] || (std::isnan(back[i]) && std::isnan(reals[i]))) << name;
    }
  }
}

TEST(TableWrite, Refusals) {
  const test::TempFolder folder;
  const std::vector<Column> columns = few_columns();
  EXPECT_THAT(
      sentence_of([&] { write_table(folder / "x.xlsx", columns); }),
      HasSubstr("x.xlsx: expected a name ending in .csv, .csv.gz or .parquet, found '.xlsx'"));
  EXPECT_THROW(write_table(folder / "x", columns), UsageError);
  EXPECT_THROW(write_table(folder / "x.parquet.gz", columns), UsageError);
  EXPECT_THROW(write_table(folder / "none" / "x.csv", columns), StorageError);
  EXPECT_THROW(csv_of({}), std::logic_error);
  const std::vector<Column> uneven = {{"a", std::vector<double>{1}}, {"b", std::vector<double>{}}};
  EXPECT_THROW(parquet_of(uneven), std::logic_error);
  EXPECT_TRUE(test::listing(folder.path()).empty());
}

TEST(TableWrite, AFullDiskLeavesTheOldFile) {
  const auto outcome = test::on_small_disk(64, false, [](const std::filesystem::path& disk) {
    write_table(disk / "old.csv", std::vector<Column>{{"a", std::vector<int64_t>{1}}});
    std::mt19937_64 random(21);
    std::vector<double> many(100'000);
    for (double& v : many) v = static_cast<double>(random());
    write_table(disk / "old.csv", std::vector<Column>{{"a", many}});
  });
  ATTN_NEED_MOUNTS(outcome);
  EXPECT_THAT(outcome->message, HasSubstr("No space left on device"));
  EXPECT_EQ(outcome->left, "old old.csv");
}

}  // namespace
}  // namespace attn::io
