// What decisions are worth: hedging, the curve over depth, calibration.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "attn/error.h"
#include "finance/score/check_lists.h"
#include "finance/score/decisions.h"
#include "finance/score/one_list.h"

namespace finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void need_profit(const ScoredLists& scored) {
  if (scored.profit.empty() && !scored.offsets.empty() && scored.offsets.back() > 0)
    throw attn::Error("there are no profits: what a decision is worth needs one for every row");
}

void add(HedgeTotals& sum, const HedgeTotals& part) {
  sum.rows += part.rows;
  sum.flagged += part.flagged;
  sum.positives += part.positives;
  sum.caught += part.caught;
  sum.unhedged += part.unhedged;
  sum.result += part.result;
  sum.money_kept += part.money_kept;
  sum.money_lost += part.money_lost;
  sum.cost += part.cost;
  sum.best += part.best;
}

/// One row of profit p, whose hedge would cost `cost`, and which brings `unflagged` without.
HedgeTotals hedge_of(double p, double unflagged, bool flagged, bool positive, double cost) {
  HedgeTotals row;
  row.rows = 1;
  row.positives = positive ? 1 : 0;
  row.unhedged = 0 + unflagged;  // no -0
  row.best = 0 + (unflagged + p) - std::min(p, cost);
  row.result = flagged ? 0 + (unflagged + p) - cost : row.unhedged;
  if (!flagged) return row;
  row.flagged = 1;
  row.caught = row.positives;
  row.money_kept = std::max(p, 0.0);
  row.money_lost = std::max(-p, 0.0);
  row.cost = cost;
  return row;
}

void check_stakes(std::span<const double> stake, size_t rows, double kappa) {
  if (!(std::isfinite(kappa) && kappa >= 0))
    throw attn::UsageError(
        fmt::format("a hedge that costs {} of the stake: expected a number of at least 0", kappa));
  if (stake.empty()) return;
  check_length("stakes", stake.size(), rows);
  check_column(stake, "stake");
  const auto bad = std::find_if(stake.begin(), stake.end(), [](double s) { return s < 0; });
  if (bad != stake.end())
    throw attn::Error(fmt::format("the stake of row {} (counted from 1) is {}, expected at least 0",
                                  bad - stake.begin() + 1, *bad));
}

double logistic(double s) {
  return 1 / (1 + std::exp(-s));
}

}  // namespace

HedgeReport hedge_report(const ScoredLists& scored, const std::vector<bool>& flagged,
                         std::span<const double> stake, double kappa) {
  check_lists(scored, true);
  need_profit(scored);
  const size_t rows = scored.profit.size();
  check_length("decisions", flagged.size(), rows);
  if (!scored.unflagged.empty())
    check_length("results without a flag", scored.unflagged.size(), rows);
  check_stakes(stake, rows, kappa);
  HedgeReport report;
  double gained = 0;
  for (size_t l = 0; l + 1 < scored.offsets.size(); ++l) {
    HedgeTotals list;
    for (auto i = static_cast<size_t>(scored.offsets[l]);
         i < static_cast<size_t>(scored.offsets[l + 1]); ++i)
      add(list, hedge_of(scored.profit[i],
                         scored.unflagged.empty() ? -scored.profit[i] : scored.unflagged[i],
                         flagged[i], !scored.label.empty() && scored.label[i] > 0,
                         stake.empty() ? 0 : kappa * stake[i]));
    add(report.total, list);
    gained += list.money_kept - list.money_lost - list.cost;
    report.lists.push_back(list);
    report.cumulative.push_back(gained);
  }
  const HedgeTotals& t = report.total;
  for (const double sum : {t.unhedged, t.result, t.money_kept, t.money_lost, t.cost, t.best})
    if (!std::isfinite(sum))
      throw attn::Error("the profits are too large to be summed; give them in a larger unit");
  return report;
}

std::vector<double> profit_curve(const ScoredLists& scored, int64_t most) {
  check_lists(scored);
  need_profit(scored);
  check_depth(most);
  std::vector<double> curve(static_cast<size_t>(most), 0);  // of each place, then summed
  int64_t lists = 0;
  for (int64_t l = 0; l < scored.lists(); ++l) {
    const OneList list =
        in_order(rows_of(scored, scored.score, l), {}, rows_of(scored, scored.profit, l));
    if (list.rows() == 0) continue;
    ++lists;
    for (size_t k = 0; k < std::min(curve.size(), list.profit.size()); ++k)
      curve[k] += list.profit[k];
  }
  std::partial_sum(curve.begin(), curve.end(), curve.begin());
  for (double& value : curve) value = lists > 0 ? value / static_cast<double>(lists) : kNaN;
  return curve;
}

std::pair<double, double> wilson_interval(int64_t hits, int64_t n) {
  if (n < 1) return {kNaN, kNaN};
  constexpr double z = 1.959963984540054;  // of the standard normal, 97.5 %
  const auto count = static_cast<double>(n);
  const double p = static_cast<double>(hits) / count, part = z * z / count;
  const double middle = p + part / 2, half = z * std::sqrt((p * (1 - p) + part / 4) / count);
  // At the ends the equation gives 0 and 1, and rounding something beside them.
  return {hits == 0 ? 0 : (middle - half) / (1 + part),
          hits == n ? 1 : (middle + half) / (1 + part)};
}

std::vector<CalibrationBin> calibration(const ScoredLists& scored, int64_t bins, ScoreScale scale) {
  check_lists(scored);
  if (bins < 1)
    throw attn::UsageError(fmt::format("calibration in {} groups: expected 1 or more", bins));
  std::vector<int64_t> order = ranked(scored.score);
  std::reverse(order.begin(), order.end());
  const auto rows = static_cast<int64_t>(order.size());
  bins = std::min(bins, rows);
  std::vector<CalibrationBin> out;
  for (int64_t b = 0, from = 0; b < bins; ++b) {
    CalibrationBin bin;
    bin.rows = rows / bins + (b < rows % bins ? 1 : 0);
    const auto n = static_cast<double>(bin.rows);
    int64_t positives = 0;
    for (int64_t i = from; i < from + bin.rows; ++i) {
      const auto row = static_cast<size_t>(order[static_cast<size_t>(i)]);
      const double score = scored.score[row];
      bin.score += scale == ScoreScale::logit ? logistic(score) : score;
      if (!scored.label.empty() && scored.label[row] > 0) ++positives;
      if (!scored.profit.empty()) bin.profit += scored.profit[row];
    }
    from += bin.rows;
    bin.score /= n;
    bin.profit = scored.profit.empty() ? kNaN : bin.profit / n;
    const bool labels = !scored.label.empty();
    bin.positives = labels ? static_cast<double>(positives) / n : kNaN;
    std::tie(bin.low, bin.high) =
        labels ? wilson_interval(positives, bin.rows) : std::pair{kNaN, kNaN};
    out.push_back(bin);
  }
  return out;
}

}  // namespace finance
