#include "pathology/chain/outputs.h"

#include <sys/stat.h>

#include <map>
#include <optional>
#include <utility>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"

namespace pathology {
namespace fs = std::filesystem;
namespace {

/// Device and number of an existing file: the same for every path and link to it.
std::optional<std::pair<uint64_t, uint64_t>> identity(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return std::pair<uint64_t, uint64_t>(status.st_dev, status.st_ino);
}

}  // namespace

void refuse_overwriting(const std::vector<fs::path>& outputs, const std::vector<fs::path>& inputs) {
  std::map<std::pair<uint64_t, uint64_t>, const fs::path*> read;
  for (const fs::path& input : inputs)
    if (const auto file = identity(input)) read.emplace(*file, &input);
  for (const fs::path& output : outputs) {
    const auto file = identity(output);
    const auto found = file ? read.find(*file) : read.end();
    if (found != read.end())
      throw attn::UsageError(output.string() + " would be written over " + found->second->string() +
                             ", which is read; write elsewhere");
  }
}

void require_writable(const fs::path& file, const std::string& option) {
  if (!file.has_filename() || fs::is_directory(file))
    throw attn::UsageError(option + " " + file.string() + " names a folder; expected a file");
  if (file.has_parent_path()) attn::io::make_directories(file.parent_path());
  const attn::io::AtomicFile probe(file);
}

}  // namespace pathology
