// Before long work: what it will write can be written, and is none of what it reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pathology/slide/find_slides.h"

namespace pathology {

/// Throws attn::UsageError, naming both, when one of `outputs` is one of the files `inputs`, by
/// whatever path or link, or stands among them twice. Empty paths and files that are not there yet
/// are allowed in both.
void refuse_overwriting(const std::vector<std::filesystem::path>& outputs,
                        const std::vector<std::filesystem::path>& inputs);

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

/// Makes the folder of the file that `option` ("--out") names. Throws attn::UsageError when it
/// names a folder, attn::StorageError when no file can be written there.
void require_writable(const std::filesystem::path& file, const std::string& option);

}  // namespace pathology
