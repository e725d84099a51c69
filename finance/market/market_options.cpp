// What the options of a market must be.
#include <cmath>

#include <fmt/format.h>

#include "attn/error.h"
#include "finance/market/simulate_market.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

/// Rows that a market may have: with what is made of them to be written, some 8 GB.
constexpr int64_t kMostRows = 20'000'000;

std::string text(int64_t value) {
  return std::to_string(value);
}
std::string text(double value) {
  return attn::io::number_text(value);
}

template <class T>
void require(bool ok, const char* what, T found, const char* expected) {
  if (!ok)
    throw attn::UsageError(
        fmt::format("the simulated market: {} is {}, expected {}", what, text(found), expected));
}

bool is_share(double p) {
  return p >= 0 && p <= 1;
}

}  // namespace

void check(const MarketOptions& o) {
  require(o.lists >= 1, "the number of lists", o.lists, "at least 1");
  require(o.traders >= 1, "the number of traders of a list", o.traders, "at least 1");
  if (o.lists > kMostRows / o.traders)
    throw attn::UsageError(
        fmt::format("the simulated market: {} lists of {} traders are more than the {} rows that "
                    "one market may have; take fewer",
                    o.lists, o.traders, kMostRows));
  require(o.trades >= 2 && o.trades <= 1'000'000, "the number of past trades", o.trades,
          "2 to 1000000");
  require(o.regime >= 0 && o.regime <= 1000, "the strength of the regime", o.regime,
          "0 (none) to 1000");
  require(is_share(o.flip), "the probability that the regime flips", o.flip, "0 to 1");
  require(o.noise >= 1e-6 && o.noise <= 1000, "the noise of returns", o.noise, "0.000001 to 1000");
  require(o.degrees > 2 && o.degrees <= 1e6, "the degrees of freedom of returns", o.degrees,
          "a number above 2 (none less has a variance) and up to 1000000");
  require(is_share(o.tail_probability), "the probability of a large stake", o.tail_probability,
          "0 to 1");
  require(o.tail_index >= 0.5 && o.tail_index <= 1000, "the tail index of large stakes",
          o.tail_index, "0.5 (heavy) to 1000");
  require(o.tail_size >= 0 && o.tail_size <= 1e6, "the size of large stakes", o.tail_size,
          "0 to 1000000");
  require(std::isfinite(o.label_roi), "the return that makes a trader risky", o.label_roi,
          "a number, 0.05 for 5 %");
  require(o.window >= 2, "the number of returns that make a volatility", o.window, "at least 2");
}

}  // namespace finance
