// The colour maps that heat maps may use.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace pathology {

/// Names that `ColorMap` knows.
const std::vector<std::string>& color_map_names();

/// 256 RGB colours from low to high.
class ColorMap {
 public:
  /// Throws attn::UsageError that lists the names when `name` is none of them.
  explicit ColorMap(const std::string& name);
  /// The colour of a value in [0, 1]; values outside are clamped.
  std::array<uint8_t, 3> operator()(double value) const;

 private:
  std::array<std::array<uint8_t, 3>, 256> colors_{};
};

}  // namespace pathology
