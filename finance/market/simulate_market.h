// A market of simulated traders (our own design; equations below): lists whose best hedge is known
// to depend on money and on a regime that only the whole list shows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "finance/lists/rank_lists.h"

namespace finance {

/// One list: n traders active in one trading window t. Hidden regime r_t in {+1, -1}, flipped with
/// probability `flip`; volatility v_t the standard deviation of `window` returns in a row over that
/// of all, clipped to [0.4, 3].
/// Types: noise 55 %, trend follower 15 %, contrarian 15 %, skilled 8 %, disposition loser 7 %.
/// Momentum loading m: U(.5,1), -U(.5,1), else N(0,.15). Skill a: skilled U(.02,.10), loser
/// -U(.02,.08), else N(-.012,.010). Edge e = a + 0.055 regime m r. Return of a trade
///   ROI = e + noise v sqrt(lev) t_nu / sqrt(nu / (nu - 2)) ,  lev = exp(N(0,.5))
/// Stake = exp(N(0,1.1)) (1 + 4 Pareto(1.5) with probability `tail_probability`), each trade times
/// exp(N(0,.35)); losers stake 1.5 times after a loss. 20 past trades make the features, 20 future
/// ones pnl = 100 sum stake ROI and the label risky = mean future ROI > `label_roi`.
struct MarketOptions {
  int64_t lists = 500;
  int64_t traders = 50;       ///< of a list
  bool ragged = false;        ///< between half and all of `traders`
  int64_t trades = 20;        ///< past ones and future ones
  double regime = 2.0;        ///< strength g
  double flip = 0.10;
  double noise = 0.20;
  double degrees = 4;         ///< of Student's t, > 2
  double tail_probability = 0.03, tail_index = 1.5, tail_size = 4;
  double label_roi = 0.05;
  int64_t window = 60;        ///< returns in a row that make the volatility
  uint64_t seed = 1;
};

/// Returns of a GARCH(1,1): sigma_t^2 = omega + alpha r_{t-1}^2 + beta sigma_{t-1}^2 with omega = 1
/// - alpha - beta, alpha = 0.08, beta = 0.90 (Bollerslev 1986), drawn by `seed`.
std::vector<double> garch_returns(int64_t count, uint64_t seed);

/// Log returns of prices in a row. Throws attn::Error for prices that are not positive.
std::vector<double> log_returns(std::span<const double> prices);

/// The market's lists: features (18 columns named as the house's sample data), label "risky",
/// profit "pnl", kept column "stake" (money the trader stakes in the future trades: the base of the
/// cost of hedging). `returns`: of the volatility; at least `window` + 1. The same options and
/// returns give the same lists. Throws attn::UsageError for options out of range.
RankLists simulate_market(const MarketOptions& options, std::span<const double> returns);

}  // namespace finance
