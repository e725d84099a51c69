#include "libattn/io/csv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

TEST(Csv, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(csv_field("plain text"), "plain text");
  EXPECT_EQ(csv_field(""), "");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
  EXPECT_EQ(csv_field(" edge"), "\" edge\"");
}

TEST(Csv, NumbersAreShortestAndExact) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(
      csv_text({"a", "b", "c"}, {{0.1, int64_t{-7}, "x"}, {1e300, 2, nan}, {1.0 / 3.0, 0, -0.0}}),
      "a,b,c\n0.1,-7,x\n1e+300,2,nan\n0.3333333333333333,0,-0\n");
}

TEST(Csv, WritesAtomicallyAndRefusesRaggedRows) {
  const test::TempFolder folder;
  write_csv(folder / "t.csv", {"name"}, {{""}, {"b"}});
  EXPECT_EQ(test::slurp(folder / "t.csv"), "name\n\"\"\nb\n");
  EXPECT_THROW(write_csv(folder / "t.csv", {"a", "b"}, {{1.0}}), std::logic_error);
  EXPECT_EQ(test::listing(folder.path()).size(), 1U);
}

}  // namespace
}  // namespace attn::io
