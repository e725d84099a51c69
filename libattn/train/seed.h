// Seeds and draws of training: those of libattn/random/seed.h, and LibTorch's generators.
#pragma once

#include <cstdint>
#include <vector>

#include "libattn/random/seed.h"

namespace at {
struct Generator;
}

namespace attn::train {

using random::derive_seed;
using random::permutation;
using random::Random;

/// `keep` different numbers of 0..n-1, uniformly, in ascending order. 0 <= keep <= n.
std::vector<int64_t> sample_without_replacement(int64_t n, int64_t keep, uint64_t seed);

/// A LibTorch CPU generator of its own (the global one is never touched). The one function here
/// that knows LibTorch, and so the one that stands in attn_train and not in attn_metrics.
at::Generator make_generator(uint64_t seed);

}  // namespace attn::train
