#include "finance/market/trader.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace finance {
namespace {

using Numbers = std::span<const double>;

TraderType draw_type(Rng& rng) {
  const double at = rng.uniform();
  if (at < 0.55) return TraderType::noise;
  if (at < 0.70) return TraderType::follower;
  if (at < 0.85) return TraderType::contrarian;
  return at < 0.93 ? TraderType::skilled : TraderType::loser;
}

double draw_momentum(TraderType type, Rng& rng) {
  if (type == TraderType::follower) return rng.uniform(0.5, 1);
  if (type == TraderType::contrarian) return -rng.uniform(0.5, 1);
  return rng.normal(0, 0.15);
}

double draw_skill(TraderType type, Rng& rng) {
  if (type == TraderType::skilled) return rng.uniform(0.02, 0.10);
  if (type == TraderType::loser) return -rng.uniform(0.02, 0.08);
  return rng.normal(-0.012, 0.010);
}

/// One number for skilled traders, one for losers, 0 for the others.
double shift(TraderType type, double skilled, double loser) {
  if (type == TraderType::skilled) return skilled;
  return type == TraderType::loser ? loser : 0;
}

double mean(Numbers x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

double deviation(Numbers x) {
  const double centre = mean(x);
  double sum = 0;
  for (const double each : x) sum += (each - centre) * (each - centre);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

/// Mean of the winning returns, minus the mean of the losing ones; 0 where there are none.
struct WinLoss {
  double rate = 0, win = 0, loss = 0;
};
WinLoss win_loss(Numbers roi) {
  WinLoss of;
  double wins = 0, losses = 0;
  for (const double r : roi) (r > 0 ? of.win : of.loss) += std::abs(r), ++(r > 0 ? wins : losses);
  of.rate = wins / static_cast<double>(roi.size());
  of.win /= std::max(wins, 1.0), of.loss /= std::max(losses, 1.0);
  return of;
}

double greatest_fall(Numbers roi) {
  double sum = roi[0], most = roi[0], fall = 0;
  for (const double r : roi.subspan(1)) {
    sum += r;
    most = std::max(most, sum);
    fall = std::max(fall, most - sum);
  }
  return fall;
}

}  // namespace

Trader draw_trader(const MarketOptions& options, Rng& rng) {
  Trader trader;
  trader.type = draw_type(rng);
  trader.momentum = draw_momentum(trader.type, rng);
  trader.skill = draw_skill(trader.type, rng);
  trader.log_leverage = rng.normal(0, 0.5);
  trader.stake = rng.log_normal(1, 1.1);
  // Drawn whether used or not: what follows is the same whatever the tail.
  const double tail = lomax_draw(rng, options.tail_index);
  if (rng.chance(options.tail_probability)) trader.stake *= 1 + options.tail_size * tail;
  return trader;
}

Trades draw_trades(const MarketOptions& options, const TradingWindow& window, const Trader& trader,
                   bool& lost, Rng& rng) {
  const double edge = trader.skill + window.push * trader.momentum;
  const double spread = window.noise * std::exp(trader.log_leverage / 2);
  Trades trades;
  for (int64_t t = 0; t < options.trades; ++t) {
    const bool chase = trader.type == TraderType::loser && lost;
    trades.stake.push_back(trader.stake * rng.log_normal(1, 0.35) * (chase ? 1.5 : 1));
    trades.roi.push_back(edge + spread * unit_student_t(rng, options.degrees));
    lost = trades.roi.back() < 0;
  }
  return trades;
}

const std::vector<std::string>& market_features() {
  static const std::vector<std::string> names{
      "NumTrades20",        "TradeFreq20",  "WinRate20",       "MeanRet20",
      "StdRet20",           "Sharpe20",     "PayoffRatio20",   "MeanStake20",
      "StdStake20",         "LastStake",    "ProfitRate20",    "AvgHold20",
      "HoldRatioWinLoss20", "ShortShare20", "MomentumAlign20", "MaxDD20",
      "Leverage",           "HourBias"};
  return names;
}

MarketFeatures market_features_of(const Trader& trader, const Trades& past, Rng& rng) {
  const double activity = rng.normal(0, 0.5);
  const auto trades =
      static_cast<double>(std::max<int64_t>(5, poisson_draw(rng, 16 * std::exp(activity))));
  const double frequency = activity + rng.normal(0, 0.2);
  const WinLoss of = win_loss(past.roi);
  const double mean_roi = mean(past.roi), spread = deviation(past.roi);
  const double staked = std::accumulate(past.stake.begin(), past.stake.end(), 0.0);
  const double earned =
      std::inner_product(past.stake.begin(), past.stake.end(), past.roi.begin(), 0.0);
  const double hold = rng.normal(shift(trader.type, -0.4, 0.4), 0.63);
  const double hold_ratio = rng.normal(shift(trader.type, -0.5, 0.6), 0.4);
  const double shorts = std::clamp(rng.normal(0.5, 0.15), 0.0, 1.0);
  const double align = trader.momentum + rng.normal(0, 0.35);
  return {std::log(trades),
          frequency,
          of.rate,
          mean_roi,
          spread,
          mean_roi / spread,
          std::log((of.win + 0.001) / (of.loss + 0.001)),
          std::log(mean(past.stake)),
          std::log(deviation(past.stake)),
          std::log(past.stake.back()),
          earned / staked,
          hold,
          hold_ratio,
          shorts,
          align,
          greatest_fall(past.roi),
          trader.log_leverage,
          rng.normal()};
}

}  // namespace finance
