// One trader of the simulated market: habits, trades, and what his record shows. Inside this room.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "finance/market/draws.h"
#include "finance/market/simulate_market.h"

namespace finance {

/// What all traders of a list share: 0.055 g r_t, and noise v_t.
struct TradingWindow {
  double push = 0, noise = 0;
};

enum class TraderType { noise, follower, contrarian, skilled, loser };

struct Trader {
  TraderType type = TraderType::noise;
  double momentum = 0, skill = 0;
  double log_leverage = 0;
  double stake = 0;  ///< median of a trade
};

/// Trades in a row.
struct Trades {
  std::vector<double> roi, stake;
};

inline constexpr size_t kMarketFeatures = 18;
using MarketFeatures = std::array<double, kMarketFeatures>;

Trader draw_trader(const MarketOptions& options, Rng& rng);
/// `lost`: whether the trade before the first was lost, then whether the last was.
Trades draw_trades(const MarketOptions& options, const TradingWindow& window, const Trader& trader,
                   bool& lost, Rng& rng);
/// In the order of market_features(). `past`: at least two trades.
MarketFeatures market_features_of(const Trader& trader, const Trades& past, Rng& rng);

}  // namespace finance
