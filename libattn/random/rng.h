// Random numbers that are the same on every machine: splitmix64, and streams keyed by what they are
// for.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>

namespace attn::random {

/// splitmix64 (Steele, Lea, Flood 2014): a full-period 64-bit generator whose output mixes well
/// even for keys in a row.
class Rng {
 public:
  explicit Rng(uint64_t state) : state_(state) {}

  /// The stream for a tuple of keys (seed, slide, purpose ...).
  static Rng keyed(std::initializer_list<uint64_t> keys) {
    uint64_t state = 0x6A09E667F3BCC908ULL;
    for (const uint64_t key : keys) state = Rng(state ^ (key * 0x9E3779B97F4A7C15ULL)).next();
    return Rng(state);
  }

  /// The stream of `state` from draw `number` on.
  static Rng at(uint64_t state, uint64_t number) { return Rng(state + number * kStep); }

  /// Draw k, from 0, is mix(state + (k + 1) kStep): what draws whole vectors builds on.
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15ULL;
  static constexpr uint64_t kMix1 = 0xBF58476D1CE4E5B9ULL, kMix2 = 0x94D049BB133111EBULL;

  uint64_t next() {
    uint64_t z = (state_ += kStep);
    z = (z ^ (z >> 30U)) * kMix1;
    z = (z ^ (z >> 27U)) * kMix2;
    return z ^ (z >> 31U);
  }
  /// In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double angle() { return uniform(0, 2 * std::numbers::pi); }
  bool chance(double probability) { return uniform() < probability; }
  /// In {0, ..., n - 1}.
  int below(int n) { return static_cast<int>(uniform() * n); }
  /// Standard normal (Box and Muller; the second value is not kept).
  double normal() {
    const double u = 1 - uniform();
    return std::sqrt(-2 * std::log(u)) * std::cos(angle());
  }
  double normal(double mean, double sd) { return mean + sd * normal(); }
  /// Log-normal with the given median and sd of the logarithm.
  double log_normal(double median, double sd) { return median * std::exp(sd * normal()); }

 private:
  uint64_t state_;
};

}  // namespace attn::random
