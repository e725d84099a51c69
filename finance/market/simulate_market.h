// A market of simulated traders (our own design; equations below): lists whose best hedge is known
// to depend on money and on a regime that only the whole list shows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "finance/lists/rank_lists.h"

namespace finance {

/// One list: n traders active in one trading window t. Hidden regime r_t in {+1, -1}, either at
/// first, then flipped with probability `flip`; volatility v_t the standard deviation of `window`
/// returns in a row, from anywhere among them, over that of all, clipped to [0.4, 3].
/// Types: noise 55 %, trend follower 15 %, contrarian 15 %, skilled 8 %, disposition loser 7 %.
/// Momentum loading m: U(.5,1), -U(.5,1), else N(0,.15). Skill a: skilled U(.02,.10), loser
/// -U(.02,.08), else N(-.012,.010). Edge e = a + 0.055 regime m r. Return of a trade
///   ROI = e + noise v sqrt(lev) t_nu / sqrt(nu / (nu - 2)) ,  lev = exp(N(0,.5))
/// Stake = exp(N(0,1.1)) (1 + tail_size X with probability `tail_probability`), P(X > x) =
/// (1 + x)^-tail_index (Lomax), each trade times exp(N(0,.35)); losers stake 1.5 times after a
/// loss. `trades` past trades make the features, as many future ones pnl = 100 sum stake ROI, stake
/// = 100 sum stake, and the label risky = mean future ROI > `label_roi`.
struct MarketOptions {
  int64_t lists = 500;
  int64_t traders = 50;  ///< of a list
  bool ragged = false;   ///< any number from half of `traders` (rounded up) to all
  int64_t trades = 20;   ///< past ones and future ones; at least 2
  double regime = 2.0;   ///< strength g
  double flip = 0.10;
  double noise = 0.20;
  double degrees = 4;  ///< nu of Student's t, > 2
  double tail_probability = 0.03, tail_index = 1.5, tail_size = 4;
  double label_roi = 0.05;
  int64_t window = 60;  ///< returns in a row that make the volatility
  uint64_t seed = 1;
};
/// attn::UsageError for options out of range, in a sentence.
void check(const MarketOptions& options);

/// The 18 features, from the past trades unless said otherwise (logarithms are natural, standard
/// deviations those of the trades at hand, win and loss the mean ROI of winning trades and minus
/// that of losing ones):
///   NumTrades20         log max(5, Poisson(16 A)), trades in the window by activity A =
///   exp(N(0,.5)) TradeFreq20         log A + N(0,.2) WinRate20           share of trades with ROI
///   > 0 MeanRet20, StdRet20, Sharpe20    mean and standard deviation of ROI, and their ratio
///   PayoffRatio20       log((win + .001) / (loss + .001))
///   MeanStake20, StdStake20, LastStake    log of mean, standard deviation and last of the stakes
///   ProfitRate20        sum stake ROI / sum stake
///   AvgHold20           log holding time: N(0,.63), skilled -.4, losers +.4
///   HoldRatioWinLoss20  log of that of losses over that of wins: N(0,.4), skilled -.5, losers +.6
///   ShortShare20        N(.5,.15) within [0, 1]
///   MomentumAlign20     m + N(0,.35)
///   MaxDD20             greatest fall of the summed ROI below what it was after an earlier trade
///   Leverage            log lev
///   HourBias            N(0,1), which means nothing
/// The 20 stays in the names whatever `trades` is.
const std::vector<std::string>& market_features();

/// Returns of a GARCH(1,1): sigma_t^2 = omega + alpha r_{t-1}^2 + beta sigma_{t-1}^2 with omega = 1
/// - alpha - beta, alpha = 0.08, beta = 0.90 (Bollerslev 1986), Gaussian, of variance 1 from the
/// first on; drawn by `seed`. attn::UsageError for a negative number of them.
std::vector<double> garch_returns(int64_t count, uint64_t seed);

/// Log returns of prices in a row, one fewer. attn::Error for prices that are not positive, the
/// first being that of row 2, below a header.
std::vector<double> log_returns(std::span<const double> prices);

/// r_t of every list, +1 or -1.
std::vector<int> market_regimes(const MarketOptions& options);

/// The market's lists, "0", "1", ...: market_features(), label "risky", profit "pnl", kept column
/// "stake" (money the trader stakes in the future trades: the base of the cost of hedging).
/// `returns`: of the volatility; at least `window` + 1, finite, not all equal (attn::Error). Lists
/// and traders have streams of random numbers of their own: the same options and returns give the
/// same lists, and more lists, or more traders of lists that are not ragged, change none of those
/// before. attn::UsageError as `check`; Interrupted.
RankLists simulate_market(const MarketOptions& options, std::span<const double> returns,
                          const attn::Hooks& hooks = {});

}  // namespace finance
