#include "finance/rank/ranker.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "attn/error.h"
#include "tests/finance/rank/sets.h"
#include "tests/support/memory.h"
#include "tests/support/refusal.h"

namespace finance {
namespace {

using attn::test::expect_refusal;
using attn::test::status_mb;
using test::kModels;
using test::picked;
using test::random_batch;
using test::small_ranker;

double away(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// As `make` gives it, with parameters that are not those of the start: linear starts at zero.
Ranker stirred(const RankerOptions& o, uint64_t seed = 3) {
  Ranker ranker(o, seed);
  const c10::NoGradGuard no_grad;
  auto random = attn::random::Rng::keyed({seed, 9});
  for (const auto& [name, value] : ranker.parameters().named()) {
    auto* x = value.mutable_data_ptr<float>();
    for (int64_t i = 0; i < value.numel(); ++i) x[i] += static_cast<float>(0.3 * random.normal());
  }
  return ranker;
}

class Models : public testing::TestWithParam<RankModel> {};
INSTANTIATE_TEST_SUITE_P(All, Models, testing::ValuesIn(kModels), [](const auto& of) {
  std::string name = to_string(of.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST_P(Models, GivesAScoreATrader) {
  const Ranker ranker = stirred(small_ranker(GetParam()));
  for (const std::vector<int64_t>& lengths :
       std::vector<std::vector<int64_t>>{{1}, {1, 1, 1}, {7}, {3, 1, 17, 2}}) {
    const RankBatch batch = random_batch(lengths);
    const at::Tensor s = ranker.forward(batch);
    ASSERT_EQ(s.sizes(), (std::vector<int64_t>{batch.features.size(0)}));
    EXPECT_TRUE(at::isfinite(s).all().item<bool>());
    if (s.size(0) > 3) {
      EXPECT_GT(s.std().item<double>(), 1e-3);
    }
  }
}

TEST_P(Models, PermutingAListPermutesItsScores) {
  const c10::NoGradGuard no_grad;
  const Ranker ranker = stirred(small_ranker(GetParam()));
  const RankBatch batch = random_batch({23, 5});
  std::vector<int64_t> order(28);
  std::iota(order.begin(), order.end(), 0);
  std::reverse(order.begin(), order.begin() + 23);
  std::swap(order[3], order[17]);
  std::swap(order[23], order[26]);
  const at::Tensor moved = ranker.forward(picked(batch, order, {23, 5}));
  EXPECT_LT(away(moved, ranker.forward(batch).index_select(0, at::tensor(order, at::kLong))), 2e-6);
}

TEST_P(Models, AListsScoresDependOnThatListAlone) {
  const c10::NoGradGuard no_grad;
  const Ranker ranker = stirred(small_ranker(GetParam()));
  const std::vector<int64_t> lengths{19, 1, 64, 3, 130};
  const RankBatch batch = random_batch(lengths);
  const at::Tensor together = ranker.forward(batch);
  int64_t first = 0;
  for (const int64_t n : lengths) {
    std::vector<int64_t> rows(static_cast<size_t>(n));
    std::iota(rows.begin(), rows.end(), first);
    const at::Tensor alone = ranker.forward(picked(batch, rows, {n}));
    EXPECT_LT(away(alone, together.narrow(0, first, n)), 1e-6) << n << " traders";
    first += n;
  }
}

TEST_P(Models, TheNumberOfThreadsChangesNoBit) {
  const Ranker ranker = stirred(small_ranker(GetParam()));
  const RankBatch batch = random_batch({500, 3, 1, 250});
  const int before = at::get_num_threads();
  std::vector<at::Tensor> scores;
  std::vector<std::vector<at::Tensor>> gradients;
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    for (const auto& [name, value] : ranker.parameters().named())
      value.mutable_grad() = at::Tensor();
    const at::Tensor s = ranker.forward(batch, {true, 5});
    s.mul(s.detach().cos()).sum().backward();
    scores.push_back(s.detach());
    gradients.emplace_back();
    for (const auto& [name, value] : ranker.parameters().named())
      gradients.back().push_back(value.grad().clone());
  }
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(scores[0], scores[1]));
  for (size_t i = 0; i < gradients[0].size(); ++i)
    EXPECT_TRUE(at::equal(gradients[0][i], gradients[1][i]))
        << ranker.parameters().named()[i].first;
}

TEST_P(Models, OnlyAttentionAcrossTradersSeesTheOthers) {
  const c10::NoGradGuard no_grad;
  const Ranker ranker = stirred(small_ranker(GetParam()));
  RankBatch batch = random_batch({9});
  const at::Tensor before = ranker.forward(batch);
  batch.features = batch.features.clone();
  batch.features.select(0, 8).add_(1);
  const double moved = away(ranker.forward(batch).narrow(0, 0, 8), before.narrow(0, 0, 8));
  if (looks_across(GetParam())) {
    EXPECT_GT(moved, 1e-4);
  } else {
    EXPECT_LT(moved, 1e-6);
  }
}

TEST_P(Models, BoundedScoresAreTheHyperbolicTangent) {
  const c10::NoGradGuard no_grad;
  RankerOptions o = small_ranker(GetParam());
  const Ranker plain = stirred(o);
  o.bounded = true;
  const Ranker bounded(o, plain.parameters());
  const RankBatch batch = random_batch({40});
  EXPECT_LT(away(bounded.forward(batch), plain.forward(batch).tanh()), 1e-7);
}

TEST_P(Models, CategoriesAlone) {
  RankerOptions o = small_ranker(GetParam());
  o.features = 1;  // the zeros of a FeatureMap without numbers
  const Ranker ranker = stirred(o);
  RankBatch batch = random_batch({12}, 1, 1);
  batch.features.zero_();
  const at::Tensor s = ranker.forward(batch);
  EXPECT_TRUE(at::isfinite(s).all().item<bool>());
  EXPECT_GT(s.std().item<double>(), 1e-3);  // and they decide
}

TEST_P(Models, DropoutFollowsItsSeed) {
  const c10::NoGradGuard no_grad;
  if (GetParam() == RankModel::linear) GTEST_SKIP() << "has none";
  const Ranker ranker = stirred(small_ranker(GetParam()));
  const RankBatch batch = random_batch({30});
  const at::Tensor one = ranker.forward(batch, {true, 1});
  EXPECT_TRUE(at::equal(one, ranker.forward(batch, {true, 1})));
  EXPECT_GT(away(one, ranker.forward(batch, {true, 2})), 1e-4);
  EXPECT_TRUE(at::equal(ranker.forward(batch), ranker.forward(batch)));
}

TEST_P(Models, AttentionIsThatOfTheListsTraders) {
  const Ranker ranker = stirred(small_ranker(GetParam()));
  const at::Tensor weights = ranker.attention(random_batch({11}));
  if (!looks_across(GetParam())) {
    EXPECT_FALSE(weights.defined());
    return;
  }
  ASSERT_EQ(weights.sizes(), (std::vector<int64_t>{2, 2, 11, 11}));
  EXPECT_LT(away(weights.sum(-1), at::ones({2, 2, 11})), 1e-5);
}

TEST_P(Models, MemoryIsLinearInTheLengthOfAList) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer keeps freed memory";
#endif
  // One matrix of 20,000 x 20,000 would be 1.6 GB, one of 5000 x 5000 a head and layer 0.1 GB.
  const Ranker ranker = stirred(small_ranker(GetParam()));
  const auto growth = [&](int64_t n) {
    const RankBatch batch = random_batch({n});
    const double before = status_mb("VmHWM");
    ranker.forward(batch, {true, 1}).sum().backward();
    return status_mb("VmHWM") - before;
  };
  growth(2500);
  const double once = growth(5000), larger = growth(20000);
  RecordProperty("mb_5000", std::to_string(once));
  EXPECT_LT(once, 60) << "MB at 5000 traders";
  EXPECT_LT(larger, 200) << "MB at 20,000 traders";
}

TEST(Ranker, TakesTheSelfStage) {
  const Ranker self = stirred(small_ranker(RankModel::self), 4);
  const Ranker both = stirred(small_ranker(RankModel::self_cross), 5);
  const at::Tensor head = both.parameters().at("head.w").detach().clone();
  both.take_self_stage(self);
  int64_t taken = 0;
  for (const auto& [name, value] : both.parameters().named())
    if (name.starts_with("token.") || name.starts_with("self.") || name.starts_with("category.")) {
      EXPECT_TRUE(at::equal(value, self.parameters().at(name))) << name;
      ++taken;
    }
  EXPECT_EQ(taken, 3 + 6 + 1);
  EXPECT_TRUE(at::equal(both.parameters().at("head.w"), head));
  EXPECT_THROW(both.take_self_stage(both), std::logic_error);
  EXPECT_THROW(Ranker(small_ranker(RankModel::cross), 1).take_self_stage(self), std::logic_error);
}

TEST(RankerOptions, AreRefusedInASentence) {
  const auto refused = [](RankModel model, const auto& change, const std::string& part) {
    RankerOptions o = small_ranker(model);
    change(o);
    expect_refusal([&] { check(o); }, part);
  };
  const auto cross = RankModel::cross;
  refused(
      cross, [](auto& o) { o.heads = 3; }, "the width 8 is no multiple of 3 heads across traders");
  refused(
      cross, [](auto& o) { o.heads = 0; }, "heads across traders");
  refused(
      RankModel::self, [](auto& o) { o.self_heads = 3; }, "heads among features");
  refused(
      cross, [](auto& o) { o.width = 0; }, "width");
  refused(
      cross, [](auto& o) { o.layers = -1; }, "layers");
  refused(
      cross, [](auto& o) { o.dropout = 1; }, "dropout");
  refused(
      cross, [](auto& o) { o.features = 0, o.categories.clear(); }, "one feature");
  expect_refusal([] { parse_rank_model("crss"); }, "cross");
  // Heads that the model does not have are no matter.
  RankerOptions o = small_ranker(RankModel::mlp);
  o.width = 7;
  check(o);
  o = small_ranker(cross);
  o.width = 6, o.self_heads = 4;
  check(o);
}

}  // namespace
}  // namespace finance
