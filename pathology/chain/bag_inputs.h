// Inputs of `predict` that are bags already.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "pathology/mil/bag.h"

namespace pathology {

/// Whether `path` is features rather than slides: an .h5 file, a folder with .h5 files, a folder
/// without slides but with .h5 files in its h5_files/ or features/, or a CSV with a column `bag`.
/// Throws attn::Error when it does not exist, attn::UsageError for a folder that holds both.
bool holds_bags(const std::filesystem::path& path);

/// How many pictures (PNG, JPEG) lie beside the feature files of a folder, and are not looked at.
int64_t pictures_beside_bags(const std::filesystem::path& folder);

/// One bag file: an .h5 with one bag, or a CSV with many.
struct BagInput {
  std::string id;
  std::filesystem::path path;
};
/// The bag files that `path` names, sorted by name.
std::vector<BagInput> list_bags(const std::filesystem::path& path);
/// Reads one; labels are neither needed nor read. Throws attn::Error when it is damaged or holds no
/// instances.
BagSet read_one_bag(const BagInput& input, const attn::Hooks& hooks);

}  // namespace pathology
