// Markets and options small enough to train in a test.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "finance/lists/read_lists.h"
#include "finance/market/simulate_market.h"
#include "finance/model/train_run.h"
#include "tests/support/temp_folder.h"

namespace finance::test {

inline const ListOptions kColumns{
    .list = "qid", .label = "risky", .profit = "pnl", .ignore = {"stake"}};

/// A simulated market as a file.
inline void write_market(const std::filesystem::path& path, int64_t lists, uint64_t seed,
                         int64_t traders = 12) {
  MarketOptions o;
  o.lists = lists, o.traders = traders, o.seed = seed;
  write_lists(path, simulate_market(o, garch_returns(2000, 7)), kColumns);
}

inline RankLists market(int64_t lists, uint64_t seed) {
  const attn::test::TempFolder folder;
  write_market(folder / "market.csv", lists, seed);
  RankLists out = read_lists(folder / "market.csv", kColumns);
  out.name = "market.csv";
  return out;
}

inline TrainRunOptions small_run(RankModel model = RankModel::cross,
                                 LossKind loss = LossKind::pa_bce) {
  TrainRunOptions o = default_run(model, loss);
  o.network.width = 8, o.network.heads = 2, o.network.layers = 1, o.network.hidden = 12;
  o.network.self_layers = 1, o.network.self_heads = 2;
  o.fit.optimisation.epochs = 2, o.fit.optimisation.batch = 4, o.fit.optimisation.seed = 3;
  o.checkpoint_seconds = 0;
  return o;
}

inline TrainedRanker trained(const RankLists& train, const RankLists* validation,
                             const TrainRunOptions& options = small_run()) {
  return train_run({train, validation, kColumns, {}}, options, {}, {});
}

}  // namespace finance::test
