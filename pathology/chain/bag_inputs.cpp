#include "pathology/chain/bag_inputs.h"

#include "attn/error.h"
#include "libattn/io/table.h"
#include "pathology/mil/bag_csv.h"
#include "pathology/mil/bag_h5.h"

namespace pathology {
namespace fs = std::filesystem;

bool holds_bags(const fs::path& path) {
  if (!fs::exists(path)) throw attn::Error(path.string() + ": no such file or folder");
  if (fs::is_directory(path)) return !feature_files(path).empty();
  if (path.extension() == ".h5") return true;
  return path.extension() == ".csv" && attn::io::Table::read(path).has("bag");
}

std::vector<BagInput> list_bags(const fs::path& path) {
  std::vector<BagInput> inputs;
  if (!fs::is_directory(path)) return {{path.stem().string(), path}};
  for (const auto& file : feature_files(path)) inputs.push_back({file.stem().string(), file});
  return inputs;
}

BagSet read_one_bag(const BagInput& input, const attn::Hooks& hooks) {
  if (input.path.extension() == ".csv")
    return read_bag_csv(input.path, {.columns = {}, .labelled = false}, hooks);
  FeatureFile file = read_feature_file(input.path);
  if (file.bag.instances == 0) throw attn::Error(input.path.string() + " holds no tiles");
  BagSet set;
  set.dim = file.bag.features.defined() ? file.bag.features.size(1) : 0;
  set.feature_names = std::move(file.feature_names);
  set.preprocessing = std::move(file.preprocessing);
  set.bags.push_back(std::move(file.bag));
  return set;
}

}  // namespace pathology
