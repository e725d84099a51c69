#include <arrow/io/api.h>
#include <arrow/util/compression.h>

#include <random>

#include "libattn/io/table_write.h"
#include "tests/timeseries/series/read_text.h"

namespace timeseries::test {
namespace {

using attn::test::broken_versions;
using attn::test::reads_or_explains;
using testing::HasSubstr;

class ReadDamage : public ReadTest {
 protected:
  bool tries(const std::string& bytes, const std::string& name, const std::string& what,
             const ReadOptions& options = {}) {
    attn::test::put(folder_ / name, bytes);
    return reads_or_explains([&] { read_series(folder_ / name, options); }, what);
  }
};

std::string wide_text() {
  std::string text = "date,load,temp\n";
  for (int i = 0; i < 200; ++i)
    text += "2020-01-0" + std::to_string(1 + i / 24) + " " + (i % 24 < 10 ? "0" : "") +
            std::to_string(i % 24) + ":00:00," + std::to_string(i) + ".25," +
            std::to_string(i % 7) + "\n";
  return text;
}

std::string zipped(const std::string& text) {
  auto codec = arrow::util::Codec::Create(arrow::Compression::GZIP).ValueOrDie();
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int64_t>(text.size());
  std::string packed(static_cast<size_t>(codec->MaxCompressedLen(size, bytes)), '\0');
  packed.resize(static_cast<size_t>(codec
                                        ->Compress(size, bytes, static_cast<int64_t>(packed.size()),
                                                   reinterpret_cast<uint8_t*>(packed.data()))
                                        .ValueOrDie()));
  return packed;
}

TEST_F(ReadDamage, WholeTextAndGzipAreRead) {
  EXPECT_EQ(read(wide_text()).set.series[0].rows, 200);
  EXPECT_EQ(read(zipped(wide_text()), {}, "x.csv.gz").set.series[0].rows, 200);
}

TEST_F(ReadDamage, CutTextInTheMiddleOfARow) {
  const std::string whole = wide_text();
  const std::string cut = whole.substr(0, whole.rfind(','));
  EXPECT_THAT(refusal(cut),
              HasSubstr("x.csv: row 201: expected 3 fields as in the header, found 2"));
  const size_t last = whole.rfind("\n2020");
  EXPECT_THAT(refusal(whole.substr(0, last + 8) + ",1,2\n"), HasSubstr("row 201, column date"));
}

TEST_F(ReadDamage, ZerosAndNul) {
  EXPECT_THAT(refusal(std::string(500, '\0')), HasSubstr("found a file of zero bytes"));
  std::string nul = wide_text();
  nul[nul.size() / 2] = '\0';
  EXPECT_THAT(refusal(nul), HasSubstr("expected text, found a NUL byte"));
  EXPECT_THAT(refusal(""), HasSubstr("found an empty file"));
  EXPECT_THAT(refusal("\n\n"), HasSubstr("blank lines only"));
}

TEST_F(ReadDamage, CutGzipAndParquet) {
  const std::string packed = zipped(wide_text());
  for (const auto& [name, bytes] : broken_versions(packed))
    EXPECT_FALSE(tries(bytes, "x.csv.gz", name)) << name;
  const std::vector<attn::io::Column> columns = {{"date", attn::io::Timestamps{{0, 3600, 7200}}},
                                                 {"y", std::vector<double>{1, 2, 3}}};
  const std::string parquet = attn::io::parquet_of(columns);
  EXPECT_TRUE(tries(parquet, "x.parquet", "whole"));
  for (const auto& [name, bytes] : broken_versions(parquet))
    EXPECT_FALSE(tries(bytes, "x.parquet", name)) << name;
}

TEST_F(ReadDamage, FlippedBits) {
  const std::string whole = wide_text();
  std::mt19937_64 random(9);
  for (int i = 0; i < 1000; ++i)
    tries(attn::test::with_flipped_bits(whole, random, 1 + i % 8), "x.csv",
          "round " + std::to_string(i), {.fill = i % 2 == 0 ? Fill::none : Fill::linear});
}

TEST_F(ReadDamage, TextsMadeOfPieces) {
  // Tables that are nearly right, in all layouts.
  const std::vector<std::string> headers = {
      "date,y", "id,date,y", "V1,V2,V3", "a,b", "ds,unique_id,y", "Month,x", "y", "date,date2"};
  const std::vector<std::string> cells = {
      "2020-01-01", "2020-01-02", "2020-01-03", "2020-01", "2020Q1",   "1",
      "2.5",        "",           "NaN",        "A",       "B",        "01/02/2020",
      "9999-12-31", "-1e300",     "1949",       "12:00",   "Jan 2020", "9007199254740992"};
  std::mt19937_64 random(10);
  for (int i = 0; i < 5000; ++i) {
    std::string text = headers[random() % headers.size()];
    const int64_t columns = 1 + std::count(text.begin(), text.end(), ',');
    text += '\n';
    for (size_t row = 0; row < random() % 6; ++row)
      for (int64_t j = 0; j < columns; ++j)
        text += cells[random() % cells.size()] + (j + 1 == columns ? "\n" : ",");
    ReadOptions options;
    options.fill = static_cast<Fill>(random() % 4);
    options.layout = static_cast<Layout>(random() % 4);
    options.date_order = static_cast<DateOrder>(random() % 3);
    if (random() % 4 == 0) options.frequency = Frequency{static_cast<Unit>(random() % 10)};
    if (random() % 4 == 0) options.future = {"y"};
    if (random() % 8 == 0) options.statics = {"x"};
    tries(text, "x.csv", text, options);
  }
}

}  // namespace
}  // namespace timeseries::test
