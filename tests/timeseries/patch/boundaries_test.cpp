#include "timeseries/patch/boundaries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "libattn/train/seed.h"
#include "tests/support/refusal.h"

namespace timeseries {
namespace {

using attn::test::expect_refusal;
using Begins = std::vector<int64_t>;

BoundaryOptions rule(CutRule r) {
  BoundaryOptions o;
  o.rule = r;
  o.max_length = 0;
  return o;
}

Begins cut(const BoundaryOptions& o, const std::vector<float>& h) {
  return patch_begins(o, std::span(h), static_cast<int64_t>(h.size()));
}

std::vector<float> random_entropies(int64_t n, uint64_t seed) {
  attn::train::Random random(seed);
  std::vector<float> h;
  for (int64_t i = 0; i < n; ++i) h.push_back(static_cast<float>(2.5 + 2 * random.uniform()));
  return h;
}

// H of these windows: position t + 1 begins a patch, as reckoned by hand.
const std::vector<float> kH{4.0F, 3.5F, 3.9F, 3.95F, 2.0F, 2.9F, 3.6F, 3.1F, 3.5F, 4.5F};

TEST(Boundaries, EachRuleByHand) {
  EXPECT_EQ(cut(rule(CutRule::none), kH), (Begins{0}));
  BoundaryOptions fixed = rule(CutRule::fixed);
  fixed.length = 4;
  EXPECT_EQ(cut(fixed, kH), (Begins{0, 4, 8}));
  BoundaryOptions threshold = rule(CutRule::threshold);
  threshold.threshold = 3.7;  // t = 0, 2, 3, 9; position 10 is behind the window
  EXPECT_EQ(cut(threshold, kH), (Begins{0, 1, 3, 4}));
  BoundaryOptions rise = rule(CutRule::rise);
  rise.rise = 0.3;  // t = 2, 5, 6, 8, 9
  EXPECT_EQ(cut(rise, kH), (Begins{0, 3, 6, 7, 9}));
  BoundaryOptions both = rule(CutRule::both);
  both.threshold = 3, both.rise = 0.3;  // t = 2, 6, 8, 9
  EXPECT_EQ(cut(both, kH), (Begins{0, 3, 7, 9}));
  BoundaryOptions quantile = rule(CutRule::quantile);
  quantile.quantile = 0.75;  // sorted 2 2.9 3.1 3.5 3.5 3.6 3.9 3.95 4 4.5: 3.9375
  EXPECT_EQ(cut(quantile, kH), (Begins{0, 1, 4}));
}

TEST(Boundaries, LengthsAreBounded) {
  BoundaryOptions o = rule(CutRule::rise);
  o.rise = 0.3;
  o.max_length = 2;  // greedy pieces of patches 0-2, 3-5, 6, 7-8, 9
  EXPECT_EQ(cut(o, kH), (Begins{0, 2, 3, 5, 6, 7, 9}));
  o.max_length = 0, o.min_length = 3;  // 7 is too near to 6
  EXPECT_EQ(cut(o, kH), (Begins{0, 3, 6, 9}));
  o.min_length = 4;
  EXPECT_EQ(cut(o, kH), (Begins{0, 6}));
  o.min_length = 2, o.max_length = 2;
  EXPECT_EQ(cut(o, kH), (Begins{0, 2, 4, 6, 8}));
}

TEST(Boundaries, EqualEntropiesNeverCut) {
  // Equal in exact numbers, apart by what rounding leaves.
  std::vector<float> h(60, 3.25F);
  for (size_t i = 0; i < h.size(); ++i) h[i] += (i % 2 == 0 ? 1e-6F : -1e-6F);
  for (const CutRule r : {CutRule::threshold, CutRule::rise, CutRule::both, CutRule::quantile}) {
    BoundaryOptions o = rule(r);
    o.threshold = 3.25, o.rise = 0, o.quantile = 0.5;
    EXPECT_EQ(cut(o, h), (Begins{0})) << to_string(r);
    o.tie = 0;
    EXPECT_GT(cut(o, h).size(), 20U) << to_string(r);
  }
  // And a step of exactly theta or delta is no cut, one beyond the tie is.
  BoundaryOptions o = rule(CutRule::rise);
  o.rise = 0.25;
  EXPECT_EQ(cut(o, {3.0F, 3.25F, 3.25F}), (Begins{0}));
  EXPECT_EQ(cut(o, {3.0F, 3.2502F, 3.25F}), (Begins{0, 2}));
}

TEST(Boundaries, FloatAndDoubleAreCutAlike) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> h = random_entropies(96, seed);
    const std::vector<double> wide(h.begin(), h.end());
    for (const CutRule r : {CutRule::threshold, CutRule::rise, CutRule::both, CutRule::quantile}) {
      const BoundaryOptions o = rule(r);
      EXPECT_EQ(cut(o, h), patch_begins(o, std::span(wide), 96));
    }
  }
}

