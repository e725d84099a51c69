#include "finance/market/simulate_market.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "attn/error.h"
#include "finance/market/trader.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

/// What a stream of random numbers is for.
enum Stream : uint64_t { kRegime = 1, kList = 2, kTrader = 3 };

uint64_t key(int64_t number) {
  return static_cast<uint64_t>(number);
}

double deviation(std::span<const double> x) {
  double mean = 0, sum = 0;
  for (const double each : x) mean += each / static_cast<double>(x.size());
  for (const double each : x) sum += (each - mean) * (each - mean);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

/// Standard deviation of all; attn::Error for returns that make no volatility.
double overall_deviation(const MarketOptions& options, std::span<const double> returns) {
  if (std::ssize(returns) <= options.window)
    throw attn::UsageError(fmt::format(
        "the simulated market: there are {} returns, expected more than the {} in a "
        "row that make a volatility; give a longer series of prices or a shorter window",
        returns.size(), options.window));
  for (size_t t = 0; t < returns.size(); ++t)
    if (!std::isfinite(returns[t]))
      throw attn::Error(
          fmt::format("the simulated market: return {} (of 1 to {}) is {}, expected a "
                      "finite number",
                      t + 1, returns.size(), attn::io::number_text(returns[t])));
  const double all = deviation(returns);
  const auto [least, most] = std::ranges::minmax(returns);
  if (least == most || !(all > 0) || !std::isfinite(all))
    throw attn::Error(fmt::format(
        "the simulated market: the {} returns have a standard deviation of {}, expected a positive "
        "one; give prices that move",
        returns.size(), least == most ? "0" : attn::io::number_text(all)));
  return all;
}

/// Traders and volatility of a list.
struct ListDraw {
  int64_t traders;
  double volatility;
};
ListDraw draw_list(const MarketOptions& o, int64_t list, std::span<const double> returns,
                   double overall) {
  Rng rng = Rng::keyed({o.seed, kList, key(list)});
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(rng.uniform() * static_cast<double>(n));
  };
  const int64_t start = below(std::ssize(returns) - o.window + 1);
  const int64_t fewest = (o.traders + 1) / 2;
  const double spread =
      deviation(returns.subspan(static_cast<size_t>(start), static_cast<size_t>(o.window)));
  return {o.ragged ? fewest + below(o.traders - fewest + 1) : o.traders,
          std::clamp(spread / overall, 0.4, 3.0)};
}

void add_trader(const MarketOptions& o, const TradingWindow& window, Rng rng, RankLists& market) {
  const Trader trader = draw_trader(o, rng);
  bool lost = false;
  const Trades past = draw_trades(o, window, trader, lost, rng);
  const Trades future = draw_trades(o, window, trader, lost, rng);
  for (const double feature : market_features_of(trader, past, rng))
    market.features.push_back(static_cast<float>(feature));
  double roi = 0, earned = 0, staked = 0;
  for (size_t t = 0; t < future.roi.size(); ++t) {
    roi += future.roi[t] / static_cast<double>(o.trades);
    earned += 100 * future.stake[t] * future.roi[t];
    staked += 100 * future.stake[t];
  }
  market.label.push_back(roi > o.label_roi ? 1 : 0);
  market.profit.push_back(earned);
  market.kept[0].values.push_back(staked);
  market.rows_in_file.push_back(std::ssize(market.rows_in_file));
}

}  // namespace

std::vector<int> market_regimes(const MarketOptions& options) {
  check(options);
  std::vector<int> regimes;
  for (int64_t t = 0; t < options.lists; ++t) {
    Rng rng = Rng::keyed({options.seed, kRegime, key(t)});
    if (t == 0) {
      regimes.push_back(rng.chance(0.5) ? 1 : -1);
    } else {
      regimes.push_back(rng.chance(options.flip) ? -regimes.back() : regimes.back());
    }
  }
  return regimes;
}

RankLists simulate_market(const MarketOptions& options, std::span<const double> returns,
                          const attn::Hooks& hooks) {
  check(options);
  const double overall = overall_deviation(options, returns);
  const std::vector<int> regimes = market_regimes(options);
  RankLists market;
  market.name = "the simulated market";
  market.feature_names = market_features();
  market.kept.push_back({"stake", {}});
  for (int64_t t = 0; t < options.lists; ++t) {
    hooks.check();
    hooks.report("lists", t, options.lists);
    const ListDraw list = draw_list(options, t, returns, overall);
    const TradingWindow window{0.055 * options.regime * regimes[static_cast<size_t>(t)],
                               options.noise * list.volatility};
    for (int64_t i = 0; i < list.traders; ++i)
      add_trader(options, window, Rng::keyed({options.seed, kTrader, key(t), key(i)}), market);
    market.offsets.push_back(market.offsets.back() + list.traders);
    market.list_ids.push_back(std::to_string(t));
  }
  return market;
}

}  // namespace finance
