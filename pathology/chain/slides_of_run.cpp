#include "pathology/chain/slides_of_run.h"

#include <ATen/ATen.h>

#include <map>
#include <set>

#include "attn/error.h"
#include "libattn/io/digest.h"
#include "pathology/chain/bag_inputs.h"
#include "pathology/chain/heatmap_files.h"
#include "pathology/mil/bag_h5.h"

namespace pathology {
namespace fs = std::filesystem;
namespace {

std::set<std::string> ids_of(const BagSet& set) {
  std::set<std::string> ids;
  for (const Bag& bag : set.bags) ids.insert(bag.id);
  return ids;
}

}  // namespace

std::vector<SlideItem> slides_to_draw(const BagSet& labelled, const std::vector<SlideItem>& slides,
                                      int64_t most) {
  std::map<std::string, const SlideItem*> items;
  for (const SlideItem& slide : slides) items[slide.id] = &slide;
  std::map<int64_t, std::vector<const SlideItem*>> by_class;
  for (const Bag& bag : labelled.bags)
    if (const auto item = items.find(bag.id); item != items.end())
      by_class[bag.label].push_back(item->second);
  std::vector<SlideItem> chosen;
  for (size_t turn = 0; turn < labelled.bags.size(); ++turn)
    for (const auto& [label, own] : by_class)
      if (turn < own.size() && std::ssize(chosen) < most) chosen.push_back(*own[turn]);
  return chosen;
}

std::vector<std::pair<std::string, std::string>> write_all_predictions(
    const fs::path& path, const TrainRunResult& run, const BagSet& set,
    const std::vector<SlideItem>& slides, const fs::path& features, const attn::Hooks& hooks) {
  const std::set<std::string> known = ids_of(set);
  BagSet all = set;
  std::vector<BagPrediction> predictions = run.predictions;
  std::vector<std::string> part = run.part;
  std::vector<std::pair<std::string, std::string>> failures;
  for (const SlideItem& slide : slides) {
    if (known.contains(slide.id)) continue;
    hooks.check();
    try {
      BagSet one = read_one_bag({slide.id, features / (slide.id + ".h5")}, hooks);
      BagPrediction prediction = predict_bag(run.model.fitted, one, 0);
      prediction.bag = all.size();
      all.bags.push_back(std::move(one.bags.front()));
      predictions.push_back(std::move(prediction));
      part.emplace_back("unlabelled");
    } catch (const attn::Error& error) {
      failures.emplace_back(slide.id, error.what());
      hooks.warning("slide " + slide.id + " has no prediction: " + error.what());
    }
  }
  write_predictions(path, all, run.model.classes, predictions, part);
  return failures;
}

std::string unlabelled_digest(const BagSet& labelled, const std::vector<SlideItem>& slides,
                              const fs::path& features, const attn::Hooks& hooks) {
  const std::set<std::string> known = ids_of(labelled);
  attn::io::Digest digest;
  for (const SlideItem& slide : slides) {
    if (known.contains(slide.id)) continue;
    hooks.check();
    try {
      digest_bag(digest, read_feature_file(features / (slide.id + ".h5")).bag, "");
    } catch (const attn::Error&) {
      digest.update(slide.id + '\0');  // its prediction will say what is wrong
    }
  }
  return digest.hex();
}

std::string truth_digest(const std::optional<fs::path>& truth,
                         const std::vector<SlideItem>& slides) {
  if (!truth) return "";
  if (!fs::is_directory(*truth)) return attn::io::file_digest(*truth);
  attn::io::Digest digest;
  for (const SlideItem& slide : slides) {
    const fs::path file = *truth / (slide.id + ".geojson");
    if (fs::exists(file)) digest.update(slide.id + '\0' + attn::io::file_digest(file));
  }
  return digest.hex();
}

}  // namespace pathology
