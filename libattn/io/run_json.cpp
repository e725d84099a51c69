#include "libattn/io/run_json.h"

#include <nlohmann/json.hpp>
#include <string>

#include "attn/error.h"
#include "libattn/io/json.h"

namespace attn::io {

nlohmann::json read_run_json(const std::filesystem::path& run) {
  const std::filesystem::path file = run / "run.json";
  auto document = read_json(file);
  const auto version =
      get_or<int64_t>(document, "format_version", file.string(), kRunFormatVersion);
  if (version > kRunFormatVersion)
    throw NewerFormat(file.string() + " has format version " + std::to_string(version) +
                      ", and this program reads up to " + std::to_string(kRunFormatVersion) +
                      "; use a newer program, or another folder");
  return document;
}

}  // namespace attn::io
