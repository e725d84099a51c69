#include <arrow/api.h>
#include <arrow/io/api.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include <random>

#include "libattn/io/table.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

namespace fs = std::filesystem;

void read_all(const fs::path& path) {
  const Table table = Table::read(path);
  for (const std::string& column : table.columns()) {
    table.strings(column);
    test::reads_or_explains(
        [&] { table.doubles(column, {.allow_missing = true, .allow_nonfinite = true}); }, column);
    test::reads_or_explains([&] { table.integers(column); }, column);
  }
}

std::string parquet_bytes() {
  arrow::DoubleBuilder reals;
  arrow::StringBuilder texts;
  std::mt19937_64 random(12);
  for (int i = 0; i < 300; ++i)
    EXPECT_TRUE(reals.Append(static_cast<double>(random())).ok() &&
                texts.Append(std::to_string(random() % 50)).ok());
  const auto schema =
      arrow::schema({arrow::field("real", arrow::float64()), arrow::field("text", arrow::utf8())});
  const auto table =
      arrow::Table::Make(schema, {reals.Finish().ValueOrDie(), texts.Finish().ValueOrDie()});
  auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink).ok());
  return sink->Finish().ValueOrDie()->ToString();
}

TEST(TableDamage, ParquetCutAndReplaced) {
  const test::TempFolder folder;
  const std::string whole = parquet_bytes();
  for (const auto& [name, bytes] : test::broken_versions(whole)) {
    test::put(folder / "x.parquet", bytes);
    EXPECT_FALSE(test::reads_or_explains([&] { read_all(folder / "x.parquet"); }, name)) << name;
  }
}

TEST(TableDamage, ParquetFlippedBits) {
  const test::TempFolder folder;
  const std::string whole = parquet_bytes();
  std::mt19937_64 random(13);
  for (int i = 0; i < 400; ++i) {
    test::put(folder / "x.parquet", test::with_flipped_bits(whole, random, 1 + i % 16));
    test::reads_or_explains([&] { read_all(folder / "x.parquet"); }, "round " + std::to_string(i));
  }
}

TEST(TableDamage, RandomTextAndBytes) {
  const test::TempFolder folder;
  const std::string letters = "a1,.\"\n\r\t;- \xc3\xa9";
  std::mt19937_64 random(14);
  for (int i = 0; i < 3'000; ++i) {
    std::string text = i % 10 == 0 ? test::random_bytes(random, random() % 300) : "";
    for (std::size_t k = random() % 60; i % 10 != 0 && k > 0; --k)
      text += letters[random() % letters.size()];
    test::put(folder / "x.csv", text);
    test::reads_or_explains([&] { read_all(folder / "x.csv"); }, "round " + std::to_string(i));
  }
}

TEST(TableDamage, FlippedBitsInText) {
  const test::TempFolder folder;
  std::string whole = "bag,label,f0\n";
  for (int i = 0; i < 50; ++i)
    whole += "\"bag " + std::to_string(i) + "\"," + std::to_string(i % 2) + ",0.5\n";
  std::mt19937_64 random(15);
  for (int i = 0; i < 1'000; ++i) {
    test::put(folder / "x.csv", test::with_flipped_bits(whole, random, 1 + i % 8));
    test::reads_or_explains([&] { read_all(folder / "x.csv"); }, "round " + std::to_string(i));
  }
}

}  // namespace
}  // namespace attn::io
