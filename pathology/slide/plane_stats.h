// Statistics of 8-bit planes by their histograms, and the parts of the built-in encoder that are
// made of them.
#pragma once

#include <array>
#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "pathology/slide/encoder.h"

namespace pathology {

/// Where a part of the encoder puts its values, in the order of its names.
class FeatureSink {
 public:
  explicit FeatureSink(float* out) : at_(out) {}
  void put(double value) { *at_++ = static_cast<float>(value); }
  const float* end() const { return at_; }

 private:
  float* at_;
};

using Histogram = std::array<int64_t, 256>;

/// Counts of an 8UC1 plane.
Histogram histogram(const cv::Mat& plane);

/// Moments and percentiles of a histogram in units of bins; skewness 0 where the spread is below
/// half a bin.
struct HistogramStats {
  double mean = 0, sd = 0, skewness = 0, p10 = 0, p50 = 0, p90 = 0;
};
HistogramStats statistics(const Histogram& counts);

/// Puts the six statistics of a plane as `scale` * bin + `offset` (skewness as it is).
void put_statistics(FeatureSink& sink, const cv::Mat& plane, double scale, double offset);
/// Their names: "red.mean", ...; `phrase` tells the plane and its unit.
void name_statistics(std::vector<FeatureName>& names, const std::string& plane,
                     const std::string& phrase);

// stain_stats_texture.cpp: gradients, scales, local binary patterns and co-occurrence of one plane;
// `mpp` sets the distance of co-occurrence (1 um).
void put_texture(FeatureSink& sink, const cv::Mat& plane, double mpp);
void name_texture(std::vector<FeatureName>& names, const std::string& plane,
                  const std::string& phrase);

// stain_stats_nuclei.cpp: nuclei as connected regions of haematoxylin. `haematoxylin` in bins of
// `density_per_bin`, 0 optical density at bin `zero`.
void put_nuclei(FeatureSink& sink, const cv::Mat& haematoxylin, double density_per_bin, double zero,
                double mpp);
void name_nuclei(std::vector<FeatureName>& names);

}  // namespace pathology
