#include "libattn/io/outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attn/error.h"
#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

using attn::test::sentence_of;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

TEST(Outputs, AreNoInputByWhateverName) {
  const attn::test::TempFolder folder;
  attn::test::put(folder / "truth.geojson", "{}");
  fs::create_symlink(folder / "truth.geojson", folder / "link.geojson");
  fs::create_hard_link(folder / "truth.geojson", folder / "twin.geojson");
  fs::create_directory(folder / "sub");
  const std::vector<fs::path> read{folder / "slide.svs", folder / "truth.geojson"};
  EXPECT_NO_THROW(refuse_overwriting({folder / "heat.png", folder / "heat.geojson"}, read));
  for (const fs::path& written : {folder / "truth.geojson", folder / "sub/../truth.geojson",
                                  folder / "link.geojson", folder / "twin.geojson"}) {
    EXPECT_THROW(refuse_overwriting({folder / "heat.png", written}, read), UsageError);
    EXPECT_THAT(sentence_of([&] { refuse_overwriting({written}, read); }),
                AllOf(HasSubstr(written.string()), HasSubstr("truth.geojson")));
  }
}

TEST(Outputs, AreTriedBeforeTheWork) {
  const attn::test::TempFolder folder;
  EXPECT_NO_THROW(require_writable(folder / "new/a.html", "--attention-report"));
  EXPECT_TRUE(fs::is_empty(folder / "new"));
  attn::test::put(folder / "old.html", "old");
  EXPECT_NO_THROW(require_writable(folder / "old.html", "--attention-report"));
  EXPECT_EQ(attn::test::slurp(folder / "old.html"), "old");
  for (const fs::path& bad : {folder.path(), folder / "new/", fs::path(".")})
    EXPECT_THAT(sentence_of([&] { require_writable(bad, "--out"); }),
                AllOf(HasSubstr("--out"), HasSubstr("names a folder")));
  EXPECT_THROW(require_writable(folder / "old.html/a.html", "--out"), Error);
}

}  // namespace
}  // namespace attn::io
