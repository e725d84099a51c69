// Returns that the volatility of the market comes from.
#include <cmath>

#include "attn/error.h"
#include "finance/market/draws.h"
#include "finance/market/simulate_market.h"
#include "libattn/io/text.h"

namespace finance {

std::vector<double> garch_returns(int64_t count, uint64_t seed) {
  if (count < 0)
    throw attn::UsageError("the number of simulated returns is " + std::to_string(count) +
                           ", expected at least 0");
  constexpr double kAlpha = 0.08, kBeta = 0.90, kOmega = 1 - kAlpha - kBeta;
  Rng rng = Rng::keyed({seed, 0x6761726368ULL});  // "garch"
  std::vector<double> returns;
  double variance = 1;
  for (int64_t t = 0; t < count; ++t) {
    const double r = std::sqrt(variance) * rng.normal();
    returns.push_back(r);
    variance = kOmega + kAlpha * r * r + kBeta * variance;
  }
  return returns;
}

std::vector<double> log_returns(std::span<const double> prices) {
  std::vector<double> returns;
  for (size_t t = 0; t < prices.size(); ++t) {
    if (!(prices[t] > 0) || !std::isfinite(prices[t]))
      throw attn::Error("the price of row " + std::to_string(t + 2) + " is " +
                        attn::io::number_text(prices[t]) +
                        ", expected a positive number: returns are of logarithms");
    if (t > 0) returns.push_back(std::log(prices[t] / prices[t - 1]));
  }
  return returns;
}

}  // namespace finance
