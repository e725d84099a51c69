#include "libattn/io/file_kind.h"

#include <gtest/gtest.h>

#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

TEST(FileKind, TellsByTheFirstBytes) {
  EXPECT_EQ(file_kind(""), FileKind::empty);
  EXPECT_EQ(file_kind(std::string(100, '\0')), FileKind::zeros);
  EXPECT_EQ(file_kind("\x89HDF\r\n\x1a\n"), FileKind::hdf5);
  EXPECT_EQ(file_kind(std::string(1024, 'u') + "\x89HDF\r\n\x1a\n"), FileKind::hdf5);
  EXPECT_EQ(file_kind("PAR1...."), FileKind::parquet);
  EXPECT_EQ(file_kind("\x1f\x8b\x08"), FileKind::gzip);
  EXPECT_EQ(file_kind("PK\x03\x04"), FileKind::zip);
  EXPECT_EQ(file_kind(std::string_view("II*\0\x08", 5)), FileKind::tiff);
  EXPECT_EQ(file_kind(std::string_view("\x08\0\0\0\0\0\0\0{\"a\"", 12)), FileKind::safetensors);
  EXPECT_EQ(file_kind("\xff\xfe"
                      "a"),
            FileKind::utf16);
  EXPECT_EQ(file_kind(" \n{\"a\": 1}"), FileKind::json);
  EXPECT_EQ(file_kind("bag,label\n"), FileKind::text);
  EXPECT_EQ(file_kind("\x01\x02\x03"), FileKind::binary);
}

TEST(FileKind, OfAFile) {
  const test::TempFolder folder;
  test::put(folder / "x.h5", "%PDF-1.4");
  EXPECT_EQ(describe(file_kind_of(folder / "x.h5")), "a PDF document");
  EXPECT_THAT(test::sentence_of([&] { file_kind_of(folder / "y"); }),
              testing::HasSubstr("No such file"));
}

}  // namespace
}  // namespace attn::io
