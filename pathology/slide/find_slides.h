// Which slides a job is about: a file, a folder, or a manifest.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pathology/slide/columns.h"

namespace pathology {

/// One slide of a job.
struct SlideItem {
  std::filesystem::path path;
  std::string id;  ///< names the outputs; the stem of the file unless the manifest says otherwise
  std::optional<double> mpp;           ///< manifest column `mpp`
  std::optional<std::string> case_id;  ///< of a manifest
  std::optional<std::string> label;    ///< of a manifest
};

/// The slides named by `input`, sorted by id:
///   - a slide or picture file: itself (any extension; `Slide::open` judges it);
///   - a folder (not its sub-folders): files in which OpenSlide detects a vendor, PNG, JPEG and
///   TIFF pictures by their
///     first bytes and extension, and files with a slide's extension (.svs, .ndpi, ...) that are
///     neither, or links with one that lead nowhere, so that a broken slide is reported rather than
///     passed over. Other files, hidden files, and what a .vms or .vmu names as its parts are left
///     alone;
///   - a manifest, .csv with a header: column `slide` or `path` (relative to the manifest), and
///   where present `slide_id`,
///     `mpp`, `label`, and `case_id` or another usual name of patients, or as `columns` names them;
///     NA, NaN and the like are no value. A row whose file does not exist stays in the list:
///     opening it fails, by name.
/// Bytes of a name that are not UTF-8 stand as \xNN in the id (`Slide::open` refuses such a file).
/// Throws attn::Error where nothing is found, two slides have the same id, or a manifest's row is
/// malformed.
std::vector<SlideItem> find_slides(const std::filesystem::path& input,
                                   const LabelOptions& columns = {});
/// The same of several inputs, one after the other.
std::vector<SlideItem> find_slides(const std::vector<std::filesystem::path>& inputs,
                                   const LabelOptions& columns = {});

/// The id less a slide's or picture's extension, or `.h5`: "a.svs" -> "a", but "a.1" -> "a.1".
std::string without_slide_extension(const std::string& id);

/// Whether a file is a PNG or JPEG picture, by extension and first bytes.
bool is_picture(const std::filesystem::path& file);
/// Whether a file is one that `find_slides` takes from a folder.
bool looks_like_slide(const std::filesystem::path& file);

}  // namespace pathology
