#include "libattn/io/digest.h"

#include <gtest/gtest.h>

#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

// Golden: `printf '' | xxhsum -H128` and the same for "libattn" (xxhsum 0.8.1).
TEST(Digest, AgreesWithXxhsum) {
  EXPECT_EQ(digest(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(digest("libattn"), "158217ea7ceacbcd9830eb8bee2d279d");
}

TEST(Digest, StreamsAndFilesAgreeWithStrings) {
  std::mt19937_64 random(2);
  const std::string bytes = test::random_bytes(random, 3'000'000);
  Digest stream;
  for (std::size_t i = 0; i < bytes.size(); i += 77'777)
    stream.update(std::string_view(bytes).substr(i, 77'777));
  EXPECT_EQ(stream.hex(), digest(bytes));
  const test::TempFolder folder;
  test::put(folder / "x", bytes);
  EXPECT_EQ(file_digest(folder / "x"), digest(bytes));
  EXPECT_NE(digest(bytes.substr(1)), digest(bytes));
}

TEST(Digest, MissingFile) {
  const test::TempFolder folder;
  EXPECT_THAT(test::sentence_of([&] { file_digest(folder / "none"); }),
              testing::HasSubstr("none: No such file"));
  EXPECT_THAT(test::sentence_of([&] { file_digest(folder.path()); }),
              testing::HasSubstr("Is a directory"));
}

}  // namespace
}  // namespace attn::io
