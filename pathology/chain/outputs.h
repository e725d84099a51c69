// What the verbs over slides and bags read and write.
#pragma once

#include <filesystem>
#include <vector>

#include "libattn/io/outputs.h"
#include "pathology/slide/find_slides.h"

namespace pathology {

using attn::io::refuse_overwriting;
using attn::io::require_writable;

/// The files that a job over slides reads: `inputs` that are files (manifests, pictures), and the
/// slides found in them.
std::vector<std::filesystem::path> files_of_slides(const std::vector<std::filesystem::path>& inputs,
                                                   const std::vector<SlideItem>& slides);
/// The files of a set of bags: the table, or the folder's feature files; and `labels`.
std::vector<std::filesystem::path> files_of_bags(const std::filesystem::path& bags,
                                                 const std::filesystem::path& labels);
/// The labels and patients that the chain's model was trained with, in its run directory.
inline constexpr const char* kChainLabels = "labels.csv";

/// The files that `train` writes into a run directory, whether they are there or not.
std::vector<std::filesystem::path> own_files_of_run(const std::filesystem::path& run);
/// The model file that `run` is; or those, the labels beside them, and the files of the bags that
/// source.json names, where it can be read.
std::vector<std::filesystem::path> files_of_run(const std::filesystem::path& run);

}  // namespace pathology
