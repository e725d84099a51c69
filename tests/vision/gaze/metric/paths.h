// Scanpaths for the tests.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "libattn/random/rng.h"
#include "vision/gaze/metric/scanpath.h"

namespace gaze::test {

using Path = std::vector<Fixation>;

inline constexpr Screen kScreen{1280, 720};

/// `n` fixations anywhere on the screen, 50 to 500 ms.
inline Path random_path(attn::random::Rng& random, int n) {
  Path path;
  for (int i = 0; i < n; ++i)
    path.push_back({random.uniform(0, kScreen.width), random.uniform(0, kScreen.height),
                    random.uniform(0.05, 0.5)});
  return path;
}

inline Path reversed(const Path& path) {
  return {path.rbegin(), path.rend()};
}

/// NaN is equal to NaN.
inline bool same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

}  // namespace gaze::test
