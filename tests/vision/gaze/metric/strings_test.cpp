// String metrics beside plain recursions with a memory, and by theorems.
#include "vision/gaze/metric/strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "tests/support/refusal.h"
#include "tests/vision/gaze/metric/paths.h"

namespace gaze {
namespace {

using attn::test::expect_refusal;
using test::kScreen;
using test::Path;
using testing::ElementsAre;
using Word = std::vector<int64_t>;

Word random_word(attn::random::Rng& random, int letters) {
  Word word;
  const int n = random.below(12);
  for (int i = 0; i < n; ++i) word.push_back(random.below(letters));
  return word;
}

/// best(i, j) of the first i and j symbols, each computed once.
double recursive(const Word& a, const Word& b,
                 const std::function<double(size_t, size_t,
                                            const std::function<double(size_t, size_t)>&)>& step) {
  std::map<std::pair<size_t, size_t>, double> memory;
  const std::function<double(size_t, size_t)> best = [&](size_t i, size_t j) {
    const auto key = std::make_pair(i, j);
    if (const auto known = memory.find(key); known != memory.end()) return known->second;
    return memory[key] = step(i, j, best);
  };
  return best(a.size(), b.size());
}

double plain_alignment(const Word& a, const Word& b,
                       const std::function<double(int64_t, int64_t)>& gain) {
  return recursive(a, b, [&](size_t i, size_t j, const auto& best) {
    if (i == 0 || j == 0) return 0.0;
    return std::max(
        {best(i - 1, j - 1) + gain(a[i - 1], b[j - 1]), best(i - 1, j), best(i, j - 1)});
  });
}

double plain_edits(const Word& a, const Word& b) {
  return recursive(a, b, [&](size_t i, size_t j, const auto& best) {
    if (i == 0 || j == 0) return static_cast<double>(i + j);
    return std::min({best(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1), best(i - 1, j) + 1,
                     best(i, j - 1) + 1});
  });
}

TEST(Strings, BesidePlainRecursions) {
  auto random = attn::random::Rng::keyed({11});
  for (int i = 0; i < 300; ++i) {
    const Word a = random_word(random, 5), b = random_word(random, 5);
    const auto longer = static_cast<double>(std::max(a.size(), b.size()));
    EXPECT_EQ(levenshtein(a, b), plain_edits(a, b));
    EXPECT_EQ(levenshtein(b, a), levenshtein(a, b));
    if (longer == 0) continue;
    const double same = plain_alignment(a, b, [](int64_t s, int64_t t) { return s == t ? 1 : 0; });
    EXPECT_EQ(sequence_score(a, b), same / longer);
    EXPECT_EQ(sequence_score(b, a), sequence_score(a, b));
    EXPECT_EQ(normalised_levenshtein(a, b), plain_edits(a, b) / longer);
  }
}

TEST(Strings, ScanMatchBesidePlainRecursion) {
  auto random = attn::random::Rng::keyed({12});
  for (int i = 0; i < 100; ++i) {
    const Path a = test::random_path(random, 1 + random.below(12)),
               b = test::random_path(random, 1 + random.below(12));
    const ScanMatchOptions options{.grid = {5, 4}, .threshold = 2.5};
    const Word one = grid_symbols(a, kScreen, options.grid),
               two = grid_symbols(b, kScreen, options.grid);
    const double most = plain_alignment(one, two, [&](int64_t s, int64_t t) {
      return 2.5 - std::hypot(s % 5 - t % 5, s / 5 - t / 5);
    });
    const double longer = static_cast<double>(std::max(a.size(), b.size()));
    EXPECT_NEAR(scanmatch(a, b, kScreen, options), most / (2.5 * longer), 1e-12);
    EXPECT_EQ(scanmatch(a, a, kScreen, options), 1);
    EXPECT_EQ(scanmatch(a, b, kScreen, options), scanmatch(b, a, kScreen, options));
  }
}

TEST(Strings, LevenshteinIsAMetric) {
  auto random = attn::random::Rng::keyed({13});
  for (int i = 0; i < 300; ++i) {
    const Word a = random_word(random, 3), b = random_word(random, 3), c = random_word(random, 3);
    EXPECT_LE(levenshtein(a, c), levenshtein(a, b) + levenshtein(b, c));
    EXPECT_EQ(levenshtein(a, b) == 0, a == b);
    EXPECT_GE(levenshtein(a, b),
              std::abs(static_cast<double>(a.size()) - static_cast<double>(b.size())));
  }
}

TEST(Strings, EmptyAndNowhere) {
  const Word none, some{1, 2, 3}, lost{1, kNowhere, 3};
  EXPECT_TRUE(std::isnan(sequence_score(none, none)));
  EXPECT_TRUE(std::isnan(normalised_levenshtein(none, none)));
  EXPECT_EQ(levenshtein(none, none), 0);
  EXPECT_EQ(sequence_score(none, some), 0);
  EXPECT_EQ(levenshtein(some, none), 3);
  EXPECT_EQ(normalised_levenshtein(some, none), 1);
  EXPECT_TRUE(std::isnan(sequence_score(lost, lost)));
  EXPECT_TRUE(std::isnan(levenshtein(some, lost)));
  EXPECT_TRUE(std::isnan(normalised_levenshtein(lost, none)));
  EXPECT_TRUE(std::isnan(scanmatch({}, {}, kScreen)));
  EXPECT_EQ(scanmatch({}, Path{{1, 1, 0.1}}, kScreen), 0);
  EXPECT_TRUE(std::isnan(scanmatch(Path{{kNaN, 1, 0.1}}, Path{{1, 1, 0.1}}, kScreen)));
}

TEST(Strings, GridCells) {
  const Path path{{0, 0},    {1279.9, 719.9}, {-50, 5000},   {1e300, -1e300},
                  {kNaN, 3}, {160, 90},       {159.99, 89.9}};
  EXPECT_THAT(grid_symbols(path, kScreen, {8, 8}), ElementsAre(0, 63, 56, 7, kNowhere, 9, 0));
  EXPECT_THAT(grid_symbols(path, kScreen, {1, 1}), ElementsAre(0, 0, 0, 0, kNowhere, 0, 0));
  // A screen of less than a pixel, and more cells than pixels.
  EXPECT_THAT(grid_symbols(path, {0.5, 0.5}, {2, 2}), ElementsAre(0, 0, 0, 0, kNowhere, 0, 0));
  for (const int64_t s : grid_symbols(path, {3, 3}, {1000, 1000})) EXPECT_LT(s, 1'000'000);
}

TEST(Strings, RepeatByTime) {
  const Word symbols{1, 2, 3, 4, 5};
  const Path path{{0, 0, 0.150}, {0, 0, 0.049}, {0, 0, 0.125}, {0, 0, 0.175}, {0, 0, 0}};
  EXPECT_THAT(repeat_by_time(symbols, path, 0.05, TimeRule::floor),
              ElementsAre(1, 1, 1, 3, 3, 4, 4, 4));
  // 2.5 and 3.5 bins round to 2 and 4.
  EXPECT_THAT(repeat_by_time(symbols, path, 0.05, TimeRule::round_half_to_even),
              ElementsAre(1, 1, 1, 2, 3, 3, 4, 4, 4, 4));
  const Path lost{{0, 0, -0.1}, {0, 0, kNaN}};
  EXPECT_THAT(repeat_by_time(Word{1, 2}, lost, 0.05, TimeRule::floor),
              ElementsAre(kNowhere, kNowhere));
}

TEST(Strings, MillisecondsSurviveAsSeconds) {
  for (int64_t ms = 0; ms <= 5000; ++ms) {
    const Path path{{0, 0, static_cast<double>(ms) / 1000}};
    for (const int64_t bin : {1, 7, 25, 50, 100}) {
      const double seconds = static_cast<double>(bin) / 1000;
      const auto whole = repeat_by_time(Word{0}, path, seconds, TimeRule::floor).size();
      ASSERT_EQ(whole, static_cast<size_t>(ms / bin)) << ms << " ms in " << bin;
      int64_t even = ms / bin;
      const int64_t rest = 2 * (ms % bin);
      if (rest > bin || (rest == bin && even % 2 == 1)) ++even;
      const auto rounded =
          repeat_by_time(Word{0}, path, seconds, TimeRule::round_half_to_even).size();
      ASSERT_EQ(rounded, static_cast<size_t>(even)) << ms << " ms in " << bin;
    }
  }
}

TEST(Strings, Truncation) {
  const Word word{1, 2, 3};
  EXPECT_THAT(truncated(Symbols(word), 2), ElementsAre(1, 2));
  EXPECT_EQ(truncated(Symbols(word), 7).size(), 3U);
  EXPECT_TRUE(truncated(Symbols(word), 0).empty());
}

TEST(Strings, Refusals) {
  const Path path{{0, 0, 250}};
  expect_refusal(
      [&] {
        repeat_by_time(Word{1}, Path{{0, 0, 25000}}, 0.05, TimeRule::floor);
      },
      "fixation 1 lasts 25000 s");
  expect_refusal(
      [&] {
        repeat_by_time(Word{1, 2}, path, 0.05, TimeRule::floor);
      },
      "2 symbols for 1 fixations");
  expect_refusal([&] { repeat_by_time(Word{1}, path, 0, TimeRule::floor); }, "temporal bin of 0 s");
  expect_refusal([&] { grid_symbols(path, kScreen, {0, 6}); }, "0 x 6 cells");
  expect_refusal([&] { grid_symbols(path, {-1, 6}, {8, 6}); }, "-1 x 6 pixels");
  expect_refusal(
      [&] {
        scanmatch(path, path, kScreen, {.grid = {8, 6}, .threshold = 0});
      },
      "threshold of 0");
}

}  // namespace
}  // namespace gaze
