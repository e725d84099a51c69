// Losses and gradients of small lists that were computed elsewhere in float64; PA-BCE of K = 6 is
// that of the published class.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "finance/loss/rank_loss.h"
#include "tests/support/data.h"
#include "tests/support/every_target.h"

namespace finance {
namespace {

using Values = std::vector<double>;

struct Published {
  const char* key;
  LossOptions options;
  bool sum;  // over rows, where ours is the mean
};

/// The rows that the fixture's gradient moves before the others: of equal profits at the cut it
/// took whichever its sort left there, ours takes the earlier row.
std::vector<size_t> moved_first(const Values& slopes) {
  std::vector<size_t> order(slopes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_partition(order.begin(), order.end(), [&](size_t i) { return slopes[i] != 0; });
  return order;
}

Values in_order(const Values& all, const std::vector<size_t>& order) {
  Values some;
  for (const size_t i : order) some.push_back(all[i]);
  return some;
}

void expect_published(const nlohmann::json& list, const Published& loss) {
  SCOPED_TRACE(list.at("id").dump() + " " + loss.key);
  const auto& expected = list.at(loss.key);
  const auto order = moved_first(expected.at("grad").get<Values>());
  const auto column = [&](const nlohmann::json& of, const char* key) {
    return in_order(of.at(key).get<Values>(), order);
  };
  const Values slopes = column(expected, "grad");
  const double scale = loss.sum ? static_cast<double>(slopes.size()) : 1;
  Values gradient(slopes.size(), 0.0);
  const double value = list_loss(loss.options, column(list, "score"), column(list, "label"),
                                 column(list, "pnl"), scale, gradient);
  EXPECT_NEAR(scale * value, expected.at("loss").get<double>(), 1e-9);
  for (size_t r = 0; r < slopes.size(); ++r) EXPECT_NEAR(gradient[r], slopes[r], 1e-9) << r;
}

TEST(Fixtures, LossesAndGradients) {
  const auto path = attn::test::shared_data("finance/loss_fixtures/loss_fixtures_dev.json");
  ATTN_NEED_SHARED_DATA(path);
  std::ifstream file(path);
  const auto lists = nlohmann::json::parse(file);
  ASSERT_EQ(lists.size(), 24U);
  const std::vector<Published> all{{"pabce_k6", {.kind = LossKind::pa_bce, .top = 6}, false},
                                   {"pabce_k20", {.kind = LossKind::pa_bce, .top = 20}, false},
                                   {"pabce_kall", {.kind = LossKind::pa_bce}, false},
                                   {"bce_sum", {.kind = LossKind::bce}, true},
                                   {"softmax_rankformer", {.kind = LossKind::softmax}, false},
                                   {"ranknet_sum", {.kind = LossKind::ranknet}, false}};
  attn::test::with_every_target([&] {
    for (const Published& loss : all) {
      int seen = 0;
      for (const auto& list : lists) {
        if (!list.contains(loss.key)) continue;  // K = all of lists of 20 is K = 20
        expect_published(list, loss);
        ++seen;
      }
      EXPECT_GE(seen, 19) << loss.key;
    }
  });
}

}  // namespace
}  // namespace finance