/// The first published code, step by step: mask over t, starts t + 1, then lengths up to L + 1,
/// then pieces.
Begins published(const BoundaryOptions& o, const std::vector<float>& h) {
  const size_t n = h.size();
  std::vector<bool> mask(n, false);
  mask[0] = true;
  for (size_t t = 1; t < n; ++t) {
    mask[t] = h[t] - h[t - 1] > static_cast<float>(o.rise);
    if (o.rule == CutRule::both)
      mask[t] = mask[t] && h[t] > static_cast<float>(o.threshold) && t != 1;
  }
  std::vector<int64_t> starts{0};
  for (size_t t = 0; t < n; ++t)
    if (mask[t]) starts.push_back(static_cast<int64_t>(t) + 1);
  starts.push_back(static_cast<int64_t>(n) + 1);
  std::vector<int64_t> lengths;
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    int64_t left = starts[i + 1] - starts[i];
    while (o.max_length > 0 && left > o.max_length) {
      lengths.push_back(o.max_length);
      left -= o.max_length;
    }
    lengths.push_back(left);
  }
  EXPECT_EQ(std::accumulate(lengths.begin(), lengths.end(), int64_t{0}),
            static_cast<int64_t>(n) + 1);
  Begins begins;
  int64_t at = 0;
  for (const int64_t length : lengths) begins.push_back(at), at += length;
  return begins;
}

TEST(Boundaries, TheReferenceIsTheFirstPublishedCode) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<float> h = random_entropies(96, seed);
    if (seed % 3 == 0) h[1] = 5, h[95] = 5;  // so that the masks at 1 and at the end are reached
    for (const CutRule r : {CutRule::rise, CutRule::both}) {
      BoundaryOptions o = rule(r);
      o.reference = true;
      o.rise = seed % 2 == 0 ? 0.25 : 1.2;
      o.max_length = static_cast<int64_t>(seed % 5) * 6;
      const Begins found = cut(o, h);
      EXPECT_EQ(found, published(o, h));
      EXPECT_EQ(found[1], 1);
    }
  }
  BoundaryOptions o = rule(CutRule::rise);
  o.reference = true;
  o.rise = 1;
  EXPECT_EQ(cut(o, {3, 3, 3, 4.5F}), (Begins{0, 1, 4}));  // the last patch: the phantom alone
  EXPECT_EQ(cut(o, {3, 3, 3, 3}), (Begins{0, 1}));
  o.max_length = 3;
  EXPECT_EQ(cut(o, {3, 3, 3, 3}), (Begins{0, 1, 4}));
}

TEST(Boundaries, ALaterEntropyMovesNoEarlierBoundary) {
  const std::vector<float> h = random_entropies(80, 7);
  for (const CutRule r :
       {CutRule::none, CutRule::fixed, CutRule::threshold, CutRule::rise, CutRule::both}) {
    BoundaryOptions o = rule(r);
    o.max_length = 9, o.min_length = 2;
    const Begins whole = cut(o, h);
    for (size_t from = 1; from < h.size(); from += 7) {
      std::vector<float> changed = h;
      for (size_t t = from; t < h.size(); ++t) changed[t] = 6 - changed[t];
      const Begins found = cut(o, changed);
      const auto before = [&](const Begins& b) {
        return Begins(b.begin(), std::upper_bound(b.begin(), b.end(), static_cast<int64_t>(from)));
      };
      EXPECT_EQ(before(found), before(whole));
    }
  }
}

