#include "libattn/train/model_file.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "attn/error.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"

namespace attn::train {
namespace {

using testing::HasSubstr;

TEST(ModelFile, ComesBackAsWritten) {
  const test::TempFolder folder;
  const auto path = folder.path() / "m.safetensors";
  const at::Tensor w = at::randn({3, 4}), d = at::randn({2}, at::kDouble).slice(0, 0, 2);
  save_model_file(path, "toy", 2, {{"width", 4}, {"name", "bäg"}}, {{"w", w}, {"d", d}});
  const ModelFile m = load_model_file(path, "toy", 2);
  EXPECT_EQ(m.config.at("width"), 4);
  EXPECT_EQ(m.config.at("name"), "bäg");
  EXPECT_EQ(m.config.at("format_version"), 2);
  EXPECT_TRUE(at::equal(require_tensor(m, path, "w", {3, 4}), w));
  EXPECT_TRUE(at::equal(require_tensor(m, path, "d", {2}), d));
  EXPECT_EQ(read_model_config(path), m.config);
}

TEST(ModelFile, OlderIsReadNewerIsRefused) {
  const test::TempFolder folder;
  const auto path = folder.path() / "m.safetensors";
  save_model_file(path, "toy", 1, {}, {{"w", at::zeros({1})}});
  EXPECT_EQ(load_model_file(path, "toy", 3).config.at("format_version"), 1);
  save_model_file(path, "toy", 4, {}, {{"w", at::zeros({1})}});
  EXPECT_THAT(test::sentence_of([&] { load_model_file(path, "toy", 3); }),
              testing::AllOf(HasSubstr("version 4"), HasSubstr("m.safetensors")));
}

TEST(ModelFile, RefusesOtherKindsAndDamage) {
  const test::TempFolder folder;
  const auto path = folder.path() / "m.safetensors";
  save_model_file(path, "toy", 1, {}, {{"w", at::zeros({8})}});
  EXPECT_THAT(test::sentence_of([&] { load_model_file(path, "other", 1); }), HasSubstr("'toy'"));
  const ModelFile m = load_model_file(path, "toy", 1);
  EXPECT_THAT(test::sentence_of([&] { require_tensor(m, path, "v", {8}); }),
              HasSubstr("v is missing"));
  EXPECT_THAT(test::sentence_of([&] { require_tensor(m, path, "w", {4}); }), HasSubstr("(4)"));
  save_model_file(path, "toy", 1, {}, {{"w", at::zeros({8}, at::kInt)}, {"x", at::full({1}, NAN)}});
  const ModelFile odd = load_model_file(path, "toy", 1);
  EXPECT_THAT(test::sentence_of([&] { require_tensor(odd, path, "w", {8}); }),
              HasSubstr("expected a floating type"));
  EXPECT_THAT(test::sentence_of([&] { require_tensor(odd, path, "x", {1}); }), HasSubstr("NaN"));
  save_model_file(path, "toy", 1, {}, {{"w", at::full({8}, 0.5, at::kHalf)}});
  EXPECT_TRUE(at::equal(require_tensor(load_model_file(path, "toy", 1), path, "w", {8}),
                        at::full({8}, 0.5, at::kFloat)));
  for (const auto& [what, bytes] : test::broken_versions(test::slurp(path))) {
    test::put(folder.path() / "b.safetensors", bytes);
    test::sentence_of([&] { load_model_file(folder.path() / "b.safetensors", "toy", 1); });
  }
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 5);
  EXPECT_THAT(test::sentence_of([&] { load_model_file(path, "toy", 1); }),
              HasSubstr("m.safetensors"));
  EXPECT_THAT(test::sentence_of([&] { load_model_file(folder.path() / "none", "toy", 1); }),
              HasSubstr("none"));
}

}  // namespace
}  // namespace attn::train
