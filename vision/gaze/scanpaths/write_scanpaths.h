// Scanpaths written as files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "vision/gaze/scanpaths/read_scanpaths.h"

namespace gaze {

/// What became of the trials.
struct WrittenScanpaths {
  int64_t trials = 0;
  int64_t left_out = 0;  ///< trials without fixations, for which a table has no row
};

/// Writes in one of these formats, beside its place and renamed into it; the format `detect` is by
/// extension: .json, .tsv, .csv (.csv.gz, .parquet).
/// - json: all that Scanpaths holds; what read_scanpaths reads back the same.
/// - coco: the list of trials alone, without images, in the same keys.
/// - report: a row a fixation, with columns of this room for what Data Viewer has no column (IMAGE,
///   TASK, CONDITION, SPLIT, EYE, CORRECT, SCREEN_WIDTH, SCREEN_HEIGHT, TARGET_X0 ... TARGET_Y1),
///   extra and fields; no events, no images. Where ids are missing or not unique in a subject,
///   trials are numbered from 1.
/// - multimatch: one trial's start_x, start_y, duration.
/// Throws UsageError for another format, more than one trial in a MultiMatch file, and columns of
/// the same name; StorageError where the file cannot be written.
WrittenScanpaths write_scanpaths(const std::filesystem::path& path, const Scanpaths& scanpaths,
                                 ScanpathFormat format = ScanpathFormat::detect);

/// One MultiMatch file a trial, IMAGE_sub-SUBJECT.tsv (IMAGE_EYE_sub-SUBJECT.tsv), a number behind
/// it where two would have one name; makes the folder. The files, in the order of the trials.
std::vector<std::filesystem::path> write_trial_files(const std::filesystem::path& folder,
                                                     const Scanpaths& scanpaths);

}  // namespace gaze
