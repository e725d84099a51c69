// newer-version FILE...: rewrites a tile, feature or model file as a program to come might, whole
// and of format version 99.
#include <cstddef>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libattn/io/hdf5.h"
#include "libattn/io/safetensors.h"
#include "pathology/slide/features.h"
#include "pathology/slide/tiles.h"

namespace {

constexpr int kVersion = 99;
constexpr const char* kConfig = "attn_config";

void make_model_newer(const std::string& path) {
  const auto file = attn::io::Safetensors::open(path);
  auto metadata = file.metadata();
  auto config = nlohmann::json::parse(metadata.at(kConfig));
  config["format_version"] = kVersion;
  metadata[kConfig] = config.dump();
  std::vector<std::vector<std::byte>> bytes;
  for (const auto& entry : file.entries()) bytes.push_back(file.read(entry.name));
  std::vector<attn::io::TensorBytes> tensors;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto& entry = file.entries()[i];
    tensors.push_back({entry.name, entry.dtype, entry.shape, bytes[i]});
  }
  attn::io::write_safetensors(path, tensors, metadata);
}

void make_newer(const std::string& path) {
  if (path.ends_with(".safetensors")) {
    make_model_newer(path);
  } else if (attn::io::Hdf5File::open(path).exists("features")) {
    auto features = pathology::read_features(path);
    features.config["format_version"] = kVersion;
    pathology::write_features(path, features);
  } else {
    auto tiles = pathology::read_tiles(path);
    tiles.config["format_version"] = kVersion;
    pathology::write_tiles(path, tiles);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    for (int i = 1; i < argc; ++i) make_newer(argv[i]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
