#include "timeseries/score/backtest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "attn/error.h"
#include "tests/support/damage.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Values = std::vector<double>;

TEST(RollingOrigins, TheLastWindowEndsWithTheLastRow) {
  EXPECT_THAT(rolling_origins(100, {.horizon = 10, .windows = 3}, "x"), ElementsAre(70, 80, 90));
  EXPECT_THAT(rolling_origins(100, {.horizon = 10, .windows = 3, .stride = 1}, "x"),
              ElementsAre(88, 89, 90));
  EXPECT_THAT(rolling_origins(11, {.horizon = 10, .windows = 1}, "x"), ElementsAre(1));
  EXPECT_THAT(rolling_origins(10, {.horizon = 10, .windows = 1, .min_train = 0}, "x"),
              ElementsAre(0));
}

TEST(RollingOrigins, AllThatFitOrAllThatAreAskedFor) {
  for (int64_t rows = 1; rows < 40; ++rows) {
    for (int64_t horizon = 1; horizon < 7; ++horizon) {
      for (int64_t stride = 1; stride < 5; ++stride) {
        for (int64_t train = 0; train < 6; ++train) {
          // From the end back, as long as there is enough to train on.
          std::vector<int64_t> fit;
          for (int64_t origin = rows - horizon; origin >= train; origin -= stride)
            fit.insert(fit.begin(), origin);
          BacktestOptions options{horizon, 0, stride, train};
          if (!fit.empty()) {
            EXPECT_EQ(rolling_origins(rows, options, "x"), fit);
          }
          for (int64_t windows = fit.empty() ? 0 : 1; windows < 9; ++windows) {
            options.windows = windows;
            const auto wanted = static_cast<size_t>(windows);
            if (windows > 0 && wanted <= fit.size()) {
              EXPECT_EQ(rolling_origins(rows, options, "x"),
                        std::vector<int64_t>(fit.end() - windows, fit.end()));
            } else {
              EXPECT_THROW(rolling_origins(rows, options, "x"), attn::Error);
            }
          }
        }
      }
    }
  }
}

TEST(RollingOrigins, TooShortIsSaidWithWhatIsNeeded) {
  const std::string sentence = sentence_of(
      [] { rolling_origins(479, {.horizon = 48, .windows = 8, .min_train = 96}, "series 'H1'"); });
  EXPECT_THAT(sentence, HasSubstr("series 'H1' has 479 rows and 480 are needed"));
  EXPECT_THAT(sentence, HasSubstr("8 windows of 48 steps, 48 rows apart"));
  EXPECT_NO_THROW(rolling_origins(480, {.horizon = 48, .windows = 8, .min_train = 96}, "x"));
  EXPECT_THAT(sentence_of([] { rolling_origins(5, {.horizon = 9}, "the file"); }),
              HasSubstr("10 are needed, 1 to train on before a window of 9 steps; "));
}

TEST(RollingOrigins, OddOptionsAreUsageErrors) {
  EXPECT_THAT(sentence_of([] { rolling_origins(9, {.horizon = 0}, "x"); }),
              HasSubstr("the horizon must be at least 1, found 0"));
  EXPECT_THROW(rolling_origins(9, {.horizon = 1, .windows = -1}, "x"), attn::UsageError);
  EXPECT_THROW(rolling_origins(9, {.horizon = 1, .stride = -1}, "x"), attn::UsageError);
  EXPECT_THROW(rolling_origins(9, {.horizon = 1, .min_train = -1}, "x"), attn::UsageError);
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  EXPECT_THROW(rolling_origins(9, {kHuge, kHuge, kHuge, kHuge}, "x"), attn::Error);
  EXPECT_EQ(rows_needed({kHuge, kHuge, kHuge, kHuge}), kHuge);
  EXPECT_THAT(rolling_origins(9, {.horizon = 1, .stride = kHuge}, "x"), ElementsAre(8));
}

TEST(BacktestTable, MethodByMetricByStep) {
  MethodScores a{"a", HorizonErrors(2), HorizonIntervals({0.8}, 2)};
  a.errors.add(Values{1, 2}, Values{2, 4}, 2.0);
  a.intervals.add(Values{1, 2}, Values{0, 3}, Values{1, 4});
  MethodScores b{"b", HorizonErrors(2), {}};
  b.errors.add(Values{0, kMissing}, Values{1, 1});
  const std::vector<MethodScores> methods{a, b};
  const std::vector<BacktestRow> table = backtest_table(methods);
  ASSERT_EQ(table.size(), (7 + 3) * 3 + 7 * 3U);
  const auto find = [&](const std::string& method, const std::string& metric, int64_t step) {
    for (const BacktestRow& row : table)
      if (row.method == method && row.metric == metric && row.step == step) return row;
    ADD_FAILURE() << method << " " << metric << " " << step;
    return BacktestRow();
  };
  EXPECT_DOUBLE_EQ(find("a", "mse", 0).value, 2.5);
  EXPECT_DOUBLE_EQ(find("a", "mse", 2).value, 4);
  EXPECT_DOUBLE_EQ(find("a", "mase", 1).value, 0.5);
  EXPECT_EQ(find("a", "mase", 0).count, 2);
  EXPECT_DOUBLE_EQ(find("a", "coverage-80", 0).value, 0.5);
  EXPECT_DOUBLE_EQ(find("a", "coverage-80", 1).value, 1);
  EXPECT_DOUBLE_EQ(find("a", "width-80", 0).value, 1);
  EXPECT_NEAR(find("a", "score-80", 2).value, 1 + 10 * 1, 1e-12);
  EXPECT_EQ(find("b", "mae", 0).count, 1);
  EXPECT_EQ(find("b", "mape", 0).count, 0);
  EXPECT_TRUE(std::isnan(find("b", "mape", 0).value));
  EXPECT_TRUE(std::isnan(find("b", "mse", 2).value));
  // Each place once.
  std::set<std::string> places;
  for (const BacktestRow& row : table)
    EXPECT_TRUE(places.insert(row.method + row.metric + std::to_string(row.step)).second);
}

}  // namespace
}  // namespace timeseries
