// Smooth random fields: coarse ones that cover a slide, and fine textures that repeat.
#pragma once

#include <algorithm>
#include <cmath>
#include <opencv2/core/mat.hpp>

#include "libattn/random/rng.h"

namespace pathology::sim {

using attn::random::Rng;

/// Level-0 pixels per cell of a coarse field. Cell (i, j) is centred on pixel (8 i + 4, 8 j + 4).
inline constexpr int kCell = 8;

/// rows x cols of about normal noise (mean 0, sd 1) without detail finer than `wavelength` cells;
/// every further octave has half the wavelength and `gain` times the amplitude.
cv::Mat1f fractal_noise(Rng& rng, int rows, int cols, double wavelength, int octaves,
                        double gain = 0.5);

/// A coarse field's value at a level-0 pixel, linear between cell centres, constant beyond the
/// outermost.
float sample(const cv::Mat1f& field, double x, double y);

/// The same for every pixel of a block (w x h pixels from (x0, y0)).
cv::Mat1f upsample(const cv::Mat1f& field, const cv::Rect& block);

/// A 1024 x 1024 texture in [0, 1] that repeats without a seam.
class Texture {
 public:
  static constexpr int kSide = 1024;
  /// Octaves of noise with `wave_x` by `wave_y` pixels (powers of two) at the coarsest, ranked to a
  /// uniform histogram.
  Texture(uint64_t seed, int wave_x, int wave_y, int octaves);

  /// Linear interpolation; u, v in texture pixels, any value.
  float at(float u, float v) const {
    const float fu = std::floor(u);
    const float fv = std::floor(v);
    const int i = static_cast<int>(fu);
    const int j = static_cast<int>(fv);
    const float a = u - fu;
    const float b = v - fv;
    const float* r0 = values_.ptr<float>(j & (kSide - 1));
    const float* r1 = values_.ptr<float>((j + 1) & (kSide - 1));
    const int i0 = i & (kSide - 1);
    const int i1 = (i + 1) & (kSide - 1);
    return (1 - b) * ((1 - a) * r0[i0] + a * r0[i1]) + b * ((1 - a) * r1[i0] + a * r1[i1]);
  }
  /// The value of one texture pixel.
  float texel(int i, int j) const { return values_(j & (kSide - 1), i & (kSide - 1)); }

 private:
  cv::Mat1f values_;
};

/// The house's textures, made once for the process.
struct Textures {
  Texture fibre{11, 128, 8, 4};    ///< long along u
  Texture grain{12, 8, 8, 3};      ///< fine and even
  Texture chromatin{13, 4, 4, 2};  ///< clumps inside nuclei
  Texture cloud{14, 64, 64, 5};    ///< soft patches
  Texture speckle{15, 2, 2, 1};    ///< camera noise
};
const Textures& textures();

inline float smoothstep(float low, float high, float x) {
  const float t = std::clamp((x - low) / (high - low), 0.0F, 1.0F);
  return t * t * (3 - 2 * t);
}

}  // namespace pathology::sim
