#include "libattn/io/outputs.h"

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"

namespace attn::io {
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
      throw UsageError("two things would be written to " + output.string() +
                       "; give each a file of its own");
    const fs::path* found = nullptr;
    if (const auto file = identity(output)) {
      if (const auto same = read.find(*file); same != read.end()) found = same->second;
    } else if (const auto same = to_come.find(fs::absolute(output).lexically_normal());
               same != to_come.end()) {
      found = same->second;
    }
    if (found != nullptr)
      throw UsageError(output.string() + " would be written over " + found->string() +
                       ", which this command needs; write elsewhere");
  }
}

void require_writable(const fs::path& file, const std::string& option) {
  if (!file.has_filename() || fs::is_directory(file))
    throw UsageError(option + " " + file.string() + " names a folder; expected a file");
  if (file.has_parent_path()) make_directories(file.parent_path());
  const AtomicFile probe(file);
}

}  // namespace attn::io
