#include "libattn/io/csv_records.h"

#include <gtest/gtest.h>

namespace attn::io {
namespace {

std::string walk(std::string_view text, char delimiter = ',') {
  CsvRecords records(text, delimiter);
  CsvRecord record;
  std::string seen;
  while (records.next(record)) {
    seen += std::to_string(record.line) + ":" + std::to_string(record.fields) + ":" +
            std::string(text.substr(record.begin, record.end - record.begin)) +
            (record.open_quote ? "!" : "") + "|";
  }
  return seen;
}

TEST(CsvRecords, LinesFieldsAndQuotes) {
  EXPECT_EQ(walk(""), "");
  EXPECT_EQ(walk("\n\r\n"), "");
  EXPECT_EQ(walk("a,b\n1,2\n"), "1:2:a,b|2:2:1,2|");
  EXPECT_EQ(walk("a,b\r\n1,2"), "1:2:a,b|2:2:1,2|");
  EXPECT_EQ(walk("a\r1\r"), "1:1:a|2:1:1|");
  EXPECT_EQ(walk("\n\na\n\nb"), "3:1:a|5:1:b|");
  EXPECT_EQ(walk("\"a\nb\",c\nd,e"), "1:2:\"a\nb\",c|3:2:d,e|");
  EXPECT_EQ(walk("\"a\"\",\",c"), "1:2:\"a\"\",\",c|");
  EXPECT_EQ(walk("a\"b,c\"d\n"), "1:2:a\"b,c\"d|");  // a quote inside a plain field is a letter
  EXPECT_EQ(walk("x\n\"never closed\n1\n"), "1:1:x|2:1:\"never closed\n1\n!|");
  EXPECT_EQ(walk("a\t\"b\tc\"\n", '\t'), "1:2:a\t\"b\tc\"|");
  EXPECT_EQ(walk(",\n"), "1:2:,|");
}

TEST(CsvRecords, SplitsFields) {
  using Fields = std::vector<std::string>;
  EXPECT_EQ(split_csv_record("a,b,", ','), (Fields{"a", "b", ""}));
  EXPECT_EQ(split_csv_record("\"a,\"\"x\"\"\",b", ','), (Fields{"a,\"x\"", "b"}));
  EXPECT_EQ(split_csv_record("\"a\nb\"", ','), (Fields{"a\nb"}));
  EXPECT_EQ(split_csv_record("a\"b\"", ','), (Fields{"a\"b\""}));
  EXPECT_EQ(split_csv_record("", ','), (Fields{""}));
}

}  // namespace
}  // namespace attn::io
