#include "pathology/slide/stain_stats.h"

#include <array>
#include <cassert>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "attn/error.h"
#include "pathology/slide/plane_stats.h"

namespace pathology {
namespace {

constexpr double kUnknownMpp = 0.5;
constexpr int kMinSide = 8;

// Stain concentrations are kept in 8 bits: bin = (density + 0.5) * 127.5, density -0.5 to 1.5.
constexpr double kDensityPerBin = 1 / 127.5;
constexpr double kDensityZeroBin = 63.75;

/// Concentrations of haematoxylin, eosin and residual in optical density (base 10), by the inverse
/// of the matrix of stain vectors; per channel and value in 1/64 bins, so that a pixel takes nine
/// look-ups and six sums of whole numbers.
class StainTable {
 public:
  StainTable() {
    const cv::Matx33d stains(0.650, 0.704, 0.286,   // haematoxylin
                             0.072, 0.990, 0.105,   // eosin
                             0.268, 0.570, 0.776);  // residual
    const cv::Matx33d unmix = stains.inv();
    for (int channel = 0; channel < 3; ++channel)
      for (int value = 0; value < 256; ++value)
        for (int stain = 0; stain < 3; ++stain) {
          const double density = -std::log10((value + 1) / 256.0);
          table_[channel][value][stain] = static_cast<int32_t>(
              std::lround(density * unmix(channel, stain) / kDensityPerBin * 64));
        }
  }

  void separate(const cv::Mat& rgb, std::array<cv::Mat, 3>& stains) const {
    for (cv::Mat& stain : stains) stain.create(rgb.size(), CV_8UC1);
    constexpr auto kOffset = static_cast<int32_t>(kDensityZeroBin * 64 + 32);  // half a bin rounds
    const int width = rgb.cols;
    for (int y = 0; y < rgb.rows; ++y) {
      const uint8_t* from = rgb.ptr<uint8_t>(y);
      uint8_t* h = stains[0].ptr<uint8_t>(y);
      uint8_t* e = stains[1].ptr<uint8_t>(y);
      uint8_t* r = stains[2].ptr<uint8_t>(y);
      for (int x = 0; x < width; ++x, from += 3) {
        const int32_t* red = table_[0][from[0]].data();
        const int32_t* green = table_[1][from[1]].data();
        const int32_t* blue = table_[2][from[2]].data();
        const auto bin = [&](int stain) {
          return cv::saturate_cast<uint8_t>((red[stain] + green[stain] + blue[stain] + kOffset) >>
                                            6);
        };
        h[x] = bin(0);
        e[x] = bin(1);
        r[x] = bin(2);
      }
    }
  }

