#include "pathology/chain/outputs.h"

#include <gtest/gtest.h>

#include "attn/error.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;

TEST(Outputs, SpareARunAndWhatItWasTrainedOn) {
  const attn::test::TempFolder folder;
  fs::create_directories(folder / "run");
  fs::create_directories(folder / "bags");
  attn::test::put(folder / "bags/a.h5", "x");
  attn::test::put(folder / "labels.csv", "x");
  attn::test::put(folder / "run/source.json", R"({"bags":")" + (folder / "bags").string() +
                                                  R"(","labels":")" +
                                                  (folder / "labels.csv").string() + "\"}");
  const std::vector<fs::path> read = files_of_run(folder / "run");
  for (const char* name :
       {"labels.csv", "bags/a.h5", "run/model.safetensors", "run/../run/predictions.csv"})
    EXPECT_THROW(refuse_overwriting({folder / name}, read), attn::UsageError) << name;
  EXPECT_NO_THROW(refuse_overwriting({folder / "run/other.csv", ""}, read));
  EXPECT_THROW(refuse_overwriting({folder / "bags/a.h5"}, files_of_bags(folder / "bags", "")),
               attn::UsageError);
}

}  // namespace
}  // namespace pathology
