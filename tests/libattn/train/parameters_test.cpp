#include "libattn/train/parameters.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/train/model_file.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace attn::train {
namespace {

std::vector<ParameterSpec> specs() {
  return {{"embed", {50, 8}, Init::normal(0.02)},
          {"up", {16, 8}, Init::linear(8)},
          {"up_bias", {16}, Init::linear(8)},
          {"norm", {8}, Init::ones()},
          {"shift", {8}, Init::zeros()}};
}

TEST(Parameters, AreLeavesInTheOrderOfTheirSpecs) {
  const Parameters p(specs(), 1);
  ASSERT_EQ(p.named().size(), 5U);
  EXPECT_EQ(p.named()[1].first, "up");
  EXPECT_TRUE(p.named()[1].second.is_same(p.at("up")));
  EXPECT_EQ(p.count(), 50 * 8 + 16 * 8 + 16 + 8 + 8);
  for (const auto& [name, tensor] : p.named()) {
    EXPECT_TRUE(tensor.requires_grad() && tensor.is_leaf() && tensor.is_contiguous()) << name;
    EXPECT_EQ(tensor.scalar_type(), at::kFloat) << name;
  }
  EXPECT_THROW(p.at("down"), std::logic_error);
}

TEST(Parameters, StartAsTheySay) {
  const Parameters p({{"normal", {200, 200}, Init::normal(0.5)},
                      {"uniform", {200, 200}, Init::uniform(3)},
                      {"linear", {200, 64}, Init::linear(64)},
                      {"ones", {3}, Init::ones()},
                      {"zeros", {3}, Init::zeros()}},
                     7);
  const auto sd = [&](const char* name) { return p.at(name).std().item<double>(); };
  const auto top = [&](const char* name) { return p.at(name).abs().max().item<double>(); };
  EXPECT_NEAR(sd("normal"), 0.5, 0.5 * 5 / std::sqrt(2 * 40000.0));
  EXPECT_NEAR(p.at("normal").mean().item<double>(), 0, 0.5 * 5 / 200.0);
  EXPECT_NEAR(sd("uniform"), 3 / std::sqrt(3.0), 0.03);
  EXPECT_LE(top("uniform"), 3);
  EXPECT_LE(top("linear"), 0.125);  // 1/sqrt(64)
  EXPECT_GT(top("linear"), 0.124);
  EXPECT_TRUE(at::equal(p.at("ones").detach(), at::ones({3})));
  EXPECT_TRUE(at::equal(p.at("zeros").detach(), at::zeros({3})));
  EXPECT_THROW(Init::linear(0), std::logic_error);
}

TEST(Parameters, OneMoreChangesNoOther) {
  std::vector<ParameterSpec> more = specs();
  more.insert(more.begin(), {"first", {8, 8}, Init::normal(1)});
  const Parameters a(specs(), 3), b(more, 3), other(specs(), 4);
  for (const auto& [name, tensor] : a.named()) EXPECT_TRUE(at::equal(tensor, b.at(name))) << name;
  EXPECT_FALSE(at::equal(a.at("embed"), other.at("embed")));
  // Equal shapes and starts under two names are two draws.
  const Parameters twins({{"a", {9}, Init::normal(1)}, {"b", {9}, Init::normal(1)}}, 3);
  EXPECT_FALSE(at::equal(twins.at("a"), twins.at("b")));
  EXPECT_THROW(Parameters({{"a", {1}, {}}, {"a", {1}, {}}}, 1), std::logic_error);
}

TEST(Parameters, ComeBackFromAModelFile) {
  const test::TempFolder folder;
  const auto path = folder.path() / "m.safetensors";
  const Parameters p(specs(), 5);
  NamedTensors prefixed;
  for (const auto& [name, tensor] : p.named()) prefixed.emplace_back("net." + name, tensor);
  save_model_file(path, "toy", 1, {}, prefixed);
  const ModelFile file = load_model_file(path, "toy", 1);
  const Parameters back(specs(), file, path, "net.");
  for (const auto& [name, tensor] : p.named()) {
    EXPECT_TRUE(at::equal(tensor, back.at(name))) << name;
    EXPECT_TRUE(back.at(name).requires_grad()) << name;
  }
  test::expect_refusal([&] { Parameters(specs(), file, path); }, "embed is missing");
  test::expect_refusal(
      [&] {
        Parameters({{"up", {8, 16}, {}}}, file, path, "net.");
      },
      "expected (8, 16)");
}

TEST(Parameters, CopiesShareAndClonesDoNot) {
  const Parameters p(specs(), 5);
  const std::vector<Parameters> shared{p};
  const Parameters own = p.clone();
  std::vector<at::Tensor> values;
  for (const auto& [name, tensor] : p.named()) values.push_back(at::full_like(tensor, 2).detach());
  p.assign(values);
  EXPECT_EQ(shared[0].at("shift")[0].item<float>(), 2);
  EXPECT_EQ(own.at("shift")[0].item<float>(), 0);
  EXPECT_TRUE(own.at("shift").requires_grad() && own.at("shift").is_leaf());
  values.pop_back();
  EXPECT_THROW(p.assign(values), std::logic_error);
  values.push_back(at::zeros({9}));
  EXPECT_THROW(p.assign(values), std::logic_error);
}

}  // namespace
}  // namespace attn::train
