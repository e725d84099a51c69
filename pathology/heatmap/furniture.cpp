#include "pathology/heatmap/furniture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace pathology {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;

// Capital letters of this font are 22 units high at scale 1.
double font_scale(double height) {
  return height / 22;
}

std::string ascii(const std::string& text) {
  std::string out = text;
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
  }
  return out;
}

void draw_color_bar(cv::Mat& page, const cv::Rect& bar, const ColorMap& colors, double text) {
  for (int y = 0; y < bar.height; ++y) {
    const std::array<uint8_t, 3> c =
        colors(1 - static_cast<double>(y) / std::max(bar.height - 1, 1));
    page(cv::Rect(bar.x, bar.y + y, bar.width, 1)).setTo(cv::Scalar(c[0], c[1], c[2]));
  }
  cv::rectangle(page, bar, cv::Scalar(60, 60, 60), 1);
  for (int tick = 0; tick <= 100; tick += 25) {
    const int y = bar.y + static_cast<int>(std::lround((100 - tick) / 100.0 * (bar.height - 1)));
    cv::line(page, {bar.x + bar.width, y}, {bar.x + bar.width + 5, y}, cv::Scalar(60, 60, 60), 1);
    put_text(page, std::to_string(tick), {bar.x + bar.width + 9, y + static_cast<int>(text / 2)},
             text);
  }
}

std::string length_text(double um) {
  return um >= 1000 ? fmt::format("{:g} mm", um / 1000) : fmt::format("{:g} um", um);
}

}  // namespace

double scale_bar_um(double um_per_pixel, int width, double share) {
  const double most = std::max(um_per_pixel * width * share, 1.0);
  const double decade = std::pow(10, std::floor(std::log10(most)));
  for (const double step : {5.0, 2.0}) {
    if (step * decade <= most) return step * decade;
  }
  return decade;
}

void put_text(cv::Mat& rgb, const std::string& text, cv::Point origin, double height,
              const cv::Scalar& color) {
  const int thick = std::max(1, static_cast<int>(std::lround(height / 12)));
  cv::putText(rgb, ascii(text), origin, kFont, font_scale(height), color, thick, cv::LINE_AA);
}

int text_width(const std::string& text, double height) {
  int baseline = 0;
  const int thick = std::max(1, static_cast<int>(std::lround(height / 12)));
  return cv::getTextSize(ascii(text), kFont, font_scale(height), thick, &baseline).width;
}

cv::Mat with_furniture(const cv::Mat& picture, const Furniture& furniture, const ColorMap& colors) {
  const double text = std::clamp(std::max(picture.cols, picture.rows) / 110.0, 8.0, 24.0);
  const int gap = static_cast<int>(text);
  const int top = furniture.title.empty() ? 0 : static_cast<int>(3 * text);
  const int bottom = furniture.um_per_pixel ? static_cast<int>(4 * text) : 0;
  const int label = text_width("100", text) + 9;
  const int heading = text_width("in this slide", text);
  const int right = furniture.color_bar ? std::max(gap + 2 * gap + label, heading + gap) + gap : 0;
  const int height = std::max(picture.rows, furniture.color_bar ? static_cast<int>(14 * text) : 0);
  const int width =
      std::max(picture.cols + right,
               furniture.title.empty() ? 0 : text_width(furniture.title, 1.3 * text) + 2 * gap);
  cv::Mat page(height + top + bottom, width, CV_8UC3, cv::Scalar(255, 255, 255));
  picture.copyTo(page(cv::Rect(0, top, picture.cols, picture.rows)));
  if (!furniture.title.empty())
    put_text(page, furniture.title, {gap, static_cast<int>(2 * text)}, 1.3 * text);
  if (furniture.color_bar) {
    const int x = picture.cols + gap;
    put_text(page, "attention", {x, top + static_cast<int>(1.4 * text)}, text);
    put_text(page, "percentile", {x, top + static_cast<int>(3.0 * text)}, text);
    put_text(page, "in this slide", {x, top + static_cast<int>(4.6 * text)}, text);
    const int from = top + static_cast<int>(6.1 * text);
    const int tall = std::min(height - static_cast<int>(7.6 * text), static_cast<int>(30 * text));
    draw_color_bar(page, {x, from, 2 * gap, std::max(tall, 2)}, colors, text);
  }
  if (furniture.um_per_pixel) {
    const double um = scale_bar_um(*furniture.um_per_pixel, picture.cols);
    const int length = std::max(static_cast<int>(std::lround(um / *furniture.um_per_pixel)), 1);
    const int y = top + height + static_cast<int>(1.2 * text);
    page(cv::Rect(gap, y, std::min(length, page.cols - gap), std::max(gap / 3, 2)))
        .setTo(cv::Scalar(20, 20, 20));
    put_text(page, length_text(um), {gap, y + static_cast<int>(2.2 * text)}, text);
  }
  return page;
}

}  // namespace pathology
