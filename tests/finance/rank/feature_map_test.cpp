#include "finance/rank/feature_map.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "tests/support/refusal.h"

namespace finance {
namespace {

using attn::test::expect_refusal;

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

/// One list of the rows of `columns`.
RankLists lists_of(const std::vector<std::pair<std::string, std::vector<float>>>& columns,
                   const std::vector<CategoryColumn>& categories = {}) {
  RankLists out;
  out.name = "lists.csv";
  const size_t rows = columns.empty() ? categories.front().values.size() : columns[0].second.size();
  for (const auto& [name, values] : columns) out.feature_names.push_back(name);
  for (size_t r = 0; r < rows; ++r)
    for (const auto& [name, values] : columns) out.features.push_back(values[r]);
  out.categories = categories;
  out.offsets = {0, static_cast<int64_t>(rows)};
  out.list_ids = {"a"};
  return out;
}

std::vector<float> column(const at::Tensor& x, int64_t c) {
  const at::Tensor one = x.select(1, c).contiguous();
  return {one.const_data_ptr<float>(), one.const_data_ptr<float>() + one.numel()};
}

TEST(FeatureMap, ScalesByMeanAndDeviation) {
  const RankLists train = lists_of({{"a", {1, 2, 3, 6}}, {"b", {1e6F, 1e6F + 2, 1e6F, 1e6F + 2}}});
  const FeatureMap map = fit_features(train);
  ASSERT_EQ(map.numbers.size(), 2U);
  EXPECT_DOUBLE_EQ(map.numbers[0].mean, 3);
  EXPECT_DOUBLE_EQ(map.numbers[0].sd, std::sqrt(3.5));  // of the population
  EXPECT_DOUBLE_EQ(map.numbers[1].sd, 1);
  EXPECT_FALSE(map.numbers[0].missing);
  const RankSet set = encode(map, train);
  ASSERT_EQ(set.features.sizes(), (std::vector<int64_t>{4, 2}));
  EXPECT_FLOAT_EQ(column(set.features, 0)[3], static_cast<float>(3 / std::sqrt(3.5)));
  EXPECT_EQ(column(set.features, 1), (std::vector<float>{-1, 1, -1, 1}));
}

TEST(FeatureMap, ScalesTheSmallestOfUnits) {
  const RankLists train = lists_of({{"tiny", {1e-20F, 3e-20F}}, {"around 0", {-1e-20F, 1e-20F}}});
  const RankSet set = encode(fit_features(train), train);
  EXPECT_NEAR(column(set.features, 0)[1], 1, 1e-5);
  EXPECT_NEAR(column(set.features, 1)[0], -1, 1e-5);
}

TEST(FeatureMap, AConstantColumnIsZero) {
  const RankLists train = lists_of({{"c", {0.1F, 0.1F, 0.1F}}, {"x", {1, 2, 3}}});
  const FeatureMap map = fit_features(train);
  EXPECT_EQ(map.numbers[0].sd, 0);
  const RankLists other = lists_of({{"c", {5, -1e30F, kMissing}}, {"x", {1, 2, 3}}});
  EXPECT_EQ(column(encode(map, other).features, 0), (std::vector<float>{0, 0, 0}));
}

TEST(FeatureMap, MissingValuesHaveAColumnWhereTrainingRowsMissSome) {
  const RankLists train = lists_of({{"a", {1, kMissing, 3}}, {"b", {1, 2, 3}}});
  const FeatureMap map = fit_features(train);
  EXPECT_EQ(map.width(), 3);
  EXPECT_DOUBLE_EQ(map.numbers[0].mean, 2);
  const RankSet set = encode(map, train);
  EXPECT_EQ(column(set.features, 0), (std::vector<float>{-1, 0, 1}));
  EXPECT_EQ(column(set.features, 1), (std::vector<float>{0, 1, 0}));
  // One that training never missed is the mean.
  const RankSet later = encode(map, lists_of({{"a", {2}}, {"b", {kMissing}}}));
  EXPECT_EQ(column(later.features, 2), (std::vector<float>{0}));
}

TEST(FeatureMap, FarValuesAreClipped) {
  const FeatureMap map = fit_features(lists_of({{"a", {0, 2}}}));
  const RankSet set = encode(map, lists_of({{"a", {1e30F, -1e30F, 10}}}));
  EXPECT_EQ(column(set.features, 0), (std::vector<float>{10, -10, 9}));
}

TEST(FeatureMap, CategoriesAreThoseOfTwoRows) {
  const RankLists train =
      lists_of({}, {{"desk", {"fx", "gold", "fx", "", "oil", "gold", "", "silver"}}});
  const FeatureMap map = fit_features(train);
  EXPECT_EQ(map.categories[0].levels, (std::vector<std::string>{"fx", "gold"}));
  EXPECT_EQ(map.codes(), (std::vector<int64_t>{3}));
  EXPECT_EQ(map.width(), 1);  // zeros stand for the numbers that are not there
  const RankSet set = encode(map, train);
  EXPECT_EQ(set.features.abs().sum().item<float>(), 0);
  const auto* codes = set.codes.const_data_ptr<int64_t>();
  EXPECT_EQ(std::vector<int64_t>(codes, codes + 8), (std::vector<int64_t>{1, 2, 1, 0, 0, 2, 0, 0}));
}

TEST(FeatureMap, FindsColumnsByName) {
  const RankLists train = lists_of({{"a", {1, 2, 3}}, {"b", {4, 6, 9}}});
  const FeatureMap map = fit_features(train);
  const RankLists turned = lists_of({{"more", {7, 7, 7}}, {"b", {4, 6, 9}}, {"a", {1, 2, 3}}});
  EXPECT_TRUE(at::equal(encode(map, train).features, encode(map, turned).features));
  expect_refusal(
      [&] {
        encode(map, lists_of({{"a", {1}}, {"bb", {2}}}));
      },
      "lists.csv: the model needs the column b, which is not among those there (a, bb)");
}

TEST(FeatureMap, NoValueAtAllIsRefused) {
  expect_refusal(
      [] {
        fit_features(lists_of({{"void", {kMissing, kMissing}}}));
      },
      "lists.csv: column void has no value in the training lists");
}

TEST(FeatureMap, GoesThroughJson) {
  const RankLists train = lists_of({{"a", {1, kMissing, 3.7F}}, {"b, \"c\"", {0.1F, 0.2F, 7}}},
                                   {{"desk", {"fx", "fx", "ä"}}});
  const FeatureMap map = fit_features(train);
  const auto back = nlohmann::json::parse(nlohmann::json(map).dump()).get<FeatureMap>();
  EXPECT_EQ(nlohmann::json(back), nlohmann::json(map));
  EXPECT_TRUE(at::equal(encode(back, train).features, encode(map, train).features));
  EXPECT_TRUE(at::equal(encode(back, train).codes, encode(map, train).codes));
  auto damaged = nlohmann::json(map);
  damaged["numbers"][0].erase("sd");
  expect_refusal([&] { damaged.get<FeatureMap>(); }, "sd");
}

}  // namespace
}  // namespace finance
