#include "timeseries/model/fit_files.h"

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/json.h"
#include "timeseries/model/entropy_stage.h"

namespace timeseries {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kUnfinished{kCheckpointFile, kEntropyCheckpoint,
                                                 kEntropyModelFile, kFitFile};

/// The digest of the fit whose checkpoints lie in a folder; empty where that is not told.
std::string digest_in(const fs::path& path) {
  if (!fs::exists(path)) return "";
  try {
    return attn::io::get<std::string>(attn::io::read_json(path), "digest", path.string());
  } catch (const attn::StorageError&) {
    throw;
  } catch (const attn::Error&) {
    return "";
  }
}

bool has_checkpoints(const fs::path& folder) {
  for (const char* name : {kCheckpointFile, kEntropyCheckpoint, kEntropyModelFile})
    if (fs::exists(folder / name)) return true;
  return false;
}

}  // namespace

void begin_files(const FitFiles& files, const std::string& digest, const attn::Hooks& hooks) {
  if (files.folder.empty()) return;
  attn::io::make_directories(files.folder);
  const fs::path told = files.folder / kFitFile;
  const std::string before = digest_in(told);
  if (!files.resume || before != digest) {
    if (files.resume && has_checkpoints(files.folder))
      hooks.warning(files.folder.string() +
                    ": belongs to an unfinished run with other settings or data; training starts "
                    "anew");
    remove_checkpoints(files);
  }
  attn::io::write_json(told, {{"digest", digest}});
}

void remove_checkpoints(const FitFiles& files) {
  if (files.folder.empty()) return;
  std::error_code ignored;  // the model stands; what is left behind does no harm
  for (const char* name : kUnfinished) fs::remove(files.folder / name, ignored);
}

}  // namespace timeseries
