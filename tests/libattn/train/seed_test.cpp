#include "libattn/train/seed.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace attn::train {
namespace {

TEST(Seed, StreamsAreReproducibleAndDiffer) {
  EXPECT_EQ(derive_seed(1, "split"), derive_seed(1, "split"));
  std::set<uint64_t> seen;
  for (uint64_t seed : {0, 1, 2})
    for (const char* name : {"split", "init", "shuffle"})
      for (uint64_t index : {0, 1, 2}) seen.insert(derive_seed(seed, name, index));
  EXPECT_EQ(seen.size(), 27U);
}

TEST(Seed, RandomIsSplitMix64) {
  // First outputs for seed 0, from the authors' C code (prng.di.unimi.it/splitmix64.c).
  Random random(0);
  EXPECT_EQ(random.next(), 0xe220a8397b1dcdafULL);
  EXPECT_EQ(random.next(), 0x6e789e6aa1b965f4ULL);
}

TEST(Seed, PermutationIsUniform) {
  std::vector<int> count(6, 0);
  const std::vector<std::vector<int64_t>> all{{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                              {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (uint64_t s = 0; s < 6000; ++s) {
    const auto found = std::find(all.begin(), all.end(), permutation(3, s));
    ASSERT_NE(found, all.end());
    ++count[static_cast<size_t>(found - all.begin())];
  }
  // Six standard deviations of a binomial count, sqrt(6000 * 5/36) = 29.
  for (const int c : count) EXPECT_NEAR(c, 1000, 175);
  EXPECT_TRUE(permutation(0, 1).empty());
}

TEST(Seed, SampleIsWithoutReplacementAndUniform) {
  std::vector<int> count(5, 0);
  for (uint64_t s = 0; s < 5000; ++s) {
    const std::vector<int64_t> chosen = sample_without_replacement(5, 2, s);
    ASSERT_EQ(chosen.size(), 2U);
    ASSERT_LT(chosen[0], chosen[1]);
    for (const int64_t i : chosen) ++count.at(static_cast<size_t>(i));
  }
  for (const int c : count) EXPECT_NEAR(c, 2000, 210);  // sqrt(5000 * 0.4 * 0.6) = 35
  EXPECT_EQ(sample_without_replacement(4, 4, 9), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_TRUE(sample_without_replacement(4, 0, 9).empty());
}

TEST(Seed, GeneratorIsItsOwn) {
  const at::Tensor a = at::rand({5}, make_generator(3)), b = at::rand({5}, make_generator(3));
  EXPECT_TRUE(at::equal(a, b));
  EXPECT_FALSE(at::equal(a, at::rand({5}, make_generator(4))));
}

}  // namespace
}  // namespace attn::train
