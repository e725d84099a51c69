// Whom a model compares with whom.
#pragma once

#include <cstdint>
#include <vector>

#include "finance/model/rank_model.h"
#include "finance/report/rank_pages.h"

namespace finance {

/// Of the lists at `which`, by the first member's last layer across traders. Lists of one trader
/// and of more than `most` are left out; empty where the model does not look across traders. Throws
/// as encode.
std::vector<ListAttention> list_attention(const TrainedRanker& model, const RankLists& lists,
                                          const std::vector<int64_t>& which, int64_t most = 2000);

}  // namespace finance
