// What turns tiles into feature vectors.
#pragma once

#include <memory>
#include <opencv2/core/mat.hpp>
#include <span>
#include <string>
#include <vector>

namespace pathology {

/// One dimension of an encoder's output.
struct FeatureName {
  std::string name;     ///< short, unique, [a-z0-9_.]
  std::string meaning;  ///< one phrase with its unit
};

/// An encoder: a deterministic function of a tile's pixels and resolution. One object serves all
/// threads.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Name and version as written to files and model metadata, "stain-stats-v1": a change of any
  /// output changes it.
  virtual const std::string& name() const = 0;
  /// One entry per dimension, in order.
  virtual const std::vector<FeatureName>& feature_names() const = 0;
  int64_t dim() const { return static_cast<int64_t>(feature_names().size()); }
  /// Tiles that `encode` likes to get at once.
  virtual int batch_size() const { return 1; }
  /// Features of `tiles` (RGB, 8UC3, any size of at least 8 x 8) at `mpp` microns per pixel (0:
  /// unknown, taken as 0.5). out: (tiles, dim), row by row, all finite.
  virtual void encode(std::span<const cv::Mat> tiles, double mpp, std::span<float> out) const = 0;
};

/// The encoder of that name. Throws attn::UsageError that lists the known names.
std::unique_ptr<Encoder> make_encoder(const std::string& name);
/// Names that `make_encoder` knows, the default first.
std::vector<std::string> encoder_names();

}  // namespace pathology
