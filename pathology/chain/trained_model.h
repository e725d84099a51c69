// A trained model as the verbs over slides use it.
#pragma once

#include <filesystem>
#include <string>

#include "pathology/chain/pipeline.h"
#include "pathology/mil/mil_model_file.h"
#include "pathology/mil/predict.h"

namespace pathology {

struct TrainedModel {
  std::filesystem::path file;
  MilModelFile model;
  std::string digest;  ///< of the file: what was made by another model is made again

  /// The way from slides to its features. Throws attn::Error when it was trained on features of
  /// another program.
  SlidePipeline pipeline(double max_unreadable) const;
};

/// The model of a run directory, or a model file. Throws attn::Error when there is none or it is
/// damaged.
TrainedModel load_trained_model(const std::filesystem::path& run);

/// What `bag` was given: {"bag", "predicted", "probability": {CLASS: p}, "instances",
/// "attention_entropy", "attention_entropy_normalised", "unreadable"}.
nlohmann::json describe_prediction(const Bag& bag, const BagPrediction& prediction,
                                   const std::vector<std::string>& classes);

}  // namespace pathology
