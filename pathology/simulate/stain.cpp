#include "pathology/simulate/stain.h"

#include <algorithm>
#include <cmath>

namespace pathology::sim {
namespace {

Rgb normalised(const Rgb& v) {
  const double norm = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
  return {v[0] / norm, v[1] / norm, v[2] / norm};
}

Rgb jitter(const Rgb& v, Rng& rng, double sd) {
  Rgb out = v;
  for (double& part : out) part = std::max(part + rng.normal(0, sd), 0.01);
  return normalised(out);
}

}  // namespace

Stain draw_stain(uint64_t seed, int hospital, Rng& slide_rng, double variation) {
  // Ruifrok and Johnston's H&E vectors lean bluer than most scanners show; these are between theirs
  // and Macenko's.
  const Rgb haematoxylin{0.63, 0.70, 0.33};
  const Rgb eosin{0.12, 0.89, 0.43};
  const Rgb red_cell{0.11, 0.78, 0.62};
  Rng house = Rng::keyed({seed, static_cast<uint64_t>(hospital), 0x5741});
  Stain stain;
  stain.haematoxylin = jitter(haematoxylin, house, 0.035 * variation);
  stain.eosin = jitter(eosin, house, 0.035 * variation);
  stain.haematoxylin_amount = house.log_normal(1.0, 0.12 * variation);
  stain.eosin_amount = house.log_normal(1.0, 0.15 * variation);
  const double grey = 243 + house.uniform(-4, 4) * variation;
  stain.background = {grey, grey + house.uniform(-2, 1.5) * variation,
                      grey + house.uniform(-2, 2) * variation};

  stain.haematoxylin = jitter(stain.haematoxylin, slide_rng, 0.012 * variation);
  stain.eosin = jitter(stain.eosin, slide_rng, 0.012 * variation);
  stain.red_cell = jitter(red_cell, slide_rng, 0.012 * variation);
  stain.haematoxylin_amount *= slide_rng.log_normal(1.0, 0.08 * variation);
  stain.eosin_amount *= slide_rng.log_normal(1.0, 0.10 * variation);
  for (double& part : stain.background) {
    part = std::min(part + slide_rng.uniform(-1, 1) * variation, 252.0);
  }
  return stain;
}

Transmission::Transmission() : table_(kLast + 1) {
  for (size_t i = 0; i < table_.size(); ++i) {
    table_[i] = std::exp(-static_cast<float>(i) / kPerUnit);
  }
}

}  // namespace pathology::sim
