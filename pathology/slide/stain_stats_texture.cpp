// Texture of one plane, for the built-in encoder.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "pathology/slide/plane_stats.h"

namespace pathology {
namespace {

constexpr int kScales = 5;        // means over 2, 4, 8, 16, 32 px
constexpr int kPatternBins = 10;  // riu2 of 8 neighbours
constexpr int kGreys = 8;         // levels of co-occurrence

/// Sobel |dx| + |dy| in eighths, so that it is in grey levels per px, and Laplacian.
void put_gradients(FeatureSink& sink, const cv::Mat& plane) {
  cv::Mat dx, dy, laplacian;
  cv::Sobel(plane, dx, CV_16S, 1, 0);
  cv::Sobel(plane, dy, CV_16S, 0, 1);
  cv::Mat magnitude(plane.size(), CV_8UC1);
  const int width = plane.cols;
  for (int y = 0; y < plane.rows; ++y) {
    const int16_t* a = dx.ptr<int16_t>(y);
    const int16_t* b = dy.ptr<int16_t>(y);
    uint8_t* m = magnitude.ptr<uint8_t>(y);
    // At most (1020 + 1020) / 8 = 255.
    for (int x = 0; x < width; ++x)
      m[x] = static_cast<uint8_t>((std::abs(a[x]) + std::abs(b[x])) >> 3);
  }
  const HistogramStats edges = statistics(histogram(magnitude));
  sink.put(edges.mean);
  sink.put(edges.sd);
  sink.put(edges.p90);
  cv::Laplacian(plane, laplacian, CV_16S);
  int64_t absolute = 0, square = 0, sum = 0;
  for (int y = 0; y < plane.rows; ++y) {
    const int16_t* row = laplacian.ptr<int16_t>(y);
    int32_t row_absolute = 0, row_sum = 0;
    int64_t row_square = 0;
    for (int x = 0; x < width; ++x) {
      row_absolute += std::abs(row[x]);
      row_sum += row[x];
      row_square += static_cast<int32_t>(row[x]) * row[x];
    }
    absolute += row_absolute;
    sum += row_sum;
    square += row_square;
  }
  const auto n = static_cast<double>(plane.total());
  const double mean = static_cast<double>(sum) / n;
  sink.put(static_cast<double>(absolute) / n);
  sink.put(std::sqrt(std::max(0.0, static_cast<double>(square) / n - mean * mean)));
}

/// Standard deviation of the plane after means over 2^k x 2^k px: how the contrast is spread over
/// sizes.
void put_scales(FeatureSink& sink, const cv::Mat& plane) {
  cv::Mat coarse = plane;
  for (int k = 0; k < kScales; ++k) {
    const cv::Size half(std::max(1, coarse.cols / 2), std::max(1, coarse.rows / 2));
    cv::Mat reduced;
    cv::resize(coarse, reduced, half, 0, 0, cv::INTER_AREA);
    coarse = reduced;
    sink.put(statistics(histogram(coarse)).sd);
  }
}

std::array<uint8_t, 256> make_pattern_table() {
  std::array<uint8_t, 256> table{};
  for (unsigned code = 0; code < 256; ++code) {
    const auto byte = static_cast<uint8_t>(code);
    const int changes = std::popcount(static_cast<uint8_t>(byte ^ std::rotl(byte, 1)));
    table[code] = static_cast<uint8_t>(changes <= 2 ? std::popcount(byte) : kPatternBins - 1);
  }
  return table;
}

/// Shares of the rotation-invariant uniform patterns of the 8 neighbours not below the centre.
void put_patterns(FeatureSink& sink, const cv::Mat& plane) {
  static const std::array<uint8_t, 256> kTable = make_pattern_table();
  cv::Mat codes(plane.rows - 2, plane.cols - 2, CV_8UC1);
  const int width =
      codes.cols;  // a local: stores of uint8_t may alias a member, which forbids SIMD
  for (int y = 0; y < codes.rows; ++y) {
    const uint8_t* up = plane.ptr<uint8_t>(y);
    const uint8_t* mid = plane.ptr<uint8_t>(y + 1);
    const uint8_t* low = plane.ptr<uint8_t>(y + 2);
    uint8_t* code = codes.ptr<uint8_t>(y);
    for (int x = 0; x < width; ++x) {
      const uint8_t c = mid[x + 1];
      const auto bit = [c](uint8_t neighbour, int place) {
        return static_cast<uint8_t>(static_cast<uint8_t>(neighbour >= c) << place);
      };
      code[x] = static_cast<uint8_t>(bit(up[x], 0) | bit(up[x + 1], 1) | bit(up[x + 2], 2) |
                                     bit(mid[x + 2], 3) | bit(low[x + 2], 4) | bit(low[x + 1], 5) |
                                     bit(low[x], 6) | bit(mid[x], 7));
    }
  }
  const Histogram counts = histogram(codes);
  std::array<int64_t, kPatternBins> patterns{};
  for (std::size_t code = 0; code < counts.size(); ++code) patterns[kTable[code]] += counts[code];
  for (const int64_t count : patterns)
    sink.put(static_cast<double>(count) / static_cast<double>(codes.total()));
}

/// Counts of pairs (8 a + b) of grey levels `dx` to the right and `dy` below one another.
Histogram count_pairs(const cv::Mat& plane, int dx, int dy) {
  cv::Mat pairs(plane.rows - dy, plane.cols - dx, CV_8UC1);
  const int width = pairs.cols;
  for (int y = 0; y < pairs.rows; ++y) {
    const uint8_t* a = plane.ptr<uint8_t>(y);
    const uint8_t* b = plane.ptr<uint8_t>(y + dy) + dx;
    uint8_t* pair = pairs.ptr<uint8_t>(y);
    for (int x = 0; x < width; ++x) pair[x] = static_cast<uint8_t>((a[x] >> 5 << 3) | b[x] >> 5);
  }
  return histogram(pairs);
}

/// Haralick's contrast, homogeneity, energy and correlation over pairs 1 um apart, to the right and
/// below, both ways.
void put_cooccurrence(FeatureSink& sink, const cv::Mat& plane, double mpp) {
  const int distance = std::clamp(static_cast<int>(std::lround(1 / mpp)), 1, 4);
  const std::array<Histogram, 2> pairs = {count_pairs(plane, distance, 0),
                                          count_pairs(plane, 0, distance)};
  std::array<std::array<double, kGreys>, kGreys> joint{};
  double total = 0;
  for (unsigned a = 0; a < kGreys; ++a)
    for (unsigned b = 0; b < kGreys; ++b) {
      const double both = static_cast<double>(pairs[0][a << 3 | b] + pairs[1][a << 3 | b]);
      joint[a][b] += both;
      joint[b][a] += both;
      total += 2 * both;
    }
  double mean = 0, square = 0, product = 0, contrast = 0, homogeneity = 0, energy = 0;
  for (int a = 0; a < kGreys; ++a)
    for (int b = 0; b < kGreys; ++b) {
      const double p = joint[a][b] / total;
      mean += p * a;
      square += p * a * a;
      product += p * a * b;
      contrast += p * (a - b) * (a - b);
      homogeneity += p / (1 + std::abs(a - b));
      energy += p * p;
    }
  const double variance = square - mean * mean;
  sink.put(contrast);
  sink.put(homogeneity);
  sink.put(energy);
  sink.put(variance > 1e-9 ? (product - mean * mean) / variance : 0.0);
}

}  // namespace

void put_texture(FeatureSink& sink, const cv::Mat& plane, double mpp) {
  put_gradients(sink, plane);
  put_scales(sink, plane);
  put_patterns(sink, plane);
  put_cooccurrence(sink, plane, mpp);
}

void name_texture(std::vector<FeatureName>& names, const std::string& plane,
                  const std::string& phrase) {
  const auto add = [&](const std::string& name, const std::string& meaning) {
    names.push_back({plane + "." + name, meaning});
  };
  add("edge_mean", "mean of the Sobel gradient |dx| + |dy| of " + phrase + ", per px");
  add("edge_sd", "standard deviation of that gradient");
  add("edge_p90", "90th percentile of that gradient");
  add("laplacian_mean", "mean absolute Laplacian of " + phrase);
  add("laplacian_sd", "standard deviation of the Laplacian of " + phrase);
  const std::string spread = "standard deviation of " + phrase + " after means over squares of ";
  for (int k = 1; k <= kScales; ++k) {
    const std::string side = std::to_string(1 << k) + "px";
    add("sd_" + side, spread + side);
  }
  for (int k = 0; k < kPatternBins - 1; ++k)
    add("lbp_" + std::to_string(k), "share of uniform local binary patterns with " +
                                        std::to_string(k) +
                                        " of 8 neighbours not below the centre");
  add("lbp_other", "share of local binary patterns that are not uniform");
  add("pair_contrast", "co-occurrence at 1 um, 8 levels: contrast");
  add("pair_homogeneity", "co-occurrence at 1 um, 8 levels: homogeneity");
  add("pair_energy", "co-occurrence at 1 um, 8 levels: energy");
  add("pair_correlation", "co-occurrence at 1 um, 8 levels: correlation, 0 on a flat tile");
}

}  // namespace pathology
