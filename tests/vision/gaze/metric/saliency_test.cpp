// Conditional saliency by hand and by what must hold.
#include "vision/gaze/metric/saliency.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "tests/vision/gaze/metric/paths.h"

namespace gaze {
namespace {

using Values = std::vector<double>;

const Values kValues{0.1, 0.2, 0.2, 0.0, 0.4, 0.1};
const SaliencyMap kMap{kValues, 2, 3};

TEST(Saliency, PixelOfAFixation) {
  const Pixel inside = pixel_of({2.9, 1.2}, 2, 3);
  EXPECT_EQ(inside.row, 1);
  EXPECT_EQ(inside.column, 2);
  for (const Fixation& off : {Fixation{3, 1}, {-0.1, 1}, {1, 2}, {kNaN, 0}, {1e300, 0}})
    EXPECT_EQ(pixel_of(off, 2, 3).row, -1);
}

TEST(Saliency, NssByHand) {
  // Mean 1/6; squares of the deviations sum to 0.26 - 1/6.
  const double sd = std::sqrt((0.26 - 1.0 / 6) / 5);
  EXPECT_NEAR(conditional_nss(kMap, {1, 1}), (0.4 - 1.0 / 6) / sd, 1e-12);
  double sum = 0;
  for (int64_t i = 0; i < 6; ++i) sum += conditional_nss(kMap, {i / 3, i % 3});
  EXPECT_NEAR(sum, 0, 1e-12);
  const Values flat(6, 0.3);
  EXPECT_EQ(conditional_nss({flat, 2, 3}, {0, 0}), 0);
  EXPECT_EQ(conditional_nss({Values{1.0}, 1, 1}, {0, 0}), 0);
}

TEST(Saliency, NssIsBlindToScaleAndShift) {
  Values moved = kValues;
  for (double& v : moved) v = 3 * v + 7;
  EXPECT_NEAR(conditional_nss({moved, 2, 3}, {0, 1}), conditional_nss(kMap, {0, 1}), 1e-12);
}

TEST(Saliency, InformationGain) {
  const Values even(6, 1.0 / 6);
  const SaliencyMap prior{even, 2, 3};
  EXPECT_NEAR(conditional_information_gain(kMap, prior, {1, 1}), std::log2(2.4), 1e-12);
  EXPECT_EQ(conditional_information_gain(kMap, kMap, {0, 1}), 0);
  EXPECT_NEAR(conditional_information_gain(kMap, prior, {1, 0}), std::log2(2.2204e-16 * 6), 1e-9);
  EXPECT_TRUE(std::isnan(
      conditional_information_gain({Values{2, -1}, 1, 2}, {Values{1, 0}, 1, 2}, {0, 0})));
  EXPECT_THROW(conditional_information_gain(kMap, {even, 3, 2}, {0, 0}), std::logic_error);
}

TEST(Saliency, AucByHand) {
  EXPECT_EQ(conditional_auc(kMap, {1, 1}), 1);
  EXPECT_EQ(conditional_auc(kMap, {1, 1}, AucRule::rank), 1);
  // One above, one equal, three below.
  EXPECT_DOUBLE_EQ(conditional_auc(kMap, {0, 1}), 1 - 0.4 / 2);
  EXPECT_DOUBLE_EQ(conditional_auc(kMap, {0, 1}, AucRule::rank), 1 - 1.5 / 5);
  EXPECT_EQ(conditional_auc(kMap, {1, 0}), 0.5);
  EXPECT_EQ(conditional_auc(kMap, {1, 0}, AucRule::rank), 0);
  double sum = 0;
  for (int64_t i = 0; i < 6; ++i) sum += conditional_auc(kMap, {i / 3, i % 3}, AucRule::rank);
  EXPECT_NEAR(sum / 6, 0.5, 1e-12);
}

TEST(Saliency, Undefined) {
  const Values odd{0.1, kNaN, 0.2, 0.0, 0.4, 0.1};
  for (const Pixel& off : {Pixel{-1, -1}, {2, 0}, {0, 3}}) {
    EXPECT_TRUE(std::isnan(conditional_nss(kMap, off)));
    EXPECT_TRUE(std::isnan(conditional_auc(kMap, off)));
    EXPECT_TRUE(std::isnan(conditional_information_gain(kMap, kMap, off)));
  }
  EXPECT_TRUE(std::isnan(conditional_nss({odd, 2, 3}, {0, 0})));
  EXPECT_TRUE(std::isnan(conditional_auc({odd, 2, 3}, {0, 0})));
  EXPECT_TRUE(std::isnan(conditional_auc({Values{1.0}, 1, 1}, {0, 0})));
  EXPECT_TRUE(std::isnan(conditional_nss({{}, 0, 0}, {0, 0})));
  EXPECT_THROW(conditional_nss({kValues, 3, 3}, {0, 0}), std::logic_error);
}

}  // namespace
}  // namespace gaze