 private:
  std::array<std::array<std::array<int32_t, 3>, 256>, 3> table_{};
};

struct Planes {
  std::array<cv::Mat, 3> rgb, hsv, lab, stain;
};

Planes split_planes(const cv::Mat& rgb) {
  static const StainTable kStains;
  Planes planes;
  cv::Mat converted;
  cv::split(rgb, planes.rgb.data());
  cv::cvtColor(rgb, converted, cv::COLOR_RGB2HSV);
  cv::split(converted, planes.hsv.data());
  cv::cvtColor(rgb, converted, cv::COLOR_RGB2Lab);
  cv::split(converted, planes.lab.data());
  kStains.separate(rgb, planes.stain);
  return planes;
}

/// Mean direction of the hue, each pixel weighted by its saturation: a length of 1 means one hue, 0
/// all hues or grey.
void put_hue(FeatureSink& sink, const cv::Mat& hue, const cv::Mat& saturation) {
  std::array<int64_t, 180> weights{};
  const int width = hue.cols;
  for (int y = 0; y < hue.rows; ++y) {
    const uint8_t* h = hue.ptr<uint8_t>(y);
    const uint8_t* s = saturation.ptr<uint8_t>(y);
    for (int x = 0; x < width; ++x) weights[h[x]] += s[x];
  }
  double cosine = 0, sine = 0, total = 0;
  for (std::size_t bin = 0; bin < weights.size(); ++bin) {
    const double angle = static_cast<double>(bin) * std::numbers::pi / 90;
    const auto weight = static_cast<double>(weights[bin]);
    cosine += weight * std::cos(angle);
    sine += weight * std::sin(angle);
    total += weight;
  }
  const double scale = total > 0 ? 1 / total : 0;
  sink.put(cosine * scale);
  sink.put(sine * scale);
  sink.put(std::hypot(cosine, sine) * scale);
}

/// Shares of the tile: background, dark, mostly haematoxylin, mostly eosin.
void put_shares(FeatureSink& sink, const Planes& planes) {
  constexpr auto kStained = static_cast<int>(kDensityZeroBin + 0.15 / kDensityPerBin);
  int64_t background = 0, dark = 0, haematoxylin = 0, eosin = 0;
  const cv::Mat& first = planes.rgb[0];
  const int width = first.cols;
  for (int y = 0; y < first.rows; ++y) {
    const uint8_t* s = planes.hsv[1].ptr<uint8_t>(y);
    const uint8_t* v = planes.hsv[2].ptr<uint8_t>(y);
    const uint8_t* h = planes.stain[0].ptr<uint8_t>(y);
    const uint8_t* e = planes.stain[1].ptr<uint8_t>(y);
    for (int x = 0; x < width; ++x) {
      background += static_cast<int>(s[x] < 20) & static_cast<int>(v[x] > 200);
      dark += static_cast<int>(v[x] < 60);
      haematoxylin += static_cast<int>(h[x] > kStained) & static_cast<int>(h[x] >= e[x]);
      eosin += static_cast<int>(e[x] > kStained) & static_cast<int>(e[x] > h[x]);
    }
  }
  const auto total = static_cast<double>(first.total());
  for (const int64_t count : {background, dark, haematoxylin, eosin})
    sink.put(static_cast<double>(count) / total);
}

/// Plane, what it is, scale and offset from its 8 bits to its unit.
struct PlaneName {
  const char* name;
  const char* phrase;
  double scale, offset;
};
constexpr std::array<PlaneName, 11> kPlanes{{
    {"red", "red (0 to 1)", 1 / 255.0, 0},
    {"green", "green (0 to 1)", 1 / 255.0, 0},
    {"blue", "blue (0 to 1)", 1 / 255.0, 0},
    {"saturation", "HSV saturation (0 to 1)", 1 / 255.0, 0},
    {"value", "HSV value (0 to 1)", 1 / 255.0, 0},
    {"lab_l", "CIE L* (0 to 100)", 100 / 255.0, 0},
    {"lab_a", "CIE a* (green to red)", 1, -128},
    {"lab_b", "CIE b* (blue to yellow)", 1, -128},
    {"haematoxylin", "haematoxylin (optical density)", kDensityPerBin,
     -kDensityZeroBin* kDensityPerBin},
    {"eosin", "eosin (optical density)", kDensityPerBin, -kDensityZeroBin* kDensityPerBin},
    {"residual", "residual stain (optical density)", kDensityPerBin,
     -kDensityZeroBin* kDensityPerBin},
}};

std::vector<FeatureName> all_names() {
  std::vector<FeatureName> names;
  for (const PlaneName& plane : kPlanes) name_statistics(names, plane.name, plane.phrase);
  names.push_back({"hue.cos", "cosine of the hue, mean weighted by saturation"});
  names.push_back({"hue.sin", "sine of the hue, mean weighted by saturation"});
  names.push_back(
      {"hue.concentration", "length of the mean hue vector: 1 one hue, 0 grey or all hues"});
  names.push_back({"share.background", "share of bright, unsaturated pixels (S < 0.08, V > 0.78)"});
  names.push_back({"share.dark", "share of pixels with V < 0.24"});
  names.push_back(
      {"share.haematoxylin", "share of pixels with haematoxylin > 0.15 and not below eosin"});
  names.push_back({"share.eosin", "share of pixels with eosin > 0.15 and above haematoxylin"});
  name_texture(names, "luminance", "L* in 8 bits");
  name_texture(names, "haematoxylin", "haematoxylin in bins of 0.0078 optical density");
  name_nuclei(names);
  return names;
}

void encode_one(const cv::Mat& rgb, double mpp, float* out) {
  const Planes p = split_planes(rgb);
  const std::array<const cv::Mat*, 11> planes = {&p.rgb[0],   &p.rgb[1],   &p.rgb[2],  &p.hsv[1],
                                                 &p.hsv[2],   &p.lab[0],   &p.lab[1],  &p.lab[2],
                                                 &p.stain[0], &p.stain[1], &p.stain[2]};
  FeatureSink sink(out);
  for (std::size_t i = 0; i < planes.size(); ++i)
    put_statistics(sink, *planes[i], kPlanes[i].scale, kPlanes[i].offset);
  put_hue(sink, p.hsv[0], p.hsv[1]);
  put_shares(sink, p);
  put_texture(sink, p.lab[0], mpp);
  put_texture(sink, p.stain[0], mpp);
  put_nuclei(sink, p.stain[0], kDensityPerBin, kDensityZeroBin, mpp);
  assert(sink.end() == out + StainStatsEncoder().dim());
}

}  // namespace

StainStatsEncoder::StainStatsEncoder() : features_(all_names()) {}

void StainStatsEncoder::encode(std::span<const cv::Mat> tiles, double mpp,
                               std::span<float> out) const {
  const auto dim = features_.size();
  if (out.size() != tiles.size() * dim) throw std::logic_error("encode: out has the wrong size");
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    if (tiles[i].type() != CV_8UC3 || tiles[i].rows < kMinSide || tiles[i].cols < kMinSide)
      throw attn::Error("the encoder was given a tile of " + std::to_string(tiles[i].cols) + " x " +
                        std::to_string(tiles[i].rows) + " px; expected RGB of at least 8 x 8");
    encode_one(tiles[i], mpp > 0 ? mpp : kUnknownMpp, out.data() + i * dim);
  }
}

}  // namespace pathology
