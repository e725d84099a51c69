// Refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "attn/error.h"
#include "finance/market/simulate_market.h"

namespace finance {
namespace {

using testing::HasSubstr;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string refusal(const MarketOptions& options) {
  try {
    check(options);
  } catch (const attn::UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(MarketOptions, OutOfRangeAreRefusedInASentence) {
  EXPECT_EQ(refusal({}), "");
  EXPECT_EQ(refusal({.lists = 0}),
            "the simulated market: the number of lists is 0, expected at least 1");
  EXPECT_THAT(refusal({.traders = -5}), HasSubstr("traders of a list is -5, expected at least 1"));
  EXPECT_THAT(refusal({.lists = int64_t{1} << 62, .traders = int64_t{1} << 62}),
              HasSubstr("more than the 20000000 rows"));
  EXPECT_THAT(refusal({.trades = 1}), HasSubstr("past trades is 1, expected 2 to"));
  for (const double bad : {-0.1, 1e9, kNan})
    EXPECT_THAT(refusal({.regime = bad}), HasSubstr("strength of the regime"));
  for (const double bad : {-0.1, 1.1, kNan}) {
    EXPECT_THAT(refusal({.flip = bad}), HasSubstr("regime flips is"));
    EXPECT_THAT(refusal({.tail_probability = bad}), HasSubstr("probability of a large stake"));
  }
  for (const double bad : {0.0, -1.0, kNan, std::numeric_limits<double>::infinity()})
    EXPECT_THAT(refusal({.noise = bad}), HasSubstr("noise of returns"));
  for (const double bad : {2.0, 1.0, kNan, 1e9})
    EXPECT_THAT(refusal({.degrees = bad}), HasSubstr("expected a number above 2"));
  for (const double bad : {0.0, 0.4, kNan})
    EXPECT_THAT(refusal({.tail_index = bad}), HasSubstr("tail index"));
  for (const double bad : {-1.0, kNan})
    EXPECT_THAT(refusal({.tail_size = bad}), HasSubstr("size of large stakes"));
  EXPECT_THAT(refusal({.label_roi = kNan}), HasSubstr("expected a number, 0.05 for 5 %"));
  EXPECT_THAT(refusal({.window = 1}), HasSubstr("make a volatility is 1, expected at least 2"));
  EXPECT_THROW(market_regimes({.flip = 2}), attn::UsageError);
  EXPECT_THROW(simulate_market({.flip = 2}, garch_returns(100, 1)), attn::UsageError);
}

TEST(MarketOptions, ReturnsMustMakeAVolatility) {
  const auto sentence = [](const std::vector<double>& returns) -> std::string {
    try {
      simulate_market({.lists = 2, .traders = 3, .window = 10}, returns);
    } catch (const attn::Error& error) {
      return error.what();
    }
    return "";
  };
  std::vector<double> returns = garch_returns(11, 1);
  EXPECT_EQ(sentence(returns), "");
  returns[7] = kNan;
  EXPECT_THAT(sentence(returns), HasSubstr("return 8 (of 1 to 11) is nan"));
  EXPECT_THAT(sentence(garch_returns(10, 1)),
              HasSubstr("there are 10 returns, expected more than the 10 in a row"));
  EXPECT_THAT(sentence({}), HasSubstr("there are 0 returns"));
  EXPECT_THAT(sentence(std::vector<double>(20, 0.1)), HasSubstr("give prices that move"));
}

}  // namespace
}  // namespace finance
