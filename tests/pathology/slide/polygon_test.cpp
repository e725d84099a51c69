#include "pathology/slide/polygon.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <random>

namespace pathology {
namespace {

/// Contours as they come from a mask of random blobs, scaled as `find_tissue` scales them.
std::vector<std::vector<cv::Point>> random_contours(uint64_t seed, double scale) {
  cv::RNG rng(seed);
  cv::Mat noise(120, 160, CV_8UC1), mask;
  rng.fill(noise, cv::RNG::UNIFORM, 0, 256);
  cv::GaussianBlur(noise, noise, {}, 3);
  cv::threshold(noise, mask, 127, 255, cv::THRESH_BINARY);
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(mask, contours, cv::RETR_CCOMP, cv::CHAIN_APPROX_NONE);
  for (auto& contour : contours)
    for (cv::Point& p : contour) p = {static_cast<int>(p.x * scale), static_cast<int>(p.y * scale)};
  return contours;
}

TEST(Polygon, AgreesWithOpenCvAtEveryKindOfPoint) {
  int64_t compared = 0, on_boundary = 0;
  for (const double scale : {1.0, 3.7}) {
    for (const auto& contour : random_contours(11, scale)) {
      const Polygon polygon(contour);
      const cv::Rect box = cv::boundingRect(contour);
      for (int y = box.y - 1; y <= box.y + box.height; y += scale > 1 ? 2 : 1)
        for (int x = box.x - 1; x <= box.x + box.width; ++x) {
          const int expected =
              static_cast<int>(cv::pointPolygonTest(contour, cv::Point2f(x, y), false));
          ASSERT_EQ(polygon.locate(x, y), expected) << x << "," << y;
          ++compared;
          on_boundary += expected == 0;
        }
      for (const cv::Point& p : contour) ASSERT_EQ(polygon.locate(p.x, p.y), 0);
    }
  }
  EXPECT_GT(compared, 10000);
  EXPECT_GT(on_boundary, 1000);
}

TEST(Polygon, HalfPixels) {
  const Polygon square({{0, 0}, {10, 0}, {10, 10}, {0, 10}});
  EXPECT_EQ(square.locate(5.5, 9.5), 1);
  EXPECT_EQ(square.locate(10, 5.5), 0);
  EXPECT_EQ(square.locate(10.5, 5.5), -1);
}

TEST(Polygon, DegenerateContours) {
  EXPECT_EQ(Polygon({}).locate(0, 0), -1);
  EXPECT_EQ(Polygon({{3, 4}}).locate(3, 4), 0);
  EXPECT_EQ(Polygon({{3, 4}}).locate(4, 4), -1);
  EXPECT_EQ(Polygon({{0, 0}, {4, 0}}).locate(2, 0), 0);
}

}  // namespace
}  // namespace pathology
