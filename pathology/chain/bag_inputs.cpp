#include "pathology/chain/bag_inputs.h"

#include <algorithm>

#include "attn/error.h"
#include "libattn/io/table.h"
#include "pathology/mil/bag_csv.h"
#include "pathology/mil/bag_h5.h"
#include "pathology/slide/find_slides.h"

namespace pathology {
namespace fs = std::filesystem;
namespace {

/// `pictures`: PNG and JPEG count, too.
bool holds_slides(const fs::path& folder, bool pictures) {
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  return std::any_of(begin(entries), end(entries), [&](const fs::directory_entry& entry) {
    std::error_code ignored;
    return entry.is_regular_file(ignored) && !entry.path().filename().string().starts_with('.') &&
           entry.path().extension() != ".h5" && looks_like_slide(entry.path()) &&
           (pictures || !is_picture(entry.path()));
  });
}

bool folder_holds_bags(const fs::path& folder) {
  const std::vector<fs::path> files = feature_files(folder);
  if (files.empty()) return false;
  const bool side_by_side = files.front().parent_path() == folder;
  // Previews and heat maps may lie beside features.
  if (!holds_slides(folder, !side_by_side)) return true;
  if (!side_by_side) return false;  // features of the slides above them
  throw attn::UsageError(folder.string() +
                         " holds slides and feature files (.h5) side by side; put either into a "
                         "folder of its own, or name the files one by one");
}

}  // namespace

bool holds_bags(const fs::path& path) {
  if (!fs::exists(path)) throw attn::Error(path.string() + ": no such file or folder");
  if (fs::is_directory(path)) return folder_holds_bags(path);
  if (path.extension() == ".h5") return true;
  return path.extension() == ".csv" && attn::io::Table::read(path).has("bag");
}

int64_t pictures_beside_bags(const fs::path& folder) {
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  return std::count_if(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    return !entry.path().filename().string().starts_with('.') && is_picture(entry.path());
  });
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
