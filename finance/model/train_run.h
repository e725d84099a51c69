// From lists to a trained model in a run directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "finance/model/rank_model.h"

namespace finance {

struct TrainRunOptions {
  RankerOptions network;  ///< features and categories are filled from the data
  RankFitOptions fit;     ///< its seed is that of the whole run
  /// Without validation lists: the share of the training lists that each member in turn holds out
  /// to choose its epoch by, each other lists while there are such; thresholds are found on what
  /// members say of lists they did not see. Scaling and categories are those of all lists. 0: none.
  double hold_out = 0;
  int64_t members = 1;             ///< networks of different seeds whose scores are averaged
  int64_t bins = 0;                ///< of the piecewise linear encoding of numbers; 0: none
  int64_t pretrain = 0;            ///< epochs of stage 1 alone (model `self`, BCE on the label)
  double checkpoint_seconds = 10;  ///< 0: every epoch
  bool resume = true;
};

/// What the settings of this house are where nothing is said, by model and loss; the sources are in
/// docs/attn-rank.md.
TrainRunOptions default_run(RankModel model, LossKind loss);

struct TrainRunData {
  const RankLists& train;
  const RankLists* validation = nullptr;
  ListOptions columns;            ///< how both were read
  std::vector<std::string> with;  ///< features among theirs that came from files of scores
};

/// What train_run refuses before it trains. Throws Error, UsageError.
void check_run(const TrainRunData& data, const TrainRunOptions& options);

/// Fits scaling on the training lists, trains the members, finds thresholds on the validation
/// lists, and saves RUN/model.safetensors; RUN/metrics.csv has a row an epoch (metrics.I.csv for
/// member I > 1). An empty `run`: nothing is written. A killed call goes on when made again with
/// the same arguments and gives the same model, byte for byte. Warns where K cuts lists although
/// profits have both signs. Throws Error, UsageError, Interrupted.
TrainedRanker train_run(const TrainRunData& data, const TrainRunOptions& options,
                        const std::filesystem::path& run, const attn::Hooks& hooks);

/// Digest of everything that determines the model.
std::string run_digest(const TrainRunData& data, const TrainRunOptions& options);

/// The files that train_run writes in RUN.
std::vector<std::filesystem::path> files_of_training(const std::filesystem::path& run,
                                                     int64_t members);

}  // namespace finance
