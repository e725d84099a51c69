// The built-in encoder: statistics of stain, colour, texture and nuclei that need no trained
// weights.
//
// Everything is computed from 8-bit planes by whole-number histograms and sums, so the numbers do
// not depend on threads or on the order of work. Lengths that mean something biological are in
// microns. Sources: stain separation, Ruifrok and Johnston, Anal Quant Cytol Histol 2001 (their H,
// E and residual vectors, not fitted to the slide); local binary patterns, Ojala et al., IEEE TPAMI
// 2002 (riu2, 8 neighbours); co-occurrence, Haralick et al., IEEE TSMC 1973; threshold, Otsu 1979.
#pragma once

#include <string>
#include <vector>

#include "pathology/slide/encoder.h"

namespace pathology {

class StainStatsEncoder final : public Encoder {
 public:
  static constexpr const char* kName = "stain-stats-v1";
  StainStatsEncoder();
  const std::string& name() const override { return name_; }
  const std::vector<FeatureName>& feature_names() const override { return features_; }
  int batch_size() const override { return 4; }
  void encode(std::span<const cv::Mat> tiles, double mpp, std::span<float> out) const override;

 private:
  std::string name_ = kName;
  std::vector<FeatureName> features_;
};

}  // namespace pathology
