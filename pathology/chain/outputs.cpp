#include "pathology/chain/outputs.h"

#include <sys/stat.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "pathology/mil/bag_h5.h"
#include "pathology/mil/mil_run.h"

namespace pathology {
namespace fs = std::filesystem;
namespace {

/// Device and number of an existing file: the same for every path and link to it.
std::optional<std::pair<uint64_t, uint64_t>> identity(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return std::pair<uint64_t, uint64_t>(status.st_dev, status.st_ino);
}

void add(std::vector<fs::path>& to, const std::vector<fs::path>& files) {
  to.insert(to.end(), files.begin(), files.end());
}

}  // namespace

void refuse_overwriting(const std::vector<fs::path>& outputs, const std::vector<fs::path>& inputs) {
  std::map<std::pair<uint64_t, uint64_t>, const fs::path*> read;
  std::map<fs::path, const fs::path*> to_come;  // those that are not there yet, by name
  for (const fs::path& input : inputs) {
    if (input.empty()) continue;
    if (const auto file = identity(input))
      read.emplace(*file, &input);
    else
      to_come.emplace(fs::absolute(input).lexically_normal(), &input);
  }
  std::map<fs::path, const fs::path*> written;
  for (const fs::path& output : outputs) {
    if (output.empty()) continue;
    const auto [other, fresh] = written.emplace(fs::absolute(output).lexically_normal(), &output);
    if (!fresh)
      throw attn::UsageError("two things would be written to " + output.string() +
                             "; give each a file of its own");
    const fs::path* found = nullptr;
    if (const auto file = identity(output)) {
      if (const auto same = read.find(*file); same != read.end()) found = same->second;
    } else if (const auto same = to_come.find(fs::absolute(output).lexically_normal());
               same != to_come.end()) {
      found = same->second;
    }
    if (found != nullptr)
      throw attn::UsageError(output.string() + " would be written over " + found->string() +
                             ", which this command needs; write elsewhere");
  }
}

std::vector<fs::path> files_of_slides(const std::vector<fs::path>& inputs,
                                      const std::vector<SlideItem>& slides) {
  std::vector<fs::path> files;
  for (const fs::path& input : inputs)
    if (!fs::is_directory(input)) files.push_back(input);
  for (const SlideItem& slide : slides) files.push_back(slide.path);
  return files;
}

std::vector<fs::path> files_of_bags(const fs::path& bags, const fs::path& labels) {
  std::vector<fs::path> files{labels};
  if (fs::is_directory(bags))
    add(files, feature_files(bags));
  else
    files.push_back(bags);
  return files;
}

std::vector<fs::path> own_files_of_run(const fs::path& run) {
  std::vector<fs::path> files = files_of_training(run);
  add(files, {run / "run.json", run / "report.html", run / "checkpoint.safetensors"});
  return files;
}

std::vector<fs::path> files_of_run(const fs::path& run) {
  if (!fs::is_directory(run) && fs::exists(run)) return {run};
  std::vector<fs::path> files = own_files_of_run(run);
  files.push_back(run / kChainLabels);
  try {
    const std::string where = (run / "source.json").string();
    if (!fs::exists(where)) return files;
    const nlohmann::json source = attn::io::read_json(where);
    add(files, files_of_bags(attn::io::get_or<std::string>(source, "bags", where, ""),
                             attn::io::get_or<std::string>(source, "labels", where, "")));
  } catch (const attn::Error&) {
    return files;  // who needs it will say what is wrong
  }
  return files;
}

void require_writable(const fs::path& file, const std::string& option) {
  if (!file.has_filename() || fs::is_directory(file))
    throw attn::UsageError(option + " " + file.string() + " names a folder; expected a file");
  if (file.has_parent_path()) attn::io::make_directories(file.parent_path());
  const attn::io::AtomicFile probe(file);
}

}  // namespace pathology
