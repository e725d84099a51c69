// What scores are worth: metrics, decisions, money.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "finance/lists/rank_lists.h"
#include "finance/model/rank_model.h"
#include "finance/score/compare_scores.h"
#include "finance/score/decisions.h"

namespace finance {

/// From which score on a row is flagged.
struct ThresholdRule {
  enum class Kind {
    automatic,  ///< tuned where the model has it, else prior
    tuned,      ///< highest macro-F1 on the validation lists of the training
    money,      ///< most money kept on those
    prior,      ///< the share of positives in the training lists (or `value`) is flagged
    fixed       ///< score >= value
  };
  Kind kind = Kind::automatic;
  std::optional<double> value;
};
/// "auto", "tuned", "money", "prior", "prior:0.05", or a number; throws UsageError.
ThresholdRule parse_threshold(std::string_view word);

/// Whom a hedge takes: the first `top` of each list, or, 0, all from the threshold on.
struct HedgeRule {
  int64_t top = 5;
  double kappa = 0;   ///< cost of hedging a unit of `stake`
  std::string stake;  ///< kept column; empty: hedging costs nothing
};

struct EvaluateOptions {
  MetricsOptions metrics;
  ThresholdRule threshold;
  HedgeRule hedge;
};

struct Evaluation {
  std::string name;  ///< of the scores
  std::vector<Metric> metrics;
  std::string threshold_rule;  ///< in words
  double threshold = 0;
  std::string hedge_rule;            ///< in words
  std::optional<HedgeReport> hedge;  ///< where there are profits
  std::vector<double> curve;         ///< mean profit@1 ... profit@n, where there are profits
  std::vector<CalibrationBin> bins;  ///< where there are labels or profits
  std::vector<double> scores;        ///< (R)
};

/// `thresholds`: of the model that made the scores; none for those of another program, whose prior
/// is then the share of positives among these rows themselves. Throws Error as rank_metrics;
/// UsageError where there are neither labels nor profits, and where a rule needs what is not there;
/// Interrupted. With MetricsOptions::thresholds the rule is not looked at, and the threshold NaN.
Evaluation evaluate_scores(const std::string& name, const RankLists& lists,
                           std::vector<double> scores, const Thresholds& thresholds,
                           const EvaluateOptions& options, const attn::Hooks& hooks = {});

/// {"profit@5": , "profit@5_ci": [low, high], ..., "threshold": {...}, "hedge": {...}}
nlohmann::json to_json(const Evaluation& evaluation);
nlohmann::json to_json(const HedgeTotals& totals);
nlohmann::json to_json(const ScoreComparison& comparison, const std::vector<std::string>& names);

}  // namespace finance
