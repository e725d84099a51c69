#include "finance/rank/rank_train.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "finance/score/rank_metrics.h"
#include "tests/finance/rank/sets.h"
#include "tests/support/refusal.h"

namespace finance {
namespace {

using attn::test::expect_refusal;
using test::separable;
using test::small_market;

RankFitOptions options(LossKind loss, int64_t epochs = 3) {
  RankFitOptions o;
  o.loss.kind = loss;
  o.select =
      needs_profit(loss) ? SelectBy{SelectBy::Kind::profit, 1} : SelectBy{SelectBy::Kind::ndcg, 5};
  auto& t = o.optimisation;
  t.epochs = epochs, t.batch = 8, t.lr = 3e-3, t.weight_decay = 1e-2, t.clip_norm = 1, t.seed = 5;
  return o;
}

RankerOptions network(RankModel model, int64_t features = 3) {
  RankerOptions o = test::small_ranker(model);
  o.features = features, o.categories.clear();
  return o;
}

double profit_at_1(const Ranker& ranker, const RankSet& set) {
  return selection_score({SelectBy::Kind::profit, 1}, {}, set, scores_of(ranker, set, {}));
}

TEST(Fit, SameSeedSameParameters) {
  const RankSet train = separable(24, 1), validation = separable(8, 2);
  const auto trained = [&](uint64_t seed, double average) {
    RankFitOptions o = options(LossKind::pa_bce);
    o.optimisation.seed = seed, o.average = average;
    Ranker ranker(network(RankModel::self_cross), 1);
    fit_ranker(ranker, {train, &validation, ""}, o, {}, {});
    return ranker;
  };
  for (const double average : {0.0, 0.98}) {
    const Ranker a = trained(5, average), b = trained(5, average), c = trained(6, average);
    double differ = 0;
    for (const auto& [name, value] : a.parameters().named()) {
      EXPECT_TRUE(at::equal(value, b.parameters().at(name))) << name;
      differ += (value - c.parameters().at(name)).abs().sum().item<double>();
    }
    EXPECT_GT(differ, 0) << "another seed must give another network";
  }
}

TEST(Fit, LearnsWhatIsToBeLearnt) {
  const RankSet train = separable(200, 1), validation = separable(40, 2), test = separable(200, 3);
  const double best = 100;
  for (const RankModel model : {RankModel::linear, RankModel::mlp, RankModel::cross})
    for (const LossKind loss :
         {LossKind::pa_bce, LossKind::bce, LossKind::softmax, LossKind::lambdarank,
          LossKind::listnet, LossKind::ranknet, LossKind::log_profit}) {
      RankFitOptions o = options(loss, 20);
      o.optimisation.lr = model == RankModel::linear ? 3e-2 : 1e-2;
      const Ranker ranker(network(model), 1);
      fit_ranker(ranker, {train, &validation, ""}, o, {}, {});
      EXPECT_GT(profit_at_1(ranker, test), 0.9 * best)
          << to_string(model) << " " << to_string(loss);
    }
}

TEST(Fit, KeepsTheEpochThatTheRuleChooses) {
  const RankSet train = separable(32, 1), validation = separable(16, 2);
  for (const char* rule : {"profit@1", "profit@3", "ndcg@5", "auc", "loss"})
    for (const double average : {0.0, 0.9}) {
      RankFitOptions o = options(LossKind::pa_bce, 8);
      o.select = parse_select(rule), o.average = average;
      o.optimisation.lr = 0.1;  // up and down
      const Ranker ranker(network(RankModel::mlp), 1);
      const auto result = fit_ranker(ranker, {train, &validation, ""}, o, {}, {});
      double most = -1e30;
      for (const auto& epoch : result.history) most = std::max(most, epoch.score);
      EXPECT_EQ(result.best_score, most) << rule;
      EXPECT_DOUBLE_EQ(
          selection_score(o.select, o.loss, validation, scores_of(ranker, validation, {})), most)
          << rule << ": the network left is not that of the best epoch";
    }
}

TEST(Fit, TheAverageIsOfWhatStepsLeave) {
  // One step an epoch, one epoch, nobody to validate: the average after it is not the start.
  const RankSet train = separable(8, 1);
  const Ranker start(network(RankModel::mlp), 1);
  for (const bool validated : {true, false}) {
    RankFitOptions o = options(LossKind::pa_bce, 1);
    const Ranker plain(network(RankModel::mlp), 1), averaged(network(RankModel::mlp), 1);
    const RankFitData data{train, validated ? &train : nullptr, ""};
    fit_ranker(plain, data, o, {}, {});
    o.average = 0.98;
    fit_ranker(averaged, data, o, {}, {});
    for (const auto& [name, from] : start.parameters().named()) {
      const at::Tensor to = plain.parameters().at(name).detach();
      const at::Tensor expected = from.detach() / 11 + to * 10 / 11;  // keeps 1 / (1 + 10)
      EXPECT_LT((averaged.parameters().at(name).detach() - expected).abs().max().item<double>(),
                1e-6)
          << name;
    }
  }
}

TEST(Fit, TheAverageFollowsItsEquation) {
  // One step an epoch, so that the parameters after every step are those of a shorter training.
  const RankSet train = separable(24, 1);
  RankFitOptions o = options(LossKind::pa_bce);
  o.optimisation.schedule = attn::train::LrSchedule::constant;
  o.optimisation.batch = 24;
  const Ranker start(network(RankModel::mlp), 1);
  std::vector<at::Tensor> mean;
  for (const auto& [name, value] : start.parameters().named())
    mean.push_back(value.detach().clone());
  for (int64_t step = 1; step <= 6; ++step) {
    o.optimisation.epochs = step;
    const Ranker plain(network(RankModel::mlp), 1), averaged(network(RankModel::mlp), 1);
    o.average = 0;
    fit_ranker(plain, {train, nullptr, ""}, o, {}, {});
    o.average = 0.3;
    fit_ranker(averaged, {train, nullptr, ""}, o, {}, {});
    const auto t = static_cast<double>(step);
    const double keep = std::min(0.3, t / (t + 10));
    size_t i = 0;
    for (const auto& [name, value] : plain.parameters().named()) {
      mean[i] = mean[i] * keep + value.detach() * (1 - keep);
      EXPECT_LT((averaged.parameters().at(name).detach() - mean[i]).abs().max().item<double>(),
                1e-6)
          << name << " after step " << step;
      ++i;
    }
  }
}

TEST(Fit, ColumnsThatAreNotThereAreRefused) {
  RankSet bare = separable(4, 1), labels = bare, profits = bare;
  bare.label.clear(), bare.profit.clear(), labels.profit.clear(), profits.label.clear();
  const Ranker ranker(network(RankModel::mlp), 1);
  const auto refused = [&](const RankSet& train, const RankSet* validation, const RankFitOptions& o,
                           const std::string& part) {
    expect_refusal([&] { fit_ranker(ranker, {train, validation, ""}, o, {}, {}); }, part);
  };
  refused(labels, nullptr, options(LossKind::pa_bce),
          "the training lists have no profits, which the loss pa-bce needs; name their column with "
          "--profit");
  refused(labels, nullptr, options(LossKind::log_profit), "the loss log-profit needs");
  for (const LossKind loss : {LossKind::bce, LossKind::softmax, LossKind::lambdarank,
                              LossKind::listnet, LossKind::ranknet})
    refused(profits, nullptr, options(loss),
            "the training lists have no labels, which the loss " + to_string(loss) + " needs");
  const RankSet whole = separable(4, 1);
  refused(whole, &labels, options(LossKind::pa_bce), "the validation lists have no profits");
  RankFitOptions o = options(LossKind::pa_bce);
  o.select = parse_select("ndcg@5");
  refused(profits, &profits, o, "the validation lists have no labels, which --select ndcg@5 needs");
  o = options(LossKind::bce);
  o.select = parse_select("profit@5");
  refused(whole, &labels, o, "have no profits, which --select profit@5 needs");
  RankSet none = whole;
  std::fill(none.label.begin(), none.label.end(), 0);
  refused(whole, &none, options(LossKind::bce),
          "the validation lists do not define ndcg@5 (no list has a positive label)");
  o.select = parse_select("auc");
  refused(whole, &none, o, "do not define auc (their labels are all positive or all 0)");
}

TEST(Fit, OptionsAreRefusedInASentence) {
  const RankSet set = separable(4, 1);
  const auto refused = [&](const auto& change, const std::string& part) {
    RankFitOptions o = options(LossKind::pa_bce);
    change(o);
    expect_refusal([&] { check(o); }, part);
  };
  refused([](auto& o) { o.average = 1; }, "average");
  refused([](auto& o) { o.average = -0.1; }, "average");
  refused([](auto& o) { o.loss.top = -1; }, "most profitable");
  refused([](auto& o) { o.loss.money = 0; }, "unit of money");
  refused([](auto& o) { o.optimisation.batch = 0; }, "batch");
  for (const char* word :
       {"profit", "profit@", "profit@0", "profit@x", "ndcg@5x", "@5", "", "mrr@5"})
    expect_refusal([&] { parse_select(word); }, "expected profit@K, ndcg@K, auc or loss");
  for (const char* word : {"profit@1", "ndcg@10", "auc", "loss"})
    EXPECT_EQ(to_string(parse_select(word)), word);
}

TEST(Fit, OptionsGoThroughJson) {
  RankFitOptions o = options(LossKind::lambdarank, 7);
  o.loss.top = 4, o.loss.weight = GapWeight::log, o.loss.money = 2.5;
  o.loss.gain = LambdaGain::linear, o.loss.truncation = 9;
  o.select = parse_select("profit@7"), o.average = 0.7;
  const auto j = nlohmann::json(o);
  const auto back = nlohmann::json::parse(j.dump()).get<RankFitOptions>();
  EXPECT_EQ(nlohmann::json(back), j);
  EXPECT_EQ(back.loss.truncation, 9);
  EXPECT_EQ(back.loss.weight, GapWeight::log);
  EXPECT_EQ(back.optimisation.epochs, 7);
}

TEST(Scores, AreThoseOfAnyBatches) {
  const RankSet set = separable(30, 4);
  const Ranker ranker(network(RankModel::cross), 2);
  const auto whole = scores_of(ranker, set, {}, 1 << 20);
  ASSERT_EQ(std::ssize(whole), set.rows());
  for (const int64_t rows : {1, 10, 25, 299})
    EXPECT_THAT(scores_of(ranker, set, {}, rows),
                testing::Pointwise(testing::FloatNear(1e-6F), whole))
        << rows;
}

TEST(Scores, OfABatchAreThoseOfItsLists) {
  const RankSet set = separable(5, 4);
  const std::vector<int64_t> which{3, 0};
  const RankBatch batch = gather(set, which);
  EXPECT_EQ(batch.features.size(0), 20);
  EXPECT_TRUE(at::equal(batch.features.narrow(0, 0, 10), set.features.narrow(0, 30, 10)));
  EXPECT_TRUE(at::equal(batch.features.narrow(0, 10, 10), set.features.narrow(0, 0, 10)));
}

/// profit@5 on unseen lists of a simulated market, summed over seeds.
double money_of(const std::function<void(RankFitOptions&)>& change, RankModel model) {
  double sum = 0;
  for (const uint64_t seed : {1, 2, 3}) {
    const RankLists train = small_market(60, 10 + seed, 40), test = small_market(60, 20 + seed, 40);
    const FeatureMap map = fit_features(train);
    const RankSet a = encode(map, train), b = encode(map, test);
    RankFitOptions o = options(LossKind::pa_bce, 12);
    o.optimisation.lr = 5e-3, o.optimisation.seed = seed, o.average = 0.9;
    change(o);
    RankerOptions net = network(model, map.width());
    net.width = 16;
    const Ranker ranker(net, seed);
    fit_ranker(ranker, {a, nullptr, ""}, o, {}, {});
    sum += selection_score({SelectBy::Kind::profit, 5}, {}, b, scores_of(ranker, b, {}));
  }
  return sum / 3;
}

TEST(ProfitAware, LearnsMoneyWhereLabelsMissIt) {
  // mlp: 5791 by money, 1325 by label, 3972 by the six most profitable; cross: 5659, 1150, 3829.
  for (const RankModel model : {RankModel::mlp, RankModel::cross}) {
    const double money = money_of([](auto&) {}, model);
    const double label = money_of([](auto& o) { o.loss.kind = LossKind::bce; }, model);
    const double cut = money_of([](auto& o) { o.loss.top = 6; }, model);
    RecordProperty(to_string(model),
                   std::to_string(money) + " " + std::to_string(label) + " " + std::to_string(cut));
    EXPECT_GT(money, 1.5 * label) << to_string(model);
    EXPECT_GT(label, 0) << to_string(model);
    // Cut to the six most profitable, the published default, it learns stakes.
    EXPECT_LT(cut, 0.85 * money) << to_string(model);
  }
}

}  // namespace
}  // namespace finance
