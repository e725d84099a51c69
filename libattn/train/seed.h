// One seed for a whole run, and independent named streams from it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace at {
struct Generator;
}

namespace attn::train {

/// Seed of the stream `name`, number `index`, of a run seeded with `seed`. A pure function
/// (SplitMix64 over the FNV-1a hash of the name), so whoever resumes at epoch 7 draws what an
/// undisturbed run draws at epoch 7, on any number of threads, with no generator state to store.
/// Names in use: "split", "init", "shuffle", "step", "bootstrap", "fold", "noise", "windows",
/// "dropout", "conformal", "entropy-model", "forecaster".
uint64_t derive_seed(uint64_t seed, std::string_view name, uint64_t index = 0);

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every platform, which <random>'s
/// distributions are not.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  /// Uniform integer in [0, n), without modulo bias (Lemire 2019). n > 0.
  uint64_t below(uint64_t n);
  /// Uniform in [0, 1), 53 bits.
  double uniform();

 private:
  uint64_t state_;
};

/// Uniform random permutation of 0..n-1 (Fisher-Yates).
std::vector<int64_t> permutation(int64_t n, uint64_t seed);

/// `keep` different numbers of 0..n-1, uniformly, in ascending order. 0 <= keep <= n.
std::vector<int64_t> sample_without_replacement(int64_t n, int64_t keep, uint64_t seed);

/// A LibTorch CPU generator of its own (the global one is never touched). The one function here
/// that knows LibTorch, and so the one that stands in attn_train and not in attn_metrics.
at::Generator make_generator(uint64_t seed);

}  // namespace attn::train
