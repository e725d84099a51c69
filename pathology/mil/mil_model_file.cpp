#include "pathology/mil/mil_model_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "libattn/train/model_file.h"
#include "pathology/mil/bag_h5.h"

namespace pathology {
namespace {

constexpr const char* kKind = "attn-mil model";

}  // namespace

void save_mil_model(const std::filesystem::path& path, const MilModelFile& model) {
  attn::train::NamedTensors tensors = model.fitted.model.parameters();
  tensors.emplace_back("scaler.mean", model.fitted.scaler.mean);
  tensors.emplace_back("scaler.inverse", model.fitted.scaler.inverse);
  MilConfig config = model.config;
  config.model = model.fitted.model.config();
  const nlohmann::json j = {
      {"config", nlohmann::json(config)},     {"classes", model.classes},
      {"feature_names", model.feature_names}, {"preprocessing", model.preprocessing},
      {"training", model.training},           {"metrics", model.metrics}};
  attn::train::save_model_file(path, kKind, kMilModelVersion, j, tensors);
}

MilModelFile load_mil_model(const std::filesystem::path& path) {
  const attn::train::ModelFile file = attn::train::load_model_file(path, kKind, kMilModelVersion);
  const std::string where = "attn_config of " + path.string();
  const auto part = [&](const char* key) {
    return attn::io::get_or<nlohmann::json>(file.config, key, where, nlohmann::json());
  };
  try {
    const MilConfig config =
        attn::io::get<nlohmann::json>(file.config, "config", where).get<MilConfig>();
    const auto classes = attn::io::get<std::vector<std::string>>(file.config, "classes", where);
    if (static_cast<int64_t>(classes.size()) != config.model.classes)
      throw attn::Error("the number of classes differs between names and network");
    if (std::set(classes.begin(), classes.end()).size() != classes.size())
      throw attn::Error("two classes have the same name");
    attn::train::NamedTensors parameters;
    for (const auto& [name, shape] : parameter_shapes(config.model))
      parameters.emplace_back(name, attn::train::require_tensor(file, path, name, shape));
    const auto scaler = [&](const char* name) {
      return attn::train::require_tensor(file, path, name, {config.model.input}).to(at::kDouble);
    };
    return {
        {MilModel(config.model, parameters),
         {scaler("scaler.mean"), scaler("scaler.inverse"), config.standardise ? config.clip : 0}},
        config,
        classes,
        attn::io::get_or<std::vector<std::string>>(file.config, "feature_names", where, {}),
        shared_preprocessing(part("preprocessing")),  // of older files, too
        part("training"),
        part("metrics")};
  } catch (const attn::Error& error) {
    const std::string text = error.what();
    if (text.find(path.string()) != std::string::npos) throw;
    throw attn::Error(path.string() + ": " + text + "; the file is damaged");
  }
}

bool is_whole_model(const std::filesystem::path& path) {
  try {
    load_mil_model(path);
    return true;
  } catch (const attn::NewerFormat&) {
    throw;
  } catch (const attn::StorageError&) {
    throw;  // says nothing of the file
  } catch (const attn::Error&) {
    return false;
  }
}

void check_compatible(const MilModelFile& model, const std::filesystem::path& model_path,
                      const BagSet& set) {
  if (set.dim != model.config.model.input) {
    throw attn::Error("the bags have " + std::to_string(set.dim) + " features an instance, but " +
                      model_path.string() + " was trained on " +
                      std::to_string(model.config.model.input) +
                      "; make the features with the encoder of the model");
  }
  std::string difference;
  if (!model.preprocessing.is_null() && !set.preprocessing.is_null())
    difference = first_difference(set.preprocessing, model.preprocessing);
  if (difference.empty()) difference = first_difference(set.feature_names, model.feature_names);
  if (difference.empty()) return;
  throw attn::Error("the bags were made with other parameters than those " + model_path.string() +
                    " was trained on (" + difference +
                    "); make tiles and features as the model's `info` shows");
}

void match_classes(BagSet& set, const std::vector<std::string>& classes,
                   const std::filesystem::path& model_path) {
  for (Bag& bag : set.bags) {
    if (bag.label < 0) continue;
    const std::string& name = set.classes.at(static_cast<size_t>(bag.label));
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end()) {
      throw attn::Error("bag " + attn::io::quote_text(bag.id) + " has the label " +
                        attn::io::quote_text(name) + ", which " + model_path.string() +
                        " does not know; its classes are " + attn::io::list_names(classes));
    }
    bag.label = found - classes.begin();
  }
  set.classes = classes;
}

}  // namespace pathology
