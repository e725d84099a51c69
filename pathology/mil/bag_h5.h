// Bags from feature files in CLAM's HDF5 layout.
#pragma once

#include <filesystem>
#include <vector>

#include "pathology/mil/bag.h"

namespace pathology {

struct BagFolderOptions {
  LabelOptions labels;
  /// Feature values are kept in memory up to so many bytes over all bags, and read at each use
  /// beyond.
  int64_t memory_limit = int64_t{4} << 30;
};

/// All `*.h5` of `folder`, or of its `h5_files/` or `features/` subfolder where it has none itself:
/// `features` (N,D) or (1,N,D) float16/32/64, `coords` (N,2) where present. Slide id = file name
/// less `.h5`, also matched against the table's ids less their slide extension. Slides without
/// label or features, and bags without tiles, are named in a warning and left out. Throws Error: no
/// folder, no feature file, no slide in common with the table, feature widths, names or
/// preprocessing that differ between slides, two files of one slide (a.h5 and
/// a.svs.h5), a NaN, a damaged file (named).
BagSet read_bag_folder(const std::filesystem::path& folder, const std::filesystem::path& labels,
                       const BagFolderOptions& options, const attn::Hooks& hooks);

/// The `*.h5` of `folder`, or of its `h5_files/` or `features/` where it has none itself, sorted;
/// empty where there are none.
std::vector<std::filesystem::path> feature_files(const std::filesystem::path& folder);

/// One feature file as an unlabelled bag (for predict and heatmap), with its `attn_config` (null
/// where it has none) in `preprocessing` less the per-slide parts. An empty file gives a bag of 0
/// instances.
struct FeatureFile {
  Bag bag;
  nlohmann::json preprocessing;
  std::vector<std::string> feature_names;
};
FeatureFile read_feature_file(const std::filesystem::path& path);

/// All feature files of a folder (or the one file) as unlabelled bags; classes stay empty. A
/// damaged file is skipped with a warning and returned in `failures` (path, reason).
struct UnlabelledBags {
  BagSet set;
  std::vector<std::pair<std::filesystem::path, std::string>> failures;
};
UnlabelledBags read_unlabelled(const std::filesystem::path& folder_or_file,
                               const attn::Hooks& hooks);

/// `attn_config` less what belongs to one slide (file name, size, time, resolved resolution and its
/// source, the geometry that follows from them and the slide's pyramid, other programs'
/// coordinates).
nlohmann::json shared_preprocessing(const nlohmann::json& attn_config);

/// The first key at which two configurations (as `shared_preprocessing` gives them) differ and both
/// values, "/tiles/tile/mpp: 0.5 against 1.0"; empty for those that make features alike. Other
/// programs choose tiles by magnification, so their resolutions may differ by the factor
/// kForeignMppFactor, and count only where both are known.
std::string first_difference(const nlohmann::json& a, const nlohmann::json& b);
/// Scanners' 20x lies between 0.45 and 0.55 um per px; 20x and 40x differ by 2.
inline constexpr double kForeignMppFactor = 1.3;

/// "feature 3 is 'red.sd' against 'red.mean'" for the first name that differs; empty where they are
/// equal or one side has none.
std::string first_difference(const std::vector<std::string>& a, const std::vector<std::string>& b);

}  // namespace pathology
