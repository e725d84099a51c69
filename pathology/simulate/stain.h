// The colour of a stained section: Beer-Lambert absorption by haematoxylin, eosin and red cells.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "libattn/random/rng.h"

namespace pathology::sim {

using attn::random::Rng;

using Rgb = std::array<double, 3>;

/// How one slide was stained and scanned. I = I0 exp(-(h H + e E + r R)), with unit stain vectors
/// H, E, R in optical density (Macenko et al. 2009) and the amounts h, e, r of the place.
struct Stain {
  Rgb haematoxylin{};
  Rgb eosin{};
  Rgb red_cell{};
  double haematoxylin_amount = 1;
  double eosin_amount = 1;
  Rgb background{};  ///< I0, 0 to 255
};

/// A hospital's habit (the same for all its slides) with the slide's own deviation. variation 0:
/// textbook stain.
Stain draw_stain(uint64_t seed, int hospital, Rng& slide_rng, double variation);

/// exp(-x) for optical densities by table: x in [0, 4], beyond which light is taken as gone.
class Transmission {
 public:
  Transmission();
  float operator()(float density) const {
    const float at = density * kPerUnit;
    const int i = at <= 0 ? 0 : (at >= kLast ? kLast : static_cast<int>(at));
    return table_[static_cast<size_t>(i)];
  }

 private:
  static constexpr int kPerUnit = 1024;
  static constexpr int kLast = 4 * kPerUnit;
  std::vector<float> table_;
};

}  // namespace pathology::sim
