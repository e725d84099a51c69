#include "pathology/heatmap/localisation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "attn/error.h"
#include "libattn/random/rng.h"

namespace pathology {
namespace {

Outline square(double x, double y, double side, const std::string& name) {
  Outline outline;
  outline.region.exterior = {{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}};
  outline.classification = name;
  return outline;
}

// A row of tiles of 100 pixels.
TileScores row(const std::vector<double>& score) {
  TileScores tiles;
  tiles.footprint = 100;
  tiles.score = score;
  for (size_t i = 0; i < score.size(); ++i)
    tiles.coords.push_back({static_cast<int64_t>(100 * i), 0});
  return tiles;
}

TEST(Localisation, OverlapIsTheShareOfTheTile) {
  const TileScores tiles = row({0, 0, 0, 0});
  const std::vector<double> overlap = focus_overlap(
      tiles,
      {square(50, 0, 100, "tumor"), square(300, 0, 50, "tumor"), square(200, 0, 100, "other")},
      "tumor");
  EXPECT_DOUBLE_EQ(overlap[0], 0.5);
  EXPECT_DOUBLE_EQ(overlap[1], 0.5);
  EXPECT_DOUBLE_EQ(overlap[2], 0);
  EXPECT_DOUBLE_EQ(overlap[3], 0.25);
}

TEST(Localisation, FiguresOfAKnownCase) {
  // Positive tiles 1 and 2; pairs (positive, negative): 4 x (0.4 over 0.1, 0.2, 0.2, 0.3), 0.2 over
  // 0.1, ties with 2.
  const TileScores tiles = row({0.1, 0.4, 0.2, 0.2, 0.2, 0.3});
  const std::vector<Outline> truth{square(100, 0, 200, "tumor"), square(900, 0, 50, "tumor")};
  LocalisationOptions options;
  options.top_k = 2;
  const Localisation out = localisation(tiles, truth, "tumor", options);
  EXPECT_EQ(out.tiles, 6);
  EXPECT_EQ(out.positive_tiles, 2);
  EXPECT_DOUBLE_EQ(out.auc, (4 + 1 + 0.5 + 0.5) / 8);
  EXPECT_DOUBLE_EQ(out.top_k_precision, 0.5);
  EXPECT_NEAR(out.attention_on_foci, 0.6 / 1.4, 1e-12);
  EXPECT_DOUBLE_EQ(out.focus_recall, 0.5);
}

TEST(Localisation, AreaUnderTheCurveEqualsCountingPairs) {
  attn::random::Rng rng(4);
  std::vector<double> score;
  for (int i = 0; i < 60; ++i) score.push_back(rng.below(12));  // many ties
  const TileScores tiles = row(score);
  const std::vector<Outline> truth{square(1000, 0, 1500, "tumor")};
  double wins = 0;
  double pairs = 0;
  for (int p = 10; p < 25; ++p) {
    for (int n = 0; n < 60; ++n) {
      if (n >= 10 && n < 25) continue;
      ++pairs;
      wins += score[static_cast<size_t>(p)] > score[static_cast<size_t>(n)]    ? 1
              : score[static_cast<size_t>(p)] == score[static_cast<size_t>(n)] ? 0.5
                                                                               : 0;
    }
  }
  EXPECT_NEAR(localisation(tiles, truth, "tumor").auc, wins / pairs, 1e-12);
}

TEST(Localisation, SmallOverlapsDoNotMakeATilePositive) {
  LocalisationOptions options;
  options.min_overlap = 0.05;
  const std::vector<Outline> truth{square(90, 0, 20, "tumor")};  // 2 % of two tiles
  const Localisation out = localisation(row({1, 2, 3}), truth, "tumor", options);
  EXPECT_EQ(out.positive_tiles, 0);
  EXPECT_TRUE(std::isnan(out.auc));
}

TEST(Localisation, WithoutTilesOrFociNothingIsInvented) {
  TileScores none;
  const Localisation empty = localisation(none, {}, "tumor");
  EXPECT_TRUE(std::isnan(empty.auc));
  EXPECT_TRUE(std::isnan(empty.top_k_precision));
  const Localisation negative = localisation(row({1, 2}), {}, "tumor");
  EXPECT_TRUE(std::isnan(negative.auc));
  EXPECT_TRUE(std::isnan(negative.focus_recall));
  EXPECT_EQ(negative.top_k_precision, 0);
}

TEST(Localisation, RefusesScoresThatAreNoNumbers) {
  EXPECT_THROW(localisation(row({1, std::numeric_limits<double>::quiet_NaN()}), {}, "tumor"),
               attn::Error);
  TileScores tiles = row({1, 2});
  tiles.coords.pop_back();
  EXPECT_THROW(localisation(tiles, {}, "tumor"), attn::Error);
}

}  // namespace
}  // namespace pathology
