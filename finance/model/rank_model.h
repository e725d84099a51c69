// A trained ranking model as one file, and the scores it gives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "finance/lists/read_lists.h"
#include "finance/rank/feature_map.h"
#include "finance/rank/rank_train.h"
#include "finance/rank/ranker.h"

namespace finance {

inline constexpr const char* kRankModelKind = "attn-rank";
inline constexpr int64_t kRankModelVersion = 1;
inline constexpr const char* kModelFile = "model.safetensors";  ///< in a run directory

/// What the validation lists said of decisions.
struct Thresholds {
  std::optional<double> macro_f1;  ///< score from which on flagging gives the highest macro-F1
  std::optional<double> money;     ///< ... keeps most money
  std::optional<double> prior;     ///< share of positive rows in the training lists
};

/// Everything a file of lists is scored with.
struct TrainedRanker {
  FeatureMap features;
  std::vector<Ranker> members;  ///< networks of other seeds; a score is the mean of theirs
  RankFitOptions fit;
  ListOptions columns;            ///< names of list, label, profit, ... in the training file
  std::vector<std::string> with;  ///< names of features that come from files of scores
  Thresholds thresholds;
  nlohmann::json training;  ///< digests of what it was trained on, split, numbers of rows
  nlohmann::json metrics;   ///< of the validation lists
};

/// How such a model's files are read where nothing else is said: its columns and features. `label`
/// and `profit` are taken where they are there, refused when missing with `need`.
ListOptions reading_options(const TrainedRanker& model, bool need);

/// (R), the mean of the members' scores. Throws Error where
/// a column of the model is not there.
std::vector<double> model_scores(const TrainedRanker& model, const RankLists& lists,
                                 const attn::Hooks& hooks);

/// Throws StorageError.
void save_rank_model(const std::filesystem::path& path, const TrainedRanker& model);
/// Of RUN or a model file itself. Throws Error, NewerFormat.
TrainedRanker load_rank_model(const std::filesystem::path& run_or_file);

/// RUN/model.safetensors where `run_or_file` is a folder.
std::filesystem::path model_path(const std::filesystem::path& run_or_file);

}  // namespace finance
