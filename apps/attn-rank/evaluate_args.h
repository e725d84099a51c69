// Options about what scores are worth, and where scores come from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/attn-rank/list_args.h"
#include "apps/common/app.h"
#include "finance/model/evaluate.h"

namespace attn::app {

/// How scores are judged.
struct JudgeArgs {
  std::vector<std::string> at{"1,3,5,10"};
  std::string threshold = "auto", gain = "linear";
  bool empty_is_one = false;
  int64_t hedge_top = 5, resamples = 1000;
  double kappa = 0, level = 95;
  std::optional<std::string> stake;

  /// Throws attn::UsageError.
  finance::EvaluateOptions options(const Context& context) const;
};
void declare_judging(JudgeArgs& args, OptionTable& table);

/// A model or a file of scores, and the rows they are of.
struct ScoredArgs {
  std::filesystem::path data;
  std::optional<std::filesystem::path> run;
  std::optional<std::string> scores;
  std::vector<std::string> with;
  ListArgs lists;
};
void declare_scored(ScoredArgs& args, OptionTable& table);
/// All files that they name.
std::vector<std::filesystem::path> files_read(const ScoredArgs& args);

/// What was read and scored.
struct Scored {
  finance::RankLists lists;
  std::vector<double> scores;
  std::string name;
  std::optional<finance::TrainedRanker> model;
  finance::Thresholds thresholds;
};
/// Reads --data with labels and profits, and scores it. `stake`: a column to have at hand.
Scored read_scored(const ScoredArgs& args, const std::optional<std::string>& stake,
                   const Context& context);

/// The keys of {"ndcg@1": , ...}, with @K in the order of numbers.
std::vector<std::string> metric_names(const nlohmann::json& metrics);

/// Metrics with their intervals, and the hedge, for people.
std::string evaluation_text(const finance::Evaluation& evaluation);

}  // namespace attn::app
