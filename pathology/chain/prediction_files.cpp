#include "pathology/chain/prediction_files.h"

#include <algorithm>
#include <limits>
#include <map>

#include "attn/error.h"
#include "libattn/io/digest.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "pathology/chain/attention_map.h"

namespace pathology {
namespace fs = std::filesystem;
namespace {

constexpr int kVersion = 1;

nlohmann::json config_of(const TrainedModel& model, const char* what, const nlohmann::json& input) {
  return {{"format_version", kVersion},
          {"kind", "predictions"},
          {"model", model.digest},
          {what, input}};
}

nlohmann::json record(const TrainedModel& model, const nlohmann::json& config, const BagSet& set) {
  check_compatible(model.model, model.file, set);
  auto rows = nlohmann::json::array();
  for (int64_t i = 0; i < set.size(); ++i)
    rows.push_back(describe_prediction(set.bags[static_cast<size_t>(i)],
                                       predict_bag(model.model.fitted, set, i),
                                       model.model.classes));
  return {{"attn_config", config}, {"predictions", rows}};
}

BagPrediction prediction_of(const nlohmann::json& row, const std::vector<std::string>& classes) {
  const auto number = [&](const char* key) {
    const nlohmann::json& value = row.at(key);
    return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
  };
  BagPrediction p;
  for (const std::string& name : classes) p.probability.push_back(row.at("probability").at(name));
  p.predicted = std::find(classes.begin(), classes.end(), row.at("predicted").get<std::string>()) -
                classes.begin();
  p.instances = row.at("instances");
  p.entropy = number("attention_entropy");
  p.normalised_entropy = number("attention_entropy_normalised");
  return p;
}

}  // namespace

nlohmann::json prediction_config(const TrainedModel& model, const SlidePipeline& pipeline,
                                 const Slide& slide) {
  return config_of(model, "features", features_config_of(slide, pipeline));
}

nlohmann::json prediction_config(const TrainedModel& model, const BagInput& input) {
  return config_of(model, "bags", attn::io::file_digest(input.path));
}

bool predictions_current(const fs::path& path, const nlohmann::json& config,
                         double max_unreadable) {
  const nlohmann::json before = attn::io::read_json(path);
  if (before.at("attn_config") != config) return false;
  const auto& rows = before.at("predictions");
  return std::all_of(rows.begin(), rows.end(), [&](const nlohmann::json& row) {
    return row.at("unreadable").get<double>() <= max_unreadable;
  });
}

nlohmann::json predict_slide(const TrainedModel& model, const SlidePipeline& pipeline,
                             const FeatureStore& store, const Slide& slide, int threads,
                             const attn::Hooks& hooks) {
  return record(model, prediction_config(model, pipeline, slide),
                single_bag(kept_features(slide, pipeline, store, threads, hooks)));
}

nlohmann::json predict_bag_file(const TrainedModel& model, const BagInput& input,
                                const attn::Hooks& hooks) {
  return record(model, prediction_config(model, input), read_one_bag(input, hooks));
}

PredictionTable read_predictions(const std::vector<fs::path>& files,
                                 const std::vector<std::string>& classes) {
  PredictionTable table;
  table.set.classes = classes;
  std::map<std::string, const fs::path*> seen;
  for (const fs::path& file : files) {
    const nlohmann::json document = attn::io::read_json(file);
    for (const nlohmann::json& row : document.at("predictions")) {
      Bag bag;
      bag.id = bag.patient = row.at("bag");
      bag.unreadable = row.at("unreadable");
      const auto [at, fresh] = seen.emplace(bag.id, &file);
      if (!fresh)
        throw attn::Error("two bags are named " + attn::io::quote_text(bag.id) +
                          ", of the inputs " + at->second->stem().string() + " and " +
                          file.stem().string() + "; rename one");
      BagPrediction p = prediction_of(row, classes);
      bag.instances = p.instances;
      p.bag = table.set.size();
      table.set.bags.push_back(std::move(bag));
      table.predictions.push_back(std::move(p));
    }
  }
  return table;
}

}  // namespace pathology
