// Predictions of slides and bags, kept one file an input, so that a stopped job goes on where it
// was and a finished one is not done again.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/chain/bag_inputs.h"
#include "pathology/chain/trained_model.h"

namespace pathology {

/// All that determines an input's predictions: the model, and the features' configuration or the
/// contents of the bag file.
nlohmann::json prediction_config(const TrainedModel& model, const SlidePipeline& pipeline,
                                 const Slide& slide);
nlohmann::json prediction_config(const TrainedModel& model, const BagInput& input);

/// Whether `path` holds predictions made with `config`, of slides with at most the share
/// `max_unreadable` of unreadable tiles.
bool predictions_current(const std::filesystem::path& path, const nlohmann::json& config,
                         double max_unreadable);

/// {"attn_config": prediction_config, "predictions": [describe_prediction]}. Throws attn::Error
/// when the input is damaged, does not fit the model, or holds no tiles.
nlohmann::json predict_slide(const TrainedModel& model, const SlidePipeline& pipeline,
                             const FeatureStore& store, const Slide& slide, int threads,
                             const attn::Hooks& hooks);
nlohmann::json predict_bag_file(const TrainedModel& model, const BagInput& input,
                                const attn::Hooks& hooks);

/// The predictions of such files, one after the other, as a set without features. Throws
/// attn::Error when a bag's name stands in two of them.
struct PredictionTable {
  BagSet set;
  std::vector<BagPrediction> predictions;
};
PredictionTable read_predictions(const std::vector<std::filesystem::path>& files,
                                 const std::vector<std::string>& classes);

}  // namespace pathology
