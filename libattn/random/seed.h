// One seed for a whole run, independent named streams from it, and draws without bias. No LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace attn::random {

/// The output function of SplitMix64.
inline uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

inline constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

/// Seed of the stream `name`, number `index`, of a run seeded with `seed`. A pure function
/// (SplitMix64 over the FNV-1a hash of the name), so whoever resumes at epoch 7 draws what an
/// undisturbed run draws at epoch 7, on any number of threads, with no generator state to store.
/// Names in use: "split", "init", "shuffle", "step", "bootstrap", "fold", "noise", "windows",
/// "dropout", "conformal", "entropy-model", "forecaster", "lists".
inline uint64_t derive_seed(uint64_t seed, std::string_view name, uint64_t index = 0) {
  uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix(mix(mix(seed + kGolden) ^ hash) + kGolden * (index + 1));
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every platform, which <random>'s
/// distributions are not.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() { return mix(state_ += kGolden); }
  /// Uniform integer in [0, n), without modulo bias (Lemire 2019). n > 0.
  uint64_t below(uint64_t n) {
    const uint64_t rejected = (0 - n) % n;  // 2^64 mod n
    while (true) {
      __extension__ using Wide = unsigned __int128;
      const Wide product = static_cast<Wide>(next()) * n;
      if (static_cast<uint64_t>(product) >= rejected) return static_cast<uint64_t>(product >> 64);
    }
  }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11U) * 0x1p-53; }

 private:
  uint64_t state_;
};

/// Uniform random permutation of 0..n-1 (Fisher-Yates).
inline std::vector<int64_t> permutation(int64_t n, uint64_t seed) {
  std::vector<int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  Random random(seed);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

}  // namespace attn::random
