#include "libattn/io/text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

namespace attn::io {
namespace {

TEST(Text, QuotesShortenAndEscape) {
  EXPECT_EQ(quote_text("abc"), "'abc'");
  EXPECT_EQ(quote_text("a\nb\x7f"), "'a\\x0ab\\x7f'");
  EXPECT_EQ(quote_text("\xff\xc3\xa9"), "'\\xff\xc3\xa9'");
  EXPECT_EQ(quote_text("abcdef", 3), "'abc...'");
  EXPECT_EQ(quote_text("abc", 3), "'abc'");
  EXPECT_EQ(one_line("a\tb"), "a\\x09b");
}

TEST(Text, NumbersReadBackTheSame) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(std::strtod(number_text(value).c_str(), nullptr), value);
  }
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(-0.0), "-0");
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(Text, ShapesAndSizes) {
  EXPECT_EQ(shape_text(std::vector<int64_t>{50, 48}), "(50, 48)");
  EXPECT_EQ(shape_text({}), "()");
  EXPECT_EQ(size_text(999), "999 bytes");
  EXPECT_EQ(size_text(1.5e9), "1.5 GB");
}

TEST(Text, FindsTheFirstByteThatIsNotUtf8) {
  EXPECT_EQ(find_invalid_utf8("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
            std::string_view::npos);
  EXPECT_EQ(find_invalid_utf8("ab\x80"), 2U);            // continuation without a lead
  EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0U);          // overlong
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0U);      // surrogate
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0U);  // beyond U+10FFFF
  EXPECT_EQ(find_invalid_utf8("x\xe2\x82"), 1U);         // cut short
}

}  // namespace
}  // namespace attn::io
