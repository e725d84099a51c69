// Cross-validation by lists.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "finance/model/evaluate.h"
#include "finance/model/train_run.h"

namespace finance {

struct CrossValidation {
  std::vector<Evaluation> folds;  ///< each of the lists that its model did not see
  Evaluation pooled;              ///< of all lists, each scored by the model that did not see it
  std::vector<int64_t> fold_of;   ///< (L) 1, 2, ...: in which fold a list tested
};

/// In turn each of `folds` parts of the lists (list_folds) tests; a share `validation` of the
/// others, the last ones where lists have times, chooses the epoch and the thresholds, the rest
/// trains; of several members each holds out a share of its own, unless lists have times. A feature
/// without a value in what trains is none in that fold. What is refused is refused before the first
/// fold trains. Pooled decisions are each fold's own. Throws as train_run and list_folds.
CrossValidation cross_validate(const RankLists& lists, const TrainRunOptions& options,
                               int64_t folds, double validation, const EvaluateOptions& evaluation,
                               const attn::Hooks& hooks);

/// Writes the pooled scores, a CSV of list, row (of the data, from 1), score, rank (from 1 within
/// the list, ties by row) and fold. `lists` are those that were validated. Throws StorageError.
void write_fold_scores(const CrossValidation& result, const RankLists& lists,
                       const std::filesystem::path& out);

/// {"folds": [...], "mean": {metric: {"mean": , "sd": }}, "pooled": {...}}
nlohmann::json to_json(const CrossValidation& result);

}  // namespace finance
