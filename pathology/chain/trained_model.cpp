#include "pathology/chain/trained_model.h"

#include "libattn/io/digest.h"
#include "pathology/mil/mil_run.h"

namespace pathology {

SlidePipeline TrainedModel::pipeline(double max_unreadable) const {
  SlidePipeline out = pipeline_from(model.preprocessing, file.string());
  out.max_unreadable = max_unreadable;
  return out;
}

TrainedModel load_trained_model(const std::filesystem::path& run) {
  const std::filesystem::path file = model_path(run);
  return {file, load_mil_model(file), attn::io::file_digest(file)};
}

nlohmann::json describe_prediction(const Bag& bag, const BagPrediction& prediction,
                                   const std::vector<std::string>& classes) {
  auto probability = nlohmann::json::object();
  for (size_t c = 0; c < classes.size(); ++c) probability[classes[c]] = prediction.probability[c];
  return {{"bag", bag.id},
          {"predicted", classes[static_cast<size_t>(prediction.predicted)]},
          {"probability", probability},
          {"instances", prediction.instances},
          {"attention_entropy", prediction.entropy},
          {"attention_entropy_normalised", prediction.normalised_entropy},
          {"unreadable", bag.unreadable}};
}

}  // namespace pathology
