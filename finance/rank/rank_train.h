// Training of any ranking network on lists, and the scores it gives.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "attn/hooks.h"
#include "finance/loss/rank_loss.h"
#include "finance/rank/feature_map.h"
#include "finance/rank/ranker.h"
#include "libattn/train/trainer.h"

namespace finance {

/// By what of the validation lists an epoch is chosen.
struct SelectBy {
  enum class Kind { profit, ndcg, auc, loss };
  Kind kind = Kind::profit;
  int64_t k = 5;  ///< of profit@k and ndcg@k
};
/// "profit@5", "ndcg@10", "auc", "loss"; throws UsageError on another word.
SelectBy parse_select(std::string_view word);
std::string to_string(const SelectBy& select);

struct RankFitOptions {
  LossOptions loss;
  SelectBy select;
  attn::train::TrainOptions optimisation;  ///< seed and all; `batch` counts lists
  /// Weight that the running average of the parameters keeps at a step (Polyak and Juditsky 1992);
  /// the average is what is validated and kept; after step t it keeps at most t / (t + 10), which
  /// lets it forget the start. 0: the parameters themselves.
  double average = 0;
};
void to_json(nlohmann::json& j, const RankFitOptions& options);
/// A missing key leaves the field as it is. Throws Error naming the key.
void from_json(const nlohmann::json& j, RankFitOptions& options);
/// Throws UsageError, one sentence.
void check(const RankFitOptions& options);

struct RankFitData {
  const RankSet& train;
  const RankSet* validation = nullptr;  ///< null: the last epoch is kept
  std::string digest;                   ///< of everything else that decides: the data
};

/// What fit_ranker refuses before it trains. Throws UsageError for options and where the loss or
/// the selection needs labels or profits that are not there, Error where the validation lists do
/// not define the selection: no list with a positive label.
void check(const RankFitData& data, const RankFitOptions& options);

/// Trains `ranker` in place and leaves it as after its best epoch on the validation lists. Throws
/// as `check` and attn::train::train; Interrupted.
attn::train::TrainResult fit_ranker(const Ranker& ranker, const RankFitData& data,
                                    const RankFitOptions& options,
                                    const attn::train::TrainFiles& files, const attn::Hooks& hooks);

/// Rows that are scored at a time.
inline constexpr int64_t kScoredAtOnce = 4096;

/// Scores of all rows (R), in batches of whole lists, each of at least `batch_rows` rows but the
/// last: the same whatever they are, but for the last bits; the same bit for bit where the batches
/// are the same, as they are when a file passes through in parts of so many rows.
std::vector<double> scores_of(const Ranker& ranker, const RankSet& set, const attn::Hooks& hooks,
                              int64_t batch_rows = kScoredAtOnce);

/// What `select` says of scores; higher is better. NDCG has the gain 2^y - 1, or y where a label is
/// above 31. NaN where it is not defined there.
double selection_score(const SelectBy& select, const LossOptions& loss, const RankSet& set,
                       std::span<const double> scores);

/// The lists at `which` of `set`, in that order.
RankSet subset(const RankSet& set, std::span<const int64_t> which);

/// The lists at `which` of `set` as one batch.
RankBatch gather(const RankSet& set, std::span<const int64_t> which);

}  // namespace finance
