#include "libattn/train/seed.h"

#include <algorithm>
#include <unordered_map>

namespace attn::train {
std::vector<int64_t> sample_without_replacement(int64_t n, int64_t keep, uint64_t seed) {
  // The first `keep` steps of a Fisher-Yates shuffle, with only the moved entries stored.
  Random random(seed);
  std::unordered_map<int64_t, int64_t> moved;
  const auto at = [&](int64_t i) {
    const auto found = moved.find(i);
    return found == moved.end() ? i : found->second;
  };
  std::vector<int64_t> chosen;
  chosen.reserve(static_cast<size_t>(keep));
  for (int64_t i = 0; i < keep; ++i) {
    const int64_t j = i + static_cast<int64_t>(random.below(static_cast<uint64_t>(n - i)));
    chosen.push_back(at(j));
    moved[j] = at(i);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace attn::train