TEST(Boundaries, ThresholdsAreFittedToAMeanLength) {
  constexpr int64_t kRows = 200, kLength = 96;
  const std::vector<float> h = random_entropies(kRows * kLength, 9);
  for (const CutRule r :
       {CutRule::threshold, CutRule::rise, CutRule::both, CutRule::quantile, CutRule::fixed}) {
    for (const double wanted : {3.0, 8.0, 16.0}) {
      BoundaryOptions o = rule(r);
      o.max_length = 24;
      const FittedBoundaries fitted = fit_boundaries(o, h, kRows, kLength, wanted);
      // A quantile of 96 numbers comes in steps.
      EXPECT_NEAR(fitted.mean_length, wanted, r == CutRule::quantile ? 0.12 * wanted : 0.03)
          << to_string(r);
      size_t patches = 0;
      for (int64_t n = 0; n < kRows; ++n)
        patches +=
            patch_begins(fitted.options,
                         std::span(h).subspan(static_cast<size_t>(n * kLength), kLength), kLength)
                .size();
      EXPECT_DOUBLE_EQ(fitted.mean_length, 1.0 * kRows * kLength / static_cast<double>(patches));
    }
  }
}

TEST(Boundaries, AConstantWindowIsCutByItsGreatestLengthAlone) {
  const std::vector<float> h(96 * 3, 2.0F);
  BoundaryOptions o;
  o.max_length = 24;
  const FittedBoundaries fitted = fit_boundaries(o, h, 3, 96, 8);
  EXPECT_EQ(patch_begins(fitted.options, std::span(h).first(96), 96), (Begins{0, 24, 48, 72}));
}

TEST(Boundaries, ShortWindows) {
  for (const CutRule r :
       {CutRule::none, CutRule::threshold, CutRule::rise, CutRule::both, CutRule::quantile}) {
    EXPECT_EQ(cut(rule(r), {5.0F}), (Begins{0}));
    EXPECT_EQ(cut(rule(r), {}), (Begins{}));
  }
  EXPECT_THROW(patch_begins(rule(CutRule::both), std::span<const float>(), 3), std::logic_error);
}

TEST(Boundaries, RefusesInOneSentence) {
  const auto refused = [](auto change, const char* part) {
    BoundaryOptions o;
    change(o);
    expect_refusal([&] { check(o); }, part);
  };
  refused([](BoundaryOptions& o) { o.threshold = NAN; }, "finite");
  refused([](BoundaryOptions& o) { o.quantile = 1.5; }, "between 0 and 1");
  refused([](BoundaryOptions& o) { o.length = 0; }, "fixed patches");
  refused([](BoundaryOptions& o) { o.max_length = -1; }, "greatest length");
  refused([](BoundaryOptions& o) { o.min_length = 0; }, "least length");
  refused([](BoundaryOptions& o) { o.min_length = 30; }, "must not be above");
  refused([](BoundaryOptions& o) { o.tie = -1; }, "count as equal");
  expect_refusal([] { parse_cut_rule("entropy"); }, "found 'entropy'");
  const std::vector<float> h(96, 2.0F);
  expect_refusal([&] { fit_boundaries({}, h, 1, 96, 30); }, "expected 1 to 24");
  expect_refusal([&] { fit_boundaries({}, h, 1, 96, 0.5); }, "mean length");
}

TEST(Boundaries, OptionsSurviveJson) {
  BoundaryOptions o;
  o.rule = CutRule::quantile;
  o.threshold = 1.1, o.rise = 0.3, o.quantile = 0.7, o.length = 5, o.max_length = 9;
  o.min_length = 3, o.tie = 1e-3, o.reference = true;
  const auto read = nlohmann::json::parse(nlohmann::json(o).dump()).get<BoundaryOptions>();
  EXPECT_EQ(nlohmann::json(read), nlohmann::json(o));
  EXPECT_EQ(read.rule, CutRule::quantile);
  expect_refusal([] { nlohmann::json{{"rule", "x"}}.get<BoundaryOptions>(); }, "found 'x'");
}

}  // namespace
}  // namespace timeseries
