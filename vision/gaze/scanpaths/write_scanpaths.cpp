#include "vision/gaze/scanpaths/write_scanpaths.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/text.h"
#include "vision/gaze/scanpaths/formats.h"
#include "vision/gaze/scanpaths/json_values.h"

namespace gaze {
namespace {

using attn::UsageError;

std::string dumped(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A list with an entry a line.
std::string lines_of(const Json& list) {
  std::string text = "[";
  for (size_t i = 0; i < list.size(); ++i) text += (i == 0 ? "\n" : ",\n") + dumped(list[i]);
  return text + "\n]";
}

void write_own(const std::filesystem::path& path, const Scanpaths& scanpaths) {
  const Json value = json_of_scanpaths(scanpaths);
  attn::io::write_file(path, "{\"format\":" + dumped(value["format"]) +
                                 ",\"version\":" + dumped(value["version"]) +
                                 ",\n\"trials\":" + lines_of(value["trials"]) +
                                 ",\n\"images\":" + lines_of(value["images"]) + "}\n");
}

ScanpathFormat format_of(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  const auto ends = [&](const char* end) { return name.ends_with(end); };
  if (ends(".json")) return ScanpathFormat::json;
  if (ends(".tsv")) return ScanpathFormat::multimatch;
  if (ends(".csv") || ends(".csv.gz") || ends(".parquet") || ends(".pq"))
    return ScanpathFormat::report;
  throw UsageError("cannot write " + path.string() +
                   ": expected .json, .tsv or .csv as its extension, or a format");
}

/// A part of a file's name: letters, digits and some signs.
std::string name_part(const std::string& text) {
  std::string part;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    part += plain || c == '-' || c == '.' || c == '_' ? c : '-';
  }
  const size_t begin = std::min(part.find_first_not_of('.'), part.size());  // nothing hidden
  return part.substr(begin, 80);
}

std::string file_name(const Trial& trial) {
  const std::string stem = std::filesystem::path(trial.image).stem().string();
  std::string name = name_part(stem.empty() ? trial.id : stem);
  if (name.empty()) name = "trial";
  if (!trial.eye.empty()) name += "_" + name_part(trial.eye);
  if (!trial.subject.empty() && name.find("_sub-") == name.npos)
    name += "_sub-" + name_part(trial.subject);
  return name;
}

}  // namespace

WrittenScanpaths write_scanpaths(const std::filesystem::path& path, const Scanpaths& scanpaths,
                                 ScanpathFormat format) {
  if (format == ScanpathFormat::detect) format = format_of(path);
  const ScanpathCounts n = count(scanpaths);
  switch (format) {
    case ScanpathFormat::json:
      write_own(path, scanpaths);
      return {n.trials, 0};
    case ScanpathFormat::coco:
      attn::io::write_file(path, lines_of(coco_of_scanpaths(scanpaths)) + "\n");
      return {n.trials, 0};
    case ScanpathFormat::report:
      write_report(path, scanpaths);
      return {n.trials - n.empty, n.empty};
    case ScanpathFormat::multimatch:
      if (scanpaths.trials.size() != 1)
        throw UsageError(
            "cannot write " + path.string() + ": a MultiMatch file holds one trial, and " +
            std::to_string(scanpaths.trials.size()) + " were given; write a file a trial");
      write_multimatch(path, scanpaths.trials.front());
      return {1, 0};
    default:
      throw UsageError("cannot write " + path.string() +
                       ": scanpaths are written as json, coco, report or multimatch");
  }
}

std::vector<std::filesystem::path> write_trial_files(const std::filesystem::path& folder,
                                                     const Scanpaths& scanpaths) {
  attn::io::make_directories(folder);
  std::set<std::string> names;
  std::vector<std::filesystem::path> files;
  for (const Trial& trial : scanpaths.trials) {
    const std::string plain = file_name(trial);
    std::string name = plain;
    for (size_t i = 2; !names.insert(name).second; ++i) name = plain + "_" + std::to_string(i);
    files.push_back(folder / (name + ".tsv"));
    write_multimatch(files.back(), trial);
  }
  return files;
}

}  // namespace gaze
