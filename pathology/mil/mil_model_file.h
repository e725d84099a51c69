// The model file of attn-mil: all that a new slide needs.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pathology/mil/bag.h"
#include "pathology/mil/mil_train.h"

namespace pathology {

inline constexpr int64_t kMilModelVersion = 1;

struct MilModelFile {
  FittedModel fitted;
  MilConfig config;
  std::vector<std::string> classes;
  std::vector<std::string> feature_names;
  nlohmann::json preprocessing;  ///< encoder, tile and tissue parameters; null when trained on
                                 ///< foreign features
  nlohmann::json training;       ///< data digest, bags per part, seed, best epoch
  nlohmann::json metrics;        ///< of validation and test, with intervals
};

/// Patient identifiers and slide names are not written. Atomic.
void save_mil_model(const std::filesystem::path& path, const MilModelFile& model);
/// Throws Error: see attn::train::load_model_file and require_tensor; also a configuration that
/// does not fit the tensors, and two classes of one name.
MilModelFile load_mil_model(const std::filesystem::path& path);

/// Whether `path` is a model file that can be loaded. Throws NewerFormat.
bool is_whole_model(const std::filesystem::path& path);

/// Throws Error when `set` cannot be fed to `model`: another feature width, other feature names
/// where both have some, or another preprocessing (names the first difference).
void check_compatible(const MilModelFile& model, const std::filesystem::path& model_path,
                      const BagSet& set);

/// Renumbers the labels of `set` by the model's class names. Throws Error on a label the model does
/// not know.
void match_classes(BagSet& set, const std::vector<std::string>& classes,
                   const std::filesystem::path& model_path);

}  // namespace pathology
