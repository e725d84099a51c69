// Files of scanpaths, read by what they hold.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vision/gaze/scanpaths/scanpaths.h"

namespace gaze {

enum class ScanpathFormat {
  detect,      ///< by the name's end and the first bytes
  json,        ///< this room's own: an object of trials as COCO-Search18 has them, and images
  coco,        ///< COCO-Search18: a list of {name, subject, task, condition, bbox, X, Y, T, ...}
  amazon,      ///< Amazon covers (STI-Dataset): image -> fixations, ground_truth, size, target
  asc,         ///< EyeLink's edf2asc
  report,      ///< fixation report of EyeLink Data Viewer: CSV, TSV, Parquet
  multimatch,  ///< start_x, start_y, duration; REMoDNaV's events too
  bids         ///< BIDS _eyetrack.tsv.gz (or _physio, _physioevents) beside its JSON
};
/// "auto", "json", "coco", "amazon", "asc", "report", "multimatch", "bids"; throws UsageError on
/// another word.
ScanpathFormat parse_scanpath_format(std::string_view word);

struct ReadOptions {
  ScanpathFormat format = ScanpathFormat::detect;
  /// Of COCO-Search18, fixation reports, MultiMatch and, often, BIDS, which tell none.
  std::optional<Screen> screen = {};
  /// Of fixation reports: the column that names the picture; it must be constant in a trial.
  std::string image_column = {};
};

/// The trials of one file in its order; "-" is standard input (not of BIDS, which needs its JSON).
/// Times in milliseconds become seconds; a value that the format marks as missing is NaN. Positions
/// off the screen are kept (count() tells how many).
///
/// - JSON and COCO-Search18: keys that are not known go to Trial::extra.
/// - Amazon covers: a trial for each image and subject, by name of image and subject; the screen is
///   the image; durations are NaN.
/// - ASC: a trial for each recording (START ... END) and, within one, for each TRIALID message, and
///   for each eye. A fixation belongs to the trial in which it began. The trial has the messages
///   from its TRIALID (or START) up to the next trial; the first those before it, too. Its image is
///   the first `!V IMGLOAD`, its `!V TRIAL_VAR`s are in extra (condition and task in their places).
///   A recording without END, and a fixation begun without EFIX, are told in Events.
/// - Fixation report: the rows of a trial (RECORDING_SESSION_LABEL, TRIAL_INDEX) stand together.
///   Columns that are constant in every trial go to Trial::extra, the others to Trial::fields.
/// - MultiMatch: one trial, of a file IMAGE_sub-SUBJECT.tsv as it names them.
/// - BIDS: rows that are fixations with positions; raw samples are refused.
///
/// Refused in one sentence (attn::Error naming file and record): an empty file, one of unknown or
/// other format, JSON of another schema, X, Y and T of differing lengths, a value that is no
/// number, damaged lines of ASC (cut, an end before its start, EFIX without its SFIX, two sizes of
/// screen), a screen that is neither told nor given.
Scanpaths read_scanpaths(const std::filesystem::path& path, const ReadOptions& options = {});

struct FileFailure {
  std::filesystem::path path;
  std::string sentence;
};
struct ManyScanpaths {
  Scanpaths scanpaths;
  std::vector<std::filesystem::path> read;
  std::vector<FileFailure> failures;
};
/// Files and folders (those of their files with a known extension, by name, hidden ones and the
/// JSON beside a BIDS table left out), one behind the other; a file that read_scanpaths refuses is
/// listed and passed over, as is a path that is not there.
ManyScanpaths read_all_scanpaths(std::span<const std::filesystem::path> paths,
                                 const ReadOptions& options = {});

}  // namespace gaze
