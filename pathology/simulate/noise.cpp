#include "pathology/simulate/noise.h"

#include <cstdint>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace pathology::sim {
namespace {

// The lattice below a pixel row or column: its two neighbours and the weight of the second.
struct Tap {
  int low;
  int high;
  float weight;
};

std::vector<Tap> taps(int start, int count, int cells) {
  std::vector<Tap> out(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const float at = (static_cast<float>(start + i) + 0.5F) / kCell - 0.5F;
    const float clamped = std::clamp(at, 0.0F, static_cast<float>(cells - 1));
    const int low = std::min(static_cast<int>(clamped), std::max(cells - 2, 0));
    out[static_cast<size_t>(i)] = {low, std::min(low + 1, cells - 1),
                                   clamped - static_cast<float>(low)};
  }
  return out;
}

// One octave on the torus: a lattice of normal numbers, cubic between its points.
cv::Mat1f torus_octave(Rng& rng, int side, int wave_x, int wave_y) {
  const int nx = std::max(side / wave_x, 1);
  const int ny = std::max(side / wave_y, 1);
  constexpr int kPad = 4;
  cv::Mat1f lattice(ny, nx);
  for (float& value : lattice) value = static_cast<float>(rng.normal());
  cv::Mat padded;
  cv::copyMakeBorder(lattice, padded, kPad, kPad, kPad, kPad, cv::BORDER_WRAP);
  cv::Mat1f large;
  cv::resize(padded, large, {(nx + 2 * kPad) * wave_x, (ny + 2 * kPad) * wave_y}, 0, 0,
             cv::INTER_CUBIC);
  return large(cv::Rect(kPad * wave_x, kPad * wave_y, nx * wave_x, ny * wave_y)).clone();
}

// Replaces values by their rank / count.
void equalise(cv::Mat1f& values) {
  std::vector<float> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const auto count = static_cast<float>(sorted.size());
  for (float& value : values) {
    const auto place = std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin();
    value = static_cast<float>(place) / count;
  }
}

}  // namespace

cv::Mat1f fractal_noise(Rng& rng, int rows, int cols, double wavelength, int octaves, double gain) {
  cv::Mat1f sum(rows, cols, 0.0F);
  double amplitude = 1;
  double power = 0;
  for (int octave = 0; octave < octaves; ++octave, wavelength /= 2, amplitude *= gain) {
    const double wave = std::max(wavelength, 1.0);
    // The lattice is turned, since its own directions would show, and reaches two points beyond
    // each corner.
    const int side = static_cast<int>(std::hypot(rows, cols) / wave) + 6;
    cv::Mat1f lattice(side, side);
    for (float& value : lattice) value = static_cast<float>(rng.normal());
    const double angle = rng.angle();
    const double c = std::cos(angle) / wave;
    const double d = std::sin(angle) / wave;
    const double middle = side / 2.0 + rng.uniform(-0.5, 0.5);
    const cv::Matx23d map(c, d, middle - c * cols / 2 - d * rows / 2, -d, c,
                          middle + d * cols / 2 - c * rows / 2);
    cv::Mat1f layer;
    cv::warpAffine(lattice, layer, map, {cols, rows}, cv::INTER_CUBIC | cv::WARP_INVERSE_MAP,
                   cv::BORDER_REPLICATE);
    sum += amplitude * layer;
    power += amplitude * amplitude;
  }
  // Cubic interpolation keeps about 0.6 of the lattice's variance between its points.
  sum *= 1 / std::sqrt(0.6 * power);
  return sum;
}

float sample(const cv::Mat1f& field, double x, double y) {
  const double cx = std::clamp((x + 0.5) / kCell - 0.5, 0.0, field.cols - 1.0);
  const double cy = std::clamp((y + 0.5) / kCell - 0.5, 0.0, field.rows - 1.0);
  const int i = std::min(static_cast<int>(cx), std::max(field.cols - 2, 0));
  const int j = std::min(static_cast<int>(cy), std::max(field.rows - 2, 0));
  const int i1 = std::min(i + 1, field.cols - 1);
  const int j1 = std::min(j + 1, field.rows - 1);
  const auto a = static_cast<float>(cx - i);
  const auto b = static_cast<float>(cy - j);
  return (1 - b) * ((1 - a) * field(j, i) + a * field(j, i1)) +
         b * ((1 - a) * field(j1, i) + a * field(j1, i1));
}

cv::Mat1f upsample(const cv::Mat1f& field, const cv::Rect& block) {
  const std::vector<Tap> xs = taps(block.x, block.width, field.cols);
  const std::vector<Tap> ys = taps(block.y, block.height, field.rows);
  cv::Mat1f out(block.height, block.width);
  const int first = xs.front().low;
  std::vector<float> row(static_cast<size_t>(xs.back().high - first + 1));
  for (int y = 0; y < block.height; ++y) {
    const Tap& ty = ys[static_cast<size_t>(y)];
    const float* r0 = field.ptr<float>(ty.low) + first;
    const float* r1 = field.ptr<float>(ty.high) + first;
    for (size_t i = 0; i < row.size(); ++i) row[i] = r0[i] + ty.weight * (r1[i] - r0[i]);
    float* line = out.ptr<float>(y);
    for (int x = 0; x < block.width; ++x) {
      const Tap& tx = xs[static_cast<size_t>(x)];
      const float low = row[static_cast<size_t>(tx.low - first)];
      line[x] = low + tx.weight * (row[static_cast<size_t>(tx.high - first)] - low);
    }
  }
  return out;
}

Texture::Texture(uint64_t seed, int wave_x, int wave_y, int octaves) : values_(kSide, kSide, 0.0F) {
  Rng rng = Rng::keyed({seed, 0x7E87});
  float amplitude = 1;
  for (int octave = 0; octave < octaves; ++octave) {
    values_ += amplitude * torus_octave(rng, kSide, std::max(wave_x >> octave, 1),
                                        std::max(wave_y >> octave, 1));
    amplitude *= 0.6F;
  }
  equalise(values_);
}

const Textures& textures() {
  static const Textures kTextures;
  return kTextures;
}

}  // namespace pathology::sim
