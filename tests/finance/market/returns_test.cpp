// Returns that the volatility comes from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "attn/error.h"
#include "finance/market/simulate_market.h"

namespace finance {
namespace {

using Values = std::vector<double>;

double mean(const Values& x) {
  double sum = 0;
  for (const double each : x) sum += each;
  return sum / static_cast<double>(x.size());
}

double autocorrelation(const Values& x, size_t lag) {
  const double centre = mean(x);
  double at = 0, all = 0;
  for (size_t t = 0; t < x.size(); ++t) {
    all += (x[t] - centre) * (x[t] - centre);
    if (t >= lag) at += (x[t] - centre) * (x[t - lag] - centre);
  }
  return at / all;
}

Values squares(const Values& x) {
  Values all;
  for (const double each : x) all.push_back(each * each);
  return all;
}

TEST(Garch, VarianceOneAndClustersOfVolatility) {
  for (const uint64_t seed : {1U, 2U, 3U}) {
    const Values r = garch_returns(400000, seed);
    EXPECT_NEAR(mean(squares(r)), 1, 0.05);
    EXPECT_NEAR(mean(r), 0, 0.01);
    EXPECT_NEAR(autocorrelation(r, 1), 0, 0.01);
    // alpha (1 - alpha beta - beta^2) / (1 - 2 alpha beta - beta^2), then alpha + beta a lag
    const double first = 0.08 * (1 - 0.08 * 0.9 - 0.81) / (1 - 2 * 0.08 * 0.9 - 0.81);
    EXPECT_NEAR(autocorrelation(squares(r), 1), first, 0.04);
    EXPECT_NEAR(autocorrelation(squares(r), 11), first * std::pow(0.98, 10), 0.05);
    EXPECT_GT(mean(squares(squares(r))), 3.3);  // tails wider than normal: 4.4 in the long run
  }
}

TEST(Garch, TheSameSeedTheSameReturns) {
  const Values r = garch_returns(100, 5), longer = garch_returns(150, 5);
  EXPECT_EQ(r, garch_returns(100, 5));
  EXPECT_EQ(r, Values(longer.begin(), longer.begin() + 100));
  EXPECT_NE(r, garch_returns(100, 6));
  EXPECT_TRUE(garch_returns(0, 1).empty());
  EXPECT_THROW(garch_returns(-1, 1), attn::UsageError);
}

TEST(LogReturns, OfPricesInARow) {
  const Values r = log_returns(Values{1, std::exp(1), 1, 0.5});
  ASSERT_EQ(r.size(), 3U);
  EXPECT_DOUBLE_EQ(r[0], 1);
  EXPECT_DOUBLE_EQ(r[1], -1);
  EXPECT_DOUBLE_EQ(r[2], -std::log(2));
  EXPECT_TRUE(log_returns(Values{3}).empty());
  EXPECT_TRUE(log_returns({}).empty());
}

TEST(LogReturns, RefusePricesThatHaveNone) {
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity()}) {
    try {
      log_returns(Values{1, 2, bad});
      FAIL() << bad;
    } catch (const attn::Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("the price of row 4 is "));
    }
  }
}

}  // namespace
}  // namespace finance
