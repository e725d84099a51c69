#include "timeseries/patch/tokeniser.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "libattn/train/seed.h"
#include "tests/support/refusal.h"

namespace timeseries {
namespace {

using attn::test::expect_refusal;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// The published steps one by one: centres, edges between them, the number of edges not above u
/// (searchsorted from the right), plus 4, kept within the vocabulary.
int64_t published_token(double u, int64_t vocabulary, double low, double high) {
  if (std::isnan(u)) return 0;
  const int64_t bins = vocabulary - 5;
  std::vector<double> centres, edges{-1e20};
  for (int64_t i = 0; i < bins; ++i)
    centres.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(bins - 1));
  for (int64_t i = 1; i < bins; ++i)
    edges.push_back((centres[static_cast<size_t>(i - 1)] + centres[static_cast<size_t>(i)]) / 2);
  edges.push_back(1e20);
  int64_t id = 4;
  for (const double edge : edges) id += edge <= u ? 1 : 0;
  return std::clamp<int64_t>(id, 0, vocabulary - 1);
}

double plain_scale(const std::vector<double>& z) {
  double sum = 0, known = 0;
  for (const double x : z)
    if (!std::isnan(x)) sum += std::abs(x), known += 1;
  return known > 0 && sum > 0 ? sum / known : 1;
}

TEST(Tokeniser, IsThePublishedOneOnRandomWindows) {
  for (const auto& [vocabulary, range] : {std::pair{256, 3.0}, {256, 4.0}, {64, 1.0}, {8, 2.0}}) {
    const Tokeniser tokeniser({vocabulary, -range, range});
    const at::Tensor values = 3 * at::randn({50, 97}, attn::train::make_generator(5), at::kDouble);
    const at::Tensor ids = tokeniser.tokens(values);
    for (int64_t n = 0; n < 50; ++n) {
      const auto* z = values.const_data_ptr<double>() + n * 97;
      const double s = plain_scale(std::vector<double>(z, z + 97));
      ASSERT_NEAR(Tokeniser::scale(values)[n].item<double>(), s, 1e-15 * s);
      for (int64_t t = 0; t < 97; ++t)
        ASSERT_EQ(ids[n][t].item<int64_t>(), published_token(z[t] / s, vocabulary, -range, range));
    }
  }
}

TEST(Tokeniser, AValueOnAnEdgeBelongsToTheBinAbove) {
  // Bins of width 1/2 whose edges are exact numbers: centres -1, -1/2, 0, 1/2, 1.
  const Tokeniser tokeniser({10, -1, 1});
  EXPECT_EQ(tokeniser.bins(), 5);
  const std::vector<std::pair<double, int64_t>> wanted{
      {-0.75, 6}, {-0.25, 7}, {0.25, 8},  {0.75, 9},    {std::nextafter(0.25, 0), 7},
      {0, 7},     {1e30, 9},  {-1e30, 5}, {-0.7501, 5}, {kNan, 0}};
  for (const auto& [u, id] : wanted) {
    EXPECT_EQ(tokeniser.token(u), id) << u;
    EXPECT_EQ(published_token(u, 10, -1, 1), u < -1e20 ? 4 : id) << u;
  }
  EXPECT_EQ(tokeniser.token(std::numeric_limits<double>::infinity()), 9);
}

TEST(Tokeniser, EveryEdgeAndCentreOfTheReferenceIsWhereItShouldBe) {
  const Tokeniser tokeniser({256, -3, 3});
  EXPECT_EQ(tokeniser.bins(), 251);
  for (int64_t id = 5; id < 256; ++id) {
    const double centre = tokeniser.centre(id);
    EXPECT_NEAR(centre, -3 + 6.0 * static_cast<double>(id - 5) / 250, 1e-15);
    EXPECT_EQ(tokeniser.token(centre), id);
    const double edge = centre - 0.012;
    EXPECT_EQ(tokeniser.token(edge - 1e-12), std::max<int64_t>(5, id - 1));
    EXPECT_EQ(tokeniser.token(edge + 1e-12), id);
  }
  EXPECT_TRUE(std::isnan(tokeniser.centre(4)));
  EXPECT_TRUE(std::isnan(tokeniser.centre(256)));
}

TEST(Tokeniser, MissingValuesArePadAndOutsideOfTheScale) {
  const Tokeniser tokeniser({256, -3, 3});
  const at::Tensor values =
      at::tensor({2.0, kNan, -4.0, kNan, kNan, kNan, 0.0, 0.0, kNan}, at::kDouble).view({3, 3});
  EXPECT_TRUE(at::equal(Tokeniser::scale(values), at::tensor({3.0, 1.0, 1.0}, at::kDouble)));
  const at::Tensor ids = tokeniser.tokens(values);
  EXPECT_EQ(ids[0][1].item<int64_t>(), 0);
  EXPECT_EQ(ids[0][2].item<int64_t>(), published_token(-4.0 / 3, 256, -3, 3));
  EXPECT_TRUE(at::equal(ids[1], at::zeros({3}, at::kLong)));
  EXPECT_EQ(ids[2][0].item<int64_t>(), 130);  // the middle bin
}

TEST(Tokeniser, AScaleFromOutsideReplacesThatOfTheWindow) {
  const Tokeniser tokeniser({256, -3, 3});
  const at::Tensor values = at::randn({4, 20}, attn::train::make_generator(2), at::kFloat);
  const at::Tensor scale = at::tensor({0.5, 1.0, 2.0, 4.0}, at::kDouble);
  const at::Tensor ids = tokeniser.tokens(values, scale);
  for (int64_t n = 0; n < 4; ++n)
    for (int64_t t = 0; t < 20; ++t)
      EXPECT_EQ(
          ids[n][t].item<int64_t>(),
          published_token(static_cast<double>(values[n][t].item<float>()) / scale[n].item<double>(),
                          256, -3, 3));
  EXPECT_TRUE(
      at::equal(tokeniser.tokens(values), tokeniser.tokens(values, Tokeniser::scale(values))));
  // The same window in other units has the same tokens.
  EXPECT_TRUE(at::equal(tokeniser.tokens(values), tokeniser.tokens(1024 * values)));
}

/// Share of u in each end bin.
std::pair<double, double> end_shares(const TokeniserOptions& options,
                                     const std::vector<double>& u) {
  const Tokeniser tokeniser(options);
  double low = 0, high = 0;
  for (const double x : u) {
    low += tokeniser.token(x) == 5 ? 1 : 0;
    high += tokeniser.token(x) == options.vocabulary - 1 ? 1 : 0;
  }
  return {low / static_cast<double>(u.size()), high / static_cast<double>(u.size())};
}

TEST(Tokeniser, LearnsARangeWhoseEndBinsHoldNoMoreThanTheirShare) {
  attn::train::Random random(3);
  for (const int64_t vocabulary : {256, 64, 9}) {
    std::vector<double> skew, atoms;
    for (int i = 0; i < 20000; ++i) {
      skew.push_back(std::pow(random.uniform(), 3) - 0.1);
      atoms.push_back(std::min(0.9, std::round(random.uniform() * 20) / 20));  // one at the top
    }
    for (const auto& u : {skew, atoms}) {
      const TokeniserOptions options = learn_range(u, vocabulary);
      const auto [low, high] = end_shares(options, u);
      EXPECT_LE(low, 0.005);
      EXPECT_LE(high, 0.005);
    }
    // No wider than needed: a smaller range breaks the promise.
    const TokeniserOptions options = learn_range(skew, vocabulary);
    const double width = options.high - options.low;
    const auto [low, high] =
        end_shares({vocabulary, options.low + 0.01 * width, options.high - 0.01 * width}, skew);
    EXPECT_GT(low, 0.005);
    EXPECT_GT(high, 0.005);
  }
}

TEST(Tokeniser, LearnsARangeFromOneValueAndRefusesNone) {
  const TokeniserOptions options = learn_range({1, 1, 1}, 256);
  EXPECT_LT(options.low, 1);
  EXPECT_GT(options.high, 1);
  EXPECT_GT(Tokeniser(options).token(1), 5);
  expect_refusal([] { learn_range({}, 256); }, "no known value");
}

TEST(Tokeniser, RefusesInOneSentence) {
  expect_refusal([] { Tokeniser({6, -3, 3}); }, "vocabulary is 6");
  expect_refusal([] { Tokeniser({256, 3, 3}); }, "ascend");
  expect_refusal([] { Tokeniser({256, kNan, 3}); }, "ascend");
  at::Tensor values = at::ones({2, 3}, at::kDouble);
  values[1][2] = std::numeric_limits<double>::infinity();
  expect_refusal([&] { Tokeniser({256, -3, 3}).tokens(values); }, "window 1 holds a value");
  values[1][2] = 1;
  expect_refusal(
      [&] {
        Tokeniser({256, -3, 3}).tokens(values, at::tensor({1.0, 0.0}, at::kDouble));
      },
      "the scale of window 1 is 0");
  EXPECT_THROW(Tokeniser({256, -3, 3}).tokens(values, at::ones({3}, at::kDouble)),
               std::logic_error);
}

TEST(Tokeniser, OptionsSurviveJson) {
  const TokeniserOptions options{64, -1.23456789012345678, 4.1};
  const auto read = nlohmann::json::parse(nlohmann::json(options).dump()).get<TokeniserOptions>();
  EXPECT_EQ(read.vocabulary, 64);
  EXPECT_EQ(read.low, options.low);
  EXPECT_EQ(read.high, options.high);
  expect_refusal([] { nlohmann::json{{"vocabulary", 64}}.get<TokeniserOptions>(); }, "key low");
}

}  // namespace
}  // namespace timeseries
