// Random numbers of the distributions that a market needs.
#pragma once

#include <cmath>
#include <cstdint>

#include "libattn/random/rng.h"

namespace finance {

using attn::random::Rng;

/// Gamma of shape k >= 1 and scale 1 (Marsaglia and Tsang 2000, with their squeeze left out).
inline double gamma_draw(Rng& rng, double k) {
  const double d = k - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = rng.normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(1 - rng.uniform()) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

/// Student's t of nu > 2 degrees of freedom divided by its standard deviation: a standard normal
/// over sqrt(chi^2_nu / nu), chi^2_nu = 2 Gamma(nu / 2), over sqrt(nu / (nu - 2)).
inline double unit_student_t(Rng& rng, double nu) {
  const double normal = rng.normal();
  return normal * std::sqrt((nu - 2) / (2 * gamma_draw(rng, nu / 2)));
}

/// P(X > x) = (1 + x)^-index, x >= 0 (Lomax, Pareto of the second kind).
inline double lomax_draw(Rng& rng, double index) {
  return std::expm1(-std::log(1 - rng.uniform()) / index);
}

/// Poisson: how many gaps of a process of rate 1 end within `mean`.
inline int64_t poisson_draw(Rng& rng, double mean) {
  int64_t count = 0;
  for (double at = -std::log(1 - rng.uniform()); at < mean; at -= std::log(1 - rng.uniform()))
    ++count;
  return count;
}

}  // namespace finance
