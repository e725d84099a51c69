#include "pathology/mil/bag_h5.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "attn/error.h"
#include "libattn/io/digest.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "pathology/slide/features.h"
#include "pathology/slide/find_slides.h"

namespace pathology {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> demand_feature_files(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw attn::Error(folder.string() +
                      (fs::exists(folder) ? ": is not a folder" : ": no such folder") +
                      "; expected a folder of feature files (.h5)");
  }
  std::vector<fs::path> files = feature_files(folder);
  if (!files.empty()) return files;
  throw attn::Error(
      folder.string() +
      ": holds no feature files; expected SLIDE.h5 here or in h5_files/ or features/");
}

/// Refuses a bag that differs in kind from the first one.
void require_alike(const FeatureFile& first, const FeatureFile& file) {
  if (file.bag.features.size(1) != first.bag.features.size(1)) {
    throw attn::Error(
        file.bag.path.string() + ": has " + std::to_string(file.bag.features.size(1)) +
        " features a tile, but " + first.bag.path.string() + " has " +
        std::to_string(first.bag.features.size(1)) + "; all bags must come from one encoder");
  }
  std::string difference = first_difference(file.preprocessing, first.preprocessing);
  if (difference.empty()) difference = first_difference(file.feature_names, first.feature_names);
  if (difference.empty()) return;
  throw attn::Error(file.bag.path.string() + ": was made with other parameters than " +
                    first.bag.path.string() + " (" + difference +
                    "); make all features of a folder alike");
}

void warn_about(const attn::Hooks& hooks, const std::vector<std::string>& ids,
                const std::string& what) {
  if (ids.empty()) return;
  hooks.warning(std::to_string(ids.size()) + (ids.size() == 1 ? " slide " : " slides ") + what +
                ": " + attn::io::list_names(ids));
}

/// Collects bags alike into a set, keeping features in memory while they fit.
class Collector {
 public:
  Collector(BagSet& set, int64_t memory_limit) : set_(set), memory_left_(memory_limit) {}

  void add(FeatureFile file, const std::string& label) {
    if (!first_) {
      first_ = file;
      first_->bag.coords.clear();
      set_.dim = file.bag.features.size(1);
      set_.preprocessing = file.preprocessing;
      set_.feature_names = file.feature_names;
    } else {
      require_alike(*first_, file);
    }
    Bag bag = std::move(file.bag);
    digest_bag(digest_, bag, label);
    memory_left_ -= static_cast<int64_t>(bag.features.nbytes());
    if (memory_left_ < 0) {
      bag.features = at::Tensor();
      bag.coords = {};
    }
    set_.bags.push_back(std::move(bag));
  }

  void finish() { set_.digest = digest_.hex(); }

 private:
  BagSet& set_;
  int64_t memory_left_;
  std::optional<FeatureFile> first_;
  attn::io::Digest digest_;
};

}  // namespace

std::vector<fs::path> feature_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::path& place : {folder, folder / "h5_files", folder / "features"}) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(place, error)) {
      const fs::path& path = entry.path();
      if (path.extension() == ".h5" && !path.filename().string().starts_with('.'))
        files.push_back(path);
    }
    if (!files.empty()) break;
  }
  std::sort(files.begin(), files.end());
  return files;
}

nlohmann::json shared_preprocessing(const nlohmann::json& attn_config) {
  nlohmann::json out = attn_config;
  if (out.is_object() && out.contains("tiles") && out["tiles"].is_object())
    for (const char* key : {"slide", "mpp", "mpp_source", "geometry", "coords_digest"})
      out["tiles"].erase(key);
  return out;
}

namespace {

/// Takes the resolution of other programs' tiles out of two configurations where it is near enough.
void forget_near_mpp(nlohmann::json& a, nlohmann::json& b) {
  const auto tile_of = [](nlohmann::json& config) -> nlohmann::json* {
    using Pointer = nlohmann::json::json_pointer;
    if (!config.is_object() || config.value(Pointer("/tiles/kind"), "") != kForeignTiles)
      return nullptr;
    return &config["tiles"]["tile"];
  };
  nlohmann::json *left = tile_of(a), *right = tile_of(b);
  if (left == nullptr || right == nullptr) return;
  const double x = left->value("mpp", 0.0), y = right->value("mpp", 0.0);  // 0: not known
  if (x > 0 && y > 0 && std::max(x, y) / std::min(x, y) > kForeignMppFactor) return;
  left->erase("mpp");
  right->erase("mpp");
}

}  // namespace

std::string first_difference(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  if (a.empty() || b.empty()) return "";
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string left = i < a.size() ? attn::io::quote_text(a[i]) : "absent";
    const std::string right = i < b.size() ? attn::io::quote_text(b[i]) : "absent";
    if (left == right) continue;
    std::string text = "feature " + std::to_string(i);
    return text.append(" is ").append(left).append(" against ").append(right);
  }
  return "";
}

