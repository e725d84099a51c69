// What the pages of attn-rank are made of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "attn/hooks.h"
#include "finance/model/evaluate.h"
#include "finance/model/rank_model.h"
#include "finance/report/rank_pages.h"

namespace finance {

/// The page of an evaluation; `model` may be null. The first `attention` lists show whom the model
/// compares with whom; `run`, where it is a run directory with metrics.csv, how it was trained.
/// `lists` and `evaluation` outlive the page. Throws as list_attention.
RankPage page_of(const Evaluation& evaluation, const RankLists& lists, const TrainedRanker* model,
                 int64_t attention, const std::filesystem::path& run);

/// RUN/metrics.csv; empty where there is none.
std::vector<TrainingEpoch> training_epochs(const std::filesystem::path& run);

}  // namespace finance
