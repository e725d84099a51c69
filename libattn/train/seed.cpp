#include "libattn/train/seed.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace attn::train {
namespace {

uint64_t mix(uint64_t z) {  // SplitMix64's output function
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}
constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ULL;

}  // namespace

uint64_t derive_seed(uint64_t seed, std::string_view name, uint64_t index) {
  uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix(mix(mix(seed + kGolden) ^ hash) + kGolden * (index + 1));
}

uint64_t Random::next() {
  return mix(state_ += kGolden);
}

uint64_t Random::below(uint64_t n) {
  const uint64_t rejected = (0 - n) % n;  // 2^64 mod n
  while (true) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(next()) * n;
    if (static_cast<uint64_t>(product) >= rejected) return static_cast<uint64_t>(product >> 64);
  }
}

double Random::uniform() {
  return static_cast<double>(next() >> 11) * 0x1p-53;
}

std::vector<int64_t> permutation(int64_t n, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  Random random(seed);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

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
