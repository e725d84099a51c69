#include "timeseries/patch/patcher.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "libattn/train/threads.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "tests/timeseries/patch/entropy_reference.h"
#include "timeseries/patch/cut_cache.h"

namespace timeseries {
namespace {

using attn::test::expect_refusal;
using test::lively_model;
using test::walks;

/// A lively model whose thresholds cut walks into patches of 8.
EntropyPatcher patcher_of(CutRule rule = CutRule::both, const EntropyModelOptions& model = {}) {
  BoundaryOptions o;
  o.rule = rule;
  const EntropyPatcher first(Tokeniser({256, -3, 3}), lively_model(model, 31), o);
  const at::Tensor h = first.entropy(walks(200, 96, 1));
  return first.with(fit_boundaries(o, {h.const_data_ptr<float>(), 200U * 96}, 200, 96, 8).options);
}

bool same(const PatchCuts& a, const PatchCuts& b) {
  return a.length == b.length && at::equal(a.offsets, b.offsets) && at::equal(a.begin, b.begin);
}

TEST(EntropyPatcher, CutsAreTheRuleOverTheEntropies) {
  const EntropyPatcher patcher = patcher_of();
  const at::Tensor values = walks(30, 96, 2);
  const PatchCuts cuts = patcher.cut(values);
  const at::Tensor h = patcher.entropy(values);
  EXPECT_EQ(cuts.length, 96);
  EXPECT_NEAR(mean_patch_length(cuts), 8, 1.5);
  EXPECT_EQ(patch_lengths(cuts).sum().item<int64_t>(), 30 * 96);
  EXPECT_GE(patch_lengths(cuts).min().item<int64_t>(), 1);
  for (int64_t n = 0; n < 30; ++n) {
    const auto* row = h.const_data_ptr<float>() + n * 96;
    const auto begins = patch_begins(patcher.boundaries(), std::span(row, 96), 96);
    const auto first = cuts.offsets[n].item<int64_t>();
    ASSERT_EQ(cuts.offsets[n + 1].item<int64_t>() - first, static_cast<int64_t>(begins.size()));
    for (size_t p = 0; p < begins.size(); ++p)
      EXPECT_EQ(cuts.begin[first + static_cast<int64_t>(p)].item<int64_t>(), begins[p]);
  }
}

/// Numbers that the rule compares with its thresholds, of entropies (N,L).
double nearest_to_a_threshold(const BoundaryOptions& o, const at::Tensor& h) {
  const at::Tensor rise = h.narrow(1, 1, 95) - h.narrow(1, 0, 95);
  return std::min((h - o.threshold - o.tie).abs().min().item<double>(),
                  (rise - o.rise - o.tie).abs().min().item<double>());
}

TEST(EntropyPatcher, BoundariesAreThoseOfAPlainDoubleImplementation) {
  // Windows with ties: constant ones, repeated ones, periodic ones, missing values.
  const EntropyPatcher patcher = patcher_of();
  at::Tensor values = walks(24, 96, 3);
  values[0].fill_(2);
  values[1].zero_();
  values[2] = (at::arange(96, at::kFloat) / 8).floor().remainder(2);
  values[3].copy_(values[4]);
  values[5].narrow(0, 30, 20).fill_(std::numeric_limits<float>::quiet_NaN());
  values[6].fill_(std::numeric_limits<float>::quiet_NaN());
  const at::Tensor ids = patcher.tokens(values);
  const at::Tensor wanted = test::reference(patcher.model(), ids).entropy;
  const at::Tensor found = patcher.entropy(values);
  EXPECT_LT((found - wanted).abs().max().item<double>(), 1e-5);
  // No number of this test lies where rounding may carry it over a threshold.
  ASSERT_GT(nearest_to_a_threshold(patcher.boundaries(), wanted), 1e-5);
  EXPECT_TRUE(same(patcher.cut(values), cut_entropies(patcher.boundaries(), wanted)));
  // Ties at the thresholds themselves: a constant window's entropy, and no rise at all.
  BoundaryOptions o = patcher.boundaries();
  for (const CutRule rule : {CutRule::threshold, CutRule::rise, CutRule::both, CutRule::quantile}) {
    o.rule = rule;
    o.threshold = wanted[0][50].item<double>();
    o.rise = 0;
    o.quantile = 0.5;
    const EntropyPatcher tied = patcher.with(o);
    const at::Tensor constant = values.narrow(0, 0, 1);
    EXPECT_TRUE(same(tied.cut(constant), cut_entropies(o, wanted.narrow(0, 0, 1))));
    EXPECT_EQ(tied.cut(constant).begin.size(0), 4) << to_string(rule);  // max_length alone
  }
}

TEST(EntropyPatcher, AtAGivenScaleALaterValueMovesNothingBefore) {
  for (const CutRule rule : {CutRule::threshold, CutRule::rise, CutRule::both}) {
    const EntropyPatcher patcher = patcher_of(rule);
    const at::Tensor values = walks(9, 96, 4), scale = Tokeniser::scale(values);
    const at::Tensor h = patcher.entropy(values, scale);
    const PatchCuts cuts = patcher.cut(values, scale);
    for (const int64_t from : {1, 10, 48, 90}) {
      at::Tensor changed = values.clone();
      changed.narrow(1, from, 96 - from).copy_(5 * walks(9, 96 - from, 40));
      EXPECT_TRUE(
          at::equal(patcher.entropy(changed, scale).narrow(1, 0, from), h.narrow(1, 0, from)));
      const PatchCuts moved = patcher.cut(changed, scale);
      for (int64_t n = 0; n < 9; ++n) {
        const auto before = [&](const PatchCuts& c) {
          std::vector<int64_t> out;
          for (auto p = c.offsets[n].item<int64_t>(); p < c.offsets[n + 1].item<int64_t>(); ++p)
            if (c.begin[p].item<int64_t>() <= from) out.push_back(c.begin[p].item<int64_t>());
          return out;
        };
        EXPECT_EQ(before(moved), before(cuts)) << to_string(rule) << " from " << from;
      }
    }
  }
}

TEST(EntropyPatcher, ARowIsCutTheSameAloneAndInAnyBatchAndForAnyThreads) {
  const EntropyPatcher patcher = patcher_of();
  const at::Tensor values = walks(40, 96, 5);
  const attn::train::ThreadLimit two(2);
  const at::Tensor h = patcher.entropy(values);
  const PatchCuts cuts = patcher.cut(values);
  const attn::train::ThreadLimit one(1);
  EXPECT_TRUE(at::equal(patcher.entropy(values), h));
  EXPECT_TRUE(same(patcher.cut(values), cuts));
  const at::Tensor turned = patcher.entropy(values.flip(0)).flip(0);
  EXPECT_TRUE(at::equal(turned, h));
  for (int64_t n = 0; n < 40; ++n)
    EXPECT_TRUE(at::equal(patcher.entropy(values.narrow(0, n, 1))[0], h[n]));
}

TEST(EntropyPatcher, OnlyTheWindowCounts) {
  // Windows as views into a longer series: what lies behind their look-back moves nothing.
  const EntropyPatcher patcher = patcher_of();
  at::Tensor series = walks(3, 300, 6);
  const at::Tensor window = series.narrow(1, 100, 96);
  const at::Tensor h = patcher.entropy(window);
  const PatchCuts cuts = patcher.cut(window);
  series.narrow(1, 0, 100).fill_(1e6);
  series.narrow(1, 196, 104).fill_(-1e6);
  EXPECT_TRUE(at::equal(patcher.entropy(window), h));
  EXPECT_TRUE(same(patcher.cut(window), cuts));
}

TEST(EntropyPatcher, AnyLookBack) {
  const EntropyPatcher patcher = patcher_of();
  for (const int64_t length : {1, 2, 36, 97, 336, 512}) {
    const at::Tensor values = walks(2, length, 7);
    const PatchCuts cuts = patcher.cut(values);
    EXPECT_EQ(cuts.length, length);
    EXPECT_EQ(patch_lengths(cuts).sum().item<int64_t>(), 2 * length);
    EXPECT_LE(patch_lengths(cuts).max().item<int64_t>(), 24);
  }
  EntropyModelOptions learned;
  learned.position = EntropyPosition::learned;
  const EntropyPatcher published = patcher_of(CutRule::both, learned);
  expect_refusal([&] { published.cut(walks(2, 97, 7)); }, "learned 96 positions");
}

TEST(EntropyPatcher, FixedAndNoPatchesNeedNoModel) {
  BoundaryOptions o;
  o.rule = CutRule::fixed;
  o.length = 16;
  const EntropyPatcher fixed(o);
  EXPECT_FALSE(fixed.has_model());
  const at::Tensor values = walks(3, 40, 8);
  EXPECT_TRUE(at::equal(fixed.cut(values).begin, at::tensor({0, 16, 32}, at::kLong).repeat({3})));
  o.rule = CutRule::none;
  EXPECT_TRUE(at::equal(EntropyPatcher(o).cut(values).begin, at::zeros({3}, at::kLong)));
  EXPECT_THROW(fixed.entropy(values), std::logic_error);
  EXPECT_THROW(fixed.tokens(values), std::logic_error);
  o.rule = CutRule::both;
  EXPECT_THROW(EntropyPatcher{o}, std::logic_error);
  EXPECT_EQ(fixed.cut(walks(0, 40, 8)).offsets.size(0), 1);
}

TEST(EntropyPatcher, SurvivesAModelFile) {
  const attn::test::TempFolder folder;
  const auto path = folder / "model.safetensors";
  const EntropyPatcher patcher = patcher_of();
  attn::train::save_model_file(path, "test", 1, {{"patcher", patcher.config()}},
                               patcher.tensors("patcher."));
  const auto file = attn::train::load_model_file(path, "test", 1);
  const auto read = EntropyPatcher::load(file.config["patcher"], file, path, "patcher.");
  const at::Tensor values = walks(5, 96, 9);
  EXPECT_TRUE(at::equal(read.entropy(values), patcher.entropy(values)));
  EXPECT_TRUE(same(read.cut(values), patcher.cut(values)));
  EXPECT_EQ(read.config(), patcher.config());
  BoundaryOptions o;
  o.rule = CutRule::fixed;
  const EntropyPatcher fixed(o);
  EXPECT_TRUE(fixed.tensors("p.").empty());
  EXPECT_EQ(EntropyPatcher::load(fixed.config(), file, path, "p.").config(), fixed.config());
}

TEST(EntropyPatcher, RefusesADamagedModelFileByName) {
  const attn::test::TempFolder folder;
  const auto path = folder / "model.safetensors";
  const EntropyPatcher patcher = patcher_of();
  const auto refused = [&](auto change, const std::string& prefix) {
    nlohmann::json config = patcher.config();
    change(config);
    attn::train::save_model_file(path, "test", 1, {{"patcher", config}}, patcher.tensors("p."));
    const auto file = attn::train::load_model_file(path, "test", 1);
    expect_refusal([&] { EntropyPatcher::load(file.config["patcher"], file, path, prefix); },
                   "model.safetensors");
  };
  refused([](nlohmann::json&) {}, "q.");
  refused([](nlohmann::json& j) { j.erase("boundaries"); }, "p.");
  refused([](nlohmann::json& j) { j.erase("model"); }, "p.");
  refused([](nlohmann::json& j) { j["model"]["depth"] = 3; }, "p.");
  refused([](nlohmann::json& j) { j["model"]["heads"] = 5; }, "p.");
  refused([](nlohmann::json& j) { j["model"]["vocabulary"] = 64; }, "p.");
  refused([](nlohmann::json& j) { j["tokeniser"]["low"] = "x"; }, "p.");
  refused([](nlohmann::json& j) { j["boundaries"]["max_length"] = -1; }, "p.");
}

TEST(EntropyPatcher, RefusesAModelOfAnotherVocabulary) {
  expect_refusal(
      [] {
        EntropyPatcher(Tokeniser({64, -3, 3}), EntropyModel({}, 1), {});
      },
      "the tokeniser's 64");
}

TEST(CutCache, AsksForEachWindowOnce) {
  const EntropyPatcher patcher = patcher_of();
  for (const int64_t length : {96, 300, 70000}) {
    BoundaryOptions o;
    o.rule = CutRule::fixed;
    o.length = length / 3;
    const EntropyPatcher used = length == 96 ? patcher : EntropyPatcher(o);
    const at::Tensor values = walks(12, length, 10);
    CutCache cache(12, length);
    int64_t asked = 0;
    const auto get = [&](const std::vector<int64_t>& numbers) {
      return cache.get(numbers, [&](std::span<const int64_t> places) {
        std::vector<int64_t> missing;
        for (const int64_t place : places) missing.push_back(numbers[static_cast<size_t>(place)]);
        asked += static_cast<int64_t>(missing.size());
        return used.cut(values.index_select(0, at::tensor(missing, at::kLong)));
      });
    };
    const auto wanted = [&](const std::vector<int64_t>& numbers) {
      return used.cut(values.index_select(0, at::tensor(numbers, at::kLong)));
    };
    for (const std::vector<int64_t>& numbers :
         {std::vector<int64_t>{3, 7, 1}, {7, 3}, {0, 3, 11, 0}, {11, 10, 9, 8, 7, 6, 5, 4}})
      EXPECT_TRUE(same(get(numbers), wanted(numbers)));
    EXPECT_EQ(asked, 12);  // 0 was asked for twice in one call, and 2 never
    EXPECT_EQ(cache.found(), 11);
    const int64_t width = length <= 255 ? 1 : length <= 65535 ? 2 : 4;
    const int64_t patches = wanted({0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11}).begin.size(0);
    EXPECT_EQ(cache.bytes(), 12 * 12 + width * patches);
    EXPECT_THROW(get({12}), std::logic_error);
  }
}

}  // namespace
}  // namespace timeseries
