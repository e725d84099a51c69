#include "vision/gaze/scanpaths/read_scanpaths.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/io/csv_records.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/formats.h"
#include "vision/gaze/scanpaths/json_values.h"

namespace gaze {
namespace {

using attn::Error;
using attn::io::FileKind;

constexpr const char* kKnownFormats =
    "COCO-Search18 or Amazon covers JSON, EyeLink ASC, a fixation report with CURRENT_FIX_X, a "
    "table with start_x, start_y and duration, or BIDS eye tracking";

/// Whether the first line names these columns.
bool has_columns(std::string_view head, std::initializer_list<std::string_view> names) {
  if (head.substr(0, 3) == "\xEF\xBB\xBF") head.remove_prefix(3);
  std::string_view line = head.substr(0, head.find('\n'));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const char delimiter = line.find('\t') != line.npos ? '\t' : ',';
  const std::vector<std::string> columns = attn::io::split_csv_record(line, delimiter);
  return std::all_of(names.begin(), names.end(), [&](std::string_view name) {
    return std::find(columns.begin(), columns.end(), name) != columns.end();
  });
}

ScanpathFormat format_of(const attn::io::ByteStream& bytes) {
  const std::string_view head = bytes.head();
  if (head.empty()) throw Error(bytes.name() + ": expected scanpaths, found an empty file");
  if (has_bids_name(bytes.path())) return ScanpathFormat::bids;
  const size_t first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first != head.npos && (head[first] == '[' || head[first] == '{')) return ScanpathFormat::json;
  const FileKind kind = attn::io::file_kind(head);
  if (kind == FileKind::parquet) return ScanpathFormat::report;
  if (head.substr(0, 11) == "SR_RESEARCH")
    throw Error(bytes.name() + ": is EyeLink's EDF, which is not read; convert it with edf2asc");
  if (looks_like_asc(head) || bytes.path().extension() == ".asc") return ScanpathFormat::asc;
  if (has_columns(head, {"CURRENT_FIX_X"})) return ScanpathFormat::report;
  if (has_columns(head, {"start_x", "start_y"})) return ScanpathFormat::multimatch;
  throw Error(bytes.name() + ": expected " + kKnownFormats + ", found " +
              std::string(attn::io::describe(kind)) +
              (kind == FileKind::text
                   ? " that begins with " + attn::io::quote_text(head.substr(0, head.find('\n')))
                   : std::string()));
}

/// An object of pictures with fixations or a target.
bool is_amazon(const Json& value) {
  if (!value.is_object() || value.empty() || value.contains("trials")) return false;
  return std::any_of(value.begin(), value.end(), [](const Json& entry) {
    return entry.is_object() && (entry.contains("fixations") || entry.contains("ground_truth"));
  });
}

Scanpaths read_json_file(attn::io::ByteStream bytes, const ReadOptions& options) {
  const std::string name = bytes.name();
  const Json value = attn::io::parse_json(bytes.rest(), name);
  if (options.format == ScanpathFormat::amazon ||
      (options.format == ScanpathFormat::detect && is_amazon(value)))
    return amazon_scanpaths(value, name, options);
  const bool list = value.is_array();
  if (options.format == ScanpathFormat::coco && !list)
    throw Error(name + ": expected a list of trials as COCO-Search18 has it, found " +
                shown(value));
  if (!list && !(value.is_object() && value.contains("trials"))) {
    std::vector<std::string> keys;
    if (value.is_object())
      for (const auto& entry : value.items()) keys.push_back(attn::io::one_line(entry.key(), 30));
    throw Error(
        name +
        ": expected scanpaths (a list of trials as COCO-Search18 has it, or pictures "
        "with fixations as Amazon covers), found " +
        (keys.empty() ? shown(value) : "an object with the keys " + attn::io::list_names(keys, 6)));
  }
  return scanpaths_of_json(value, name, options);
}

/// The files of a folder that may hold scanpaths, by name.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder) {
  static constexpr std::array<std::string_view, 9> kExtensions = {
      ".json", ".asc", ".csv", ".tsv", ".tab", ".txt", ".gz", ".parquet", ".pq"};
  std::vector<std::filesystem::path> files, sidecars;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::filesystem::path& path = entry.path();
    const std::string name = path.filename().string();
    if (!entry.is_regular_file() || name[0] == '.') continue;
    if (has_bids_name(path)) sidecars.push_back(bids_sidecar(path));
    if (std::find(kExtensions.begin(), kExtensions.end(), path.extension().string()) !=
        kExtensions.end())
      files.push_back(path);
  }
  std::erase_if(files, [&](const std::filesystem::path& path) {
    return std::find(sidecars.begin(), sidecars.end(), path) != sidecars.end();
  });
  std::sort(files.begin(), files.end());
  return files;
}

void append(Scanpaths& to, Scanpaths from) {
  std::move(from.trials.begin(), from.trials.end(), std::back_inserter(to.trials));
  std::move(from.images.begin(), from.images.end(), std::back_inserter(to.images));
}

}  // namespace

ScanpathFormat parse_scanpath_format(std::string_view word) {
  static const std::vector<std::string> kWords = {"auto", "json",   "coco",       "amazon",
                                                  "asc",  "report", "multimatch", "bids"};
  const auto found = std::find(kWords.begin(), kWords.end(), word);
  if (found == kWords.end())
    throw attn::UsageError("expected " + attn::io::list_names(kWords) +
                           " as the format of scanpaths, found " + attn::io::quote_text(word) +
                           attn::io::did_you_mean(word, kWords));
  return static_cast<ScanpathFormat>(found - kWords.begin());
}

Scanpaths read_scanpaths(const std::filesystem::path& path, const ReadOptions& options) {
  attn::io::ByteStream bytes(path);
  const ScanpathFormat format =
      options.format == ScanpathFormat::detect ? format_of(bytes) : options.format;
  switch (format) {
    case ScanpathFormat::asc:
      return read_asc(std::move(bytes), options);
    case ScanpathFormat::report:
      return read_report(std::move(bytes), options);
    case ScanpathFormat::multimatch:
      return read_multimatch(std::move(bytes), options);
    case ScanpathFormat::bids:
      return read_bids(std::move(bytes), options);
    default:
      return read_json_file(std::move(bytes), options);
  }
}

ManyScanpaths read_all_scanpaths(std::span<const std::filesystem::path> paths,
                                 const ReadOptions& options) {
  ManyScanpaths all;
  const auto take = [&](const std::filesystem::path& path) {
    try {
      append(all.scanpaths, read_scanpaths(path, options));
      all.read.push_back(path);
    } catch (const attn::UsageError&) {
      throw;  // of the caller, not of the file
    } catch (const Error& error) {
      all.failures.push_back({path, error.what()});
    }
  };
  for (const std::filesystem::path& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      take(path);
      continue;
    }
    try {
      for (const std::filesystem::path& file : files_of(path)) take(file);
    } catch (const std::filesystem::filesystem_error& error) {
      all.failures.push_back(
          {path, path.string() + ": cannot list the folder: " + error.code().message()});
    }
  }
  return all;
}

}  // namespace gaze
