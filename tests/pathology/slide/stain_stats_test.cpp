#include "pathology/slide/stain_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <opencv2/imgproc.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "pathology/slide/encoder.h"
#include "tests/pathology/slide/slide_support.h"

namespace pathology {
namespace {

std::map<std::string, double> encode(const cv::Mat& tile, double mpp = 0.5) {
  const StainStatsEncoder encoder;
  std::vector<float> out(static_cast<std::size_t>(encoder.dim()), std::nanf(""));
  encoder.encode(std::span(&tile, 1), mpp, out);
  std::map<std::string, double> named;
  for (std::size_t i = 0; i < out.size(); ++i) named[encoder.feature_names()[i].name] = out[i];
  return named;
}

void expect_finite(const cv::Mat& tile, double mpp = 0.5) {
  for (const auto& [name, value] : encode(tile, mpp))
    EXPECT_TRUE(std::isfinite(value)) << name << " " << tile.size();
}

TEST(StainStats, NamesAreUniqueAndCountTheDimensions) {
  const auto encoder = make_encoder("stain-stats-v1");
  std::set<std::string> names;
  for (const FeatureName& feature : encoder->feature_names()) {
    EXPECT_TRUE(names.insert(feature.name).second) << feature.name;
    EXPECT_FALSE(feature.meaning.empty());
  }
  EXPECT_EQ(encoder->dim(), static_cast<int64_t>(names.size()));
  EXPECT_THROW(make_encoder("stain-stat"), attn::UsageError);
  EXPECT_THAT(attn::test::sentence_of([] { make_encoder("stain-stats"); }),
              ::testing::HasSubstr("stain-stats-v1"));
}

TEST(StainStats, FiniteOnEveryOddTile) {
  for (const int grey : {0, 1, 127, 254, 255})
    expect_finite(cv::Mat(256, 256, CV_8UC3, cv::Scalar::all(grey)));
  for (int c = 0; c < 3; ++c) {
    cv::Scalar pure(0, 0, 0);
    pure[c] = 255;
    expect_finite(cv::Mat(64, 64, CV_8UC3, pure));
  }
  cv::Mat noise(256, 256, CV_8UC3);
  cv::RNG(3).fill(noise, cv::RNG::UNIFORM, 0, 256);
  for (const double mpp : {0.05, 0.25, 0.5, 2.0, 20.0, 0.0}) expect_finite(noise, mpp);
  for (const cv::Size size : {cv::Size(8, 8), cv::Size(8, 300), cv::Size(257, 9)})
    expect_finite(cv::Mat(size, CV_8UC3, cv::Scalar(200, 120, 160)));
  cv::Mat half = cv::Mat::zeros(256, 256, CV_8UC3);
  half.colRange(0, 128).setTo(cv::Scalar::all(255));
  expect_finite(half);
}

/// More regions and maxima than 16 bits count: a dot of 4 px every 9 px.
TEST(StainStats, ALargeTileOfManyRegions) {
  cv::Mat dots(4096, 4096, CV_8UC3, cv::Scalar(235, 180, 205));
  for (int y = 0; y + 4 <= dots.rows; y += 9)
    for (int x = 0; x + 4 <= dots.cols; x += 9)
      dots(cv::Rect(x, y, 4, 4)).setTo(cv::Scalar(60, 40, 120));
  const auto f = encode(dots, 2.0);
  const double regions = 455.0 * 455.0, tile_area = 4096.0 * 4096.0 * 4.0;
  EXPECT_NEAR(f.at("nuclei.density") * tile_area / 1000, regions, 1);
  for (const auto& [name, value] : f) EXPECT_TRUE(std::isfinite(value)) << name;
}

TEST(StainStats, ColourStatisticsAreTheirDefinitions) {
  // Left half (200, 100, 50), right half (100, 100, 150).
  cv::Mat tile(64, 64, CV_8UC3, cv::Scalar(200, 100, 50));
  tile.colRange(32, 64).setTo(cv::Scalar(100, 100, 150));
  const auto f = encode(tile);
  EXPECT_NEAR(f.at("red.mean"), 150 / 255.0, 1e-6);
  EXPECT_NEAR(f.at("red.sd"), 50 / 255.0, 1e-6);
  EXPECT_NEAR(f.at("red.skewness"), 0, 1e-6);
  EXPECT_NEAR(f.at("red.p10"), 100 / 255.0, 1e-6);
  EXPECT_NEAR(f.at("red.p90"), 200 / 255.0, 1e-6);
  EXPECT_NEAR(f.at("green.sd"), 0, 1e-6);
  EXPECT_NEAR(f.at("value.mean"), 175 / 255.0, 1e-6);
}

TEST(StainStats, StainSeparationIsTheInverseMatrix) {
  const cv::Matx33d stains(0.650, 0.704, 0.286, 0.072, 0.990, 0.105, 0.268, 0.570, 0.776);
  for (const cv::Vec3d& wanted :
       {cv::Vec3d(0.8, 0.1, 0), cv::Vec3d(0.1, 0.6, 0.05), cv::Vec3d(0.4, 0.4, 0.1)}) {
    const cv::Vec3d density = stains.t() * wanted;
    cv::Scalar colour;
    for (int c = 0; c < 3; ++c) colour[c] = std::round(256 * std::pow(10, -density[c]) - 1);
    const auto f = encode(cv::Mat(32, 32, CV_8UC3, colour));
    EXPECT_NEAR(f.at("haematoxylin.mean"), wanted[0], 0.03);
    EXPECT_NEAR(f.at("eosin.mean"), wanted[1], 0.03);
    EXPECT_NEAR(f.at("residual.mean"), wanted[2], 0.03);
  }
}

/// Pink tissue with `count` x `count` blue discs of `radius` px.
cv::Mat nuclei(int count, int radius) {
  cv::Mat tile(256, 256, CV_8UC3, cv::Scalar(235, 180, 205));
  for (int i = 0; i < count * count; ++i)
    cv::circle(
        tile,
        {(2 * (i % count) + 1) * 256 / (2 * count), (2 * (i / count) + 1) * 256 / (2 * count)},
        radius, cv::Scalar(90, 60, 150), cv::FILLED);
  return tile;
}

TEST(StainStats, NucleiAreCountedAndMeasuredInMicrons) {
  for (const double mpp : {0.25, 0.5}) {
    const int radius = static_cast<int>(3 / mpp);  // 3 um
    const auto f = encode(nuclei(5, radius), mpp);
    const double tile_area = 256 * 256 * mpp * mpp;
    EXPECT_NEAR(f.at("nuclei.density") * tile_area / 1000, 25, 1e-3) << mpp;
    EXPECT_NEAR(f.at("nuclei.peak_density") * tile_area / 1000, 25, 1e-3) << mpp;
    EXPECT_NEAR(f.at("nuclei.area_mean"), 3.14159 * 9, 0.2 * 3.14159 * 9) << mpp;
    EXPECT_NEAR(f.at("nuclei.spacing_mean"), 256 * mpp / 5, 1) << mpp;
    EXPECT_GT(f.at("nuclei.roundness_mean"), 0.95) << mpp;
  }
}

TEST(StainStats, TurningATileChangesNothingButRounding) {
  cv::Mat tile = nuclei(4, 9), turned;
  cv::circle(tile, {40, 200}, 20, cv::Scalar(100, 60, 150), cv::FILLED);
  cv::rotate(tile, turned, cv::ROTATE_90_CLOCKWISE);
  const auto a = encode(tile), b = encode(turned);
  for (const auto& [name, value] : a)
    EXPECT_NEAR(value, b.at(name), 1e-3 * (1 + std::abs(value))) << name;
}

TEST(StainStats, TheSameFromEveryThread) {
  const StainStatsEncoder encoder;
  const cv::Mat tile = nuclei(6, 7);
  std::vector<std::vector<float>> outs(4,
                                       std::vector<float>(static_cast<std::size_t>(encoder.dim())));
  {
    std::vector<std::jthread> threads;
    for (auto& out : outs)
      threads.emplace_back([&] { encoder.encode(std::span(&tile, 1), 0.5, out); });
  }
  for (const auto& out : outs) EXPECT_EQ(out, outs[0]);
}

TEST(StainStats, RefusesWhatIsNoTile) {
  const StainStatsEncoder encoder;
  std::vector<float> out(static_cast<std::size_t>(encoder.dim()));
  const cv::Mat tiny(4, 4, CV_8UC3), grey(64, 64, CV_8UC1);
  EXPECT_THROW(encoder.encode(std::span(&tiny, 1), 0.5, out), attn::Error);
  EXPECT_THROW(encoder.encode(std::span(&grey, 1), 0.5, out), attn::Error);
}

/// The page on the encoder lists its dimensions; this is the list as it must stand there.
std::string expected_table() {
  std::ostringstream table;
  table << "| # | name | meaning |\n|---|---|---|\n";
  int index = 0;
  const StainStatsEncoder encoder;
  for (const FeatureName& f : encoder.feature_names())
    table << "| " << index++ << " | " << f.name << " | " << f.meaning << " |\n";
  return table.str();
}

TEST(StainStats, TheDocumentedTableIsTheEncoders) {
  const std::string page =
      attn::test::slurp(std::filesystem::path(ATTN_SOURCE_DIR) / "docs/attn-mil-encoder.md");
  const auto written = std::filesystem::path(ATTN_BINARY_DIR) / "attn-mil-encoder-table.md";
  if (page.find(expected_table()) != std::string::npos) return;
  attn::test::put(written, expected_table());
  FAIL() << "docs/attn-mil-encoder.md does not hold the encoder's table; it was written to "
         << written;
}

}  // namespace
}  // namespace pathology
