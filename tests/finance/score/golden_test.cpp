// Numbers of scikit-learn, LightGBM and scipy (golden.py, which names versions and rules), and of
// the project's own fixtures.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <vector>

#include "finance/score/decisions.h"
#include "finance/score/rank_metrics.h"
#include "tests/finance/score/tables.h"
#include "tests/support/data.h"

namespace finance {
namespace {

using nlohmann::json;
using test::metric;
using Values = std::vector<double>;

constexpr double kWithin = 1e-9;
constexpr NdcgRule kLightGbm{Gain::exponential, EmptyList::one};

json read(const std::filesystem::path& path) {
  std::ifstream in(path);
  return json::parse(in);
}

json golden() {
  return read(std::filesystem::path(ATTN_SOURCE_DIR) / "tests/finance/score/golden.json");
}

Values values(const json& of) {
  return of.get<Values>();
}

bool tied(const Values& score) {
  return std::set<double>(score.begin(), score.end()).size() < score.size();
}

/// Mean of our NDCG over all orders of the rows: what tied scores earn where they share places.
double over_all_orders(const Values& score, const Values& label, int64_t k) {
  std::vector<size_t> order(score.size());
  std::iota(order.begin(), order.end(), size_t{0});
  double sum = 0;
  int64_t orders = 0;
  do {
    Values s, y;
    for (const size_t i : order) s.push_back(score[i]), y.push_back(label[i]);
    sum += ndcg(s, y, k);
    ++orders;
  } while (std::next_permutation(order.begin(), order.end()));
  return sum / static_cast<double>(orders);
}

TEST(Golden, NdcgOfLightGbmListByList) {
  const json g = golden();
  int ties = 0, without_gain = 0, of_one = 0;
  for (const json& list : g["lists"]) {
    const Values score = values(list["score"]), grade = values(list["grade"]);
    ties += tied(score) ? 1 : 0;
    of_one += score.size() == 1 ? 1 : 0;
    const bool empty = *std::max_element(grade.begin(), grade.end()) == 0;
    without_gain += empty ? 1 : 0;
    for (size_t i = 0; i < g["at"].size(); ++i) {
      const auto k = g["at"][i].get<int64_t>();
      EXPECT_NEAR(ndcg(score, grade, k, kLightGbm), list["lightgbm_ndcg"][i].get<double>(), kWithin)
          << list["kind"] << " @" << k;
      if (empty) {
        EXPECT_TRUE(std::isnan(ndcg(score, grade, k, {Gain::exponential, EmptyList::skip})));
      }
    }
  }
  // The file holds what it is there for.
  EXPECT_GE(ties, 7);
  EXPECT_GE(without_gain, 4);
  EXPECT_EQ(of_one, 2);
}

TEST(Golden, NdcgOfScikitLearnListByList) {
  const json g = golden();
  int apart = 0, shared = 0;
  for (const json& list : g["lists"]) {
    if (list["scikit_ndcg"].is_null()) continue;
    const Values score = values(list["score"]), grade = values(list["grade"]);
    for (size_t i = 0; i < g["at"].size(); ++i) {
      const auto k = g["at"][i].get<int64_t>();
      const double expected = list["scikit_ndcg"][i];
      if (!tied(score)) {
        EXPECT_NEAR(ndcg(score, grade, k), expected, kWithin) << list["kind"] << " @" << k;
        ++apart;
      } else if (score.size() <= 7) {
        // The two rules differ in ties and agree in the mean over orders of the rows.
        EXPECT_NEAR(over_all_orders(score, grade, k), expected, kWithin) << list["kind"];
        ++shared;
      }
    }
  }
  EXPECT_GE(apart, 40);
  EXPECT_GE(shared, 8);
}

TEST(Golden, ReciprocalRankOfScikitLearn) {
  int seen = 0;
  const json g = golden();
  for (const json& list : g["lists"]) {
    if (list["scikit_lrap"].is_null()) continue;
    EXPECT_NEAR(reciprocal_rank(values(list["score"]), values(list["grade"])),
                list["scikit_lrap"].get<double>(), kWithin);
    ++seen;
  }
  EXPECT_GE(seen, 5);
}

TEST(Golden, WholeTable) {
  const json g = golden();
  test::Table table;
  for (const json& list : g["lists"]) {
    for (const double v : values(list["score"])) table.score.push_back(v);
    for (const double v : values(list["grade"])) table.label.push_back(v);
    for (const double v : values(list["profit"])) table.profit.push_back(v);
    table.offsets.push_back(static_cast<int64_t>(table.score.size()));
  }
  MetricsOptions options = test::only_values();
  options.at = g["at"].get<std::vector<int64_t>>();
  options.threshold = g["threshold"];
  options.ndcg = kLightGbm;
  const std::vector<Metric> found = rank_metrics(table.lists(), options);
  for (size_t i = 0; i < options.at.size(); ++i) {
    const Metric of = metric(found, "ndcg@" + std::to_string(options.at[i]));
    EXPECT_NEAR(of.value, g["all"]["lightgbm_ndcg"][i].get<double>(), kWithin);
    EXPECT_EQ(of.lists, table.lists().lists());
  }
  for (const char* name : {"auc", "macro_f1", "precision", "recall"})
    EXPECT_NEAR(metric(found, name).value, g["all"][name].get<double>(), kWithin) << name;
}

TEST(Golden, WilsonOfScipy) {
  const json g = golden();
  ASSERT_EQ(g["wilson"].size(), 5U);
  for (const json& row : g["wilson"]) {
    const auto [low, high] = wilson_interval(row[0].get<int64_t>(), row[1].get<int64_t>());
    EXPECT_NEAR(low, row[2].get<double>(), 1e-12);
    EXPECT_NEAR(high, row[3].get<double>(), 1e-12);
  }
  // Newcombe 1998, table I: 81 of 263.
  EXPECT_NEAR(wilson_interval(81, 263).first, 0.2553, 5e-5);
  EXPECT_NEAR(wilson_interval(81, 263).second, 0.3662, 5e-5);
  EXPECT_TRUE(std::isnan(wilson_interval(0, 0).first));
}

// Labels of the fixtures are 0 and 1, whose two gains are equal; lists without a positive are null;
// precision is of k, though a list is shorter.
TEST(Golden, Fixtures) {
  const auto path = attn::test::shared_data("finance/loss_fixtures/loss_fixtures_dev.json");
  ATTN_NEED_SHARED_DATA(path);
  int without = 0, lists = 0;
  for (const json& list : read(path)) {
    const Values score = values(list["score"]), label = values(list["label"]),
                 profit = values(list["pnl"]);
    const auto expect = [&](double found, const std::string& name) {
      const json& expected = list["metrics"].at(name);
      if (expected.is_null()) {
        EXPECT_TRUE(std::isnan(found)) << name;
        ++without;
      } else {
        EXPECT_NEAR(found, expected.get<double>(), kWithin) << name;
      }
    };
    for (const int64_t k : {1, 3, 5, 10}) {
      for (const Gain gain : {Gain::linear, Gain::exponential})
        expect(ndcg(score, label, k, {gain, EmptyList::skip}), "ndcg@" + std::to_string(k));
      if (k == 10) continue;
      expect(profit_at(score, profit, k), "profit@" + std::to_string(k));
      expect(precision(score, label, k), "precision@" + std::to_string(k));
    }
    expect(reciprocal_rank(score, label), "mrr");
    ++lists;
  }
  EXPECT_EQ(lists, 24);
  EXPECT_GT(without, 0);
}

}  // namespace
}  // namespace finance