std::string first_difference(const nlohmann::json& one, const nlohmann::json& other) {
  nlohmann::json a = one, b = other;
  forget_near_mpp(a, b);
  const nlohmann::json patch = nlohmann::json::diff(a, b);
  if (patch.empty()) return "";
  const auto key = patch[0].at("path").get<std::string>();
  const nlohmann::json::json_pointer pointer(key);
  const auto value = [&](const nlohmann::json& j) {
    return j.contains(pointer) ? j.at(pointer).dump() : std::string("nothing");
  };
  return (key.empty() ? "all" : key) + ": " + value(a) + " against " + value(b);
}

FeatureFile read_feature_file(const fs::path& path) {
  Features features = read_features(path);
  FeatureFile out;
  out.bag.id = path.stem().string();
  out.bag.patient = out.bag.id;
  out.bag.path = path;
  out.bag.instances = features.size();
  out.bag.features =
      at::from_blob(features.values.data(), {features.size(), features.dim}, at::kFloat).clone();
  out.bag.coords = std::move(features.coords);
  out.bag.unreadable = features.unreadable_share();
  out.preprocessing = shared_preprocessing(features.config);
  out.feature_names = std::move(features.names);
  return out;
}

BagSet read_bag_folder(const fs::path& folder, const fs::path& labels,
                       const BagFolderOptions& options, const attn::Hooks& hooks) {
  const std::vector<fs::path> files = demand_feature_files(folder);
  const LabelTable table = read_labels(labels, options.labels);
  const std::map<std::string, size_t> rows = label_rows(table, labels);
  BagSet set;
  Collector collector(set, options.memory_limit);
  std::vector<std::string> unlabelled, empty, bag_labels;
  std::set<std::string> found;
  for (size_t f = 0; f < files.size(); ++f) {
    hooks.check();
    const std::string id = files[f].stem().string();
    const auto row = rows.find(without_slide_extension(id));
    if (row == rows.end() || table.labels[row->second].empty()) {
      unlabelled.push_back(id);
      continue;
    }
    if (!found.insert(row->first).second)
      throw attn::Error(files[f].string() + " and another file of its folder are both of slide " +
                        attn::io::quote_text(table.ids[row->second]) + " in " + labels.string() +
                        ", which would be two bags; keep one of them");
    FeatureFile file = read_feature_file(files[f]);
    if (file.bag.instances == 0) {
      empty.push_back(id);
      continue;
    }
    if (!table.patients[row->second].empty()) file.bag.patient = table.patients[row->second];
    bag_labels.push_back(table.labels[row->second]);
    collector.add(std::move(file), bag_labels.back());
    hooks.report("bags", static_cast<int64_t>(f) + 1, static_cast<int64_t>(files.size()));
  }
  collector.finish();
  std::vector<std::string> featureless;
  for (const auto& [id, row] : rows)
    if (!found.contains(id) && !table.labels[row].empty()) featureless.push_back(id);
  warn_about(hooks, unlabelled,
             "of " + folder.string() + " left out, without a label in " + labels.string());
  warn_about(hooks, featureless,
             "of " + labels.string() + " left out, without features in " + folder.string());
  warn_about(hooks, empty, "left out, without a single tile");
  if (set.bags.empty()) {
    throw attn::Error(
        folder.string() + " and " + labels.string() +
        ": no slide has both features and a label; a slide's name in the table must be "
        "its feature file's name less .h5, for example " +
        attn::io::quote_text(files[0].stem().string()));
  }
  set.classes = class_names(bag_labels);
  warn_of_equal_classes(set.classes, labels.string(), hooks);
  for (size_t b = 0; b < set.bags.size(); ++b)
    set.bags[b].label =
        std::find(set.classes.begin(), set.classes.end(), bag_labels[b]) - set.classes.begin();
  return set;
}

UnlabelledBags read_unlabelled(const fs::path& folder_or_file, const attn::Hooks& hooks) {
  const std::vector<fs::path> files =
      fs::is_directory(folder_or_file) || !fs::exists(folder_or_file)
          ? demand_feature_files(folder_or_file)
          : std::vector<fs::path>{folder_or_file};
  UnlabelledBags out;
  Collector collector(out.set, BagFolderOptions{}.memory_limit);
  for (size_t f = 0; f < files.size(); ++f) {
    hooks.check();
    const auto skip = [&](const std::string& reason) {
      hooks.warning(reason);
      out.failures.emplace_back(files[f], reason);
    };
    try {
      FeatureFile file = read_feature_file(files[f]);
      if (file.bag.instances == 0)
        skip(files[f].string() + ": holds no tiles, so nothing can be predicted");
      else
        collector.add(std::move(file), "");
    } catch (const attn::Error& error) {
      skip(error.what());
    }
    hooks.report("bags", static_cast<int64_t>(f) + 1, static_cast<int64_t>(files.size()));
  }
  collector.finish();
  return out;
}

}  // namespace pathology
